"""What people may write under [children_config.fenrir], and what reaches the actor of it."""

import msgspec
import pytest
from fenrir_actor.board import ActuatorKind, Ramp, board_of
from fenrir_actor.config import FenrirConfig
from pydantic import ValidationError

SENSOR = {"minimum": 0, "maximum": 1, "waveform": {"shape": "constant", "value": 0.5}}


def dumped(config):
    return msgspec.msgpack.encode({**config.model_dump(mode="json"), "state_dir": "/s"})


def test_the_default_board_reaches_the_actor():
    board = board_of(dumped(FenrirConfig()))
    assert board.line_count == 28
    assert board.line_names == {"led": 17, "button": 4}
    assert set(board.sensors) == {"greenhouse_temperature", "greenhouse_humidity", "t1"}
    assert board.sensors["greenhouse_humidity"].waveform == Ramp(40.0, 70.0, 120.0)
    assert {name: a.kind for name, a in board.actuators.items()} == {
        "led": ActuatorKind.LEVEL,
        "fan": ActuatorKind.SWITCH,
    }


@pytest.mark.parametrize(
    "waveform",
    [
        {"shape": "constant", "value": 1},
        {"shape": "sine", "mean": 1, "amplitude": 2, "period_s": 3},
        {"shape": "ramp", "start": 1, "stop": 2, "period_s": 3},
        {"shape": "steps", "values": [1, 2], "step_s": 3},
    ],
)
def test_every_waveform_reaches_the_actor_as_it_was_written(waveform):
    config = FenrirConfig.model_validate({"sensors": {"x": {**SENSOR, "waveform": waveform}}})
    arrived = board_of(dumped(config)).sensors["x"].waveform
    assert msgspec.json.decode(msgspec.json.encode(arrived)) == waveform


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"backend": "linux"}, "no real hardware yet"),
        ({"backend": "imaginary"}, "simulated"),
        ({"pins": 3}, "pins"),
        ({"line_count": 0}, "line_count"),
        ({"line_names": {"led": 28}}, "led is 28; lines are 0 to 27"),
        ({"line_names": {"led": -1}}, "led is -1"),
        ({"line_names": {"a": 3, "b": 3}}, "one line two names"),
        ({"line_names": {"17": 3}}, "line_names.17"),
        ({"safe_levels": {"motor": False}}, "safe_levels.motor"),
        ({"sensors": {"x": {**SENSOR, "minimum": 2}}}, "above maximum"),
        ({"sensors": {"x": {**SENSOR, "waveform": {"shape": "square"}}}}, "square"),
        (
            {
                "sensors": {
                    "x": {**SENSOR, "waveform": {"shape": "steps", "values": [], "step_s": 1}}
                }
            },
            "values",
        ),
        (
            {
                "sensors": {
                    "x": {
                        **SENSOR,
                        "waveform": {"shape": "ramp", "start": 0, "stop": 1, "period_s": 0},
                    }
                }
            },
            "period_s",
        ),
        ({"actuators": {"fan": {"kind": "switch", "safe": 0.5}}}, "a switch knows 0 and 1"),
        ({"actuators": {"fan": {"kind": "level", "safe": 1.5}}}, "safe"),
        ({"actuators": {"fan": {"kind": "servo"}}}, "kind"),
    ],
)
def test_a_bad_setting_is_refused_with_its_name(settings, text):
    with pytest.raises(ValidationError, match=text):
        FenrirConfig.model_validate(settings)
