"""S-6.1.1: what Fenrir's end leaves driven, what its successor makes of it, and who hears of it."""

import msgspec
import pytest
from fenrir_actor.messages import PinLevel, ReadPin, ReadSensor, SetActuator, WritePin

from loki.errors import ErrorCode, IoError, ServiceUnavailable
from loki.messages.envelope import Done

ALL = {"gpio": ("*",), "sensors": ("*",), "actuators": ("*",)}
SETTINGS = {
    "line_names": {"relay": 5, "led": 17},
    "safe_levels": {"relay": True},
    "actuators": {"fan": {"kind": "switch", "safe": 1}, "lamp": {"kind": "level"}},
}


def raw(value):
    return msgspec.Raw(msgspec.msgpack.encode(value))


@pytest.fixture
def fenrir(fenrir_with):
    fenrir = fenrir_with(**SETTINGS)
    fenrir.open("r1", script="blink", **ALL)
    return fenrir


def level(fenrir, pin):
    fenrir.open("reader", **ALL)
    return fenrir.call("reader", ReadPin(pin=pin))


@pytest.mark.parametrize(
    ("pin", "driven", "after"),
    [("relay", False, True), ("led", True, False), (9, True, False)],
    ids=["declared safe", "named", "without a name"],
)
def test_a_line_that_was_driven_is_in_its_safe_state_or_low(fenrir, pin, driven, after):
    fenrir.call("r1", WritePin(pin=pin, level=driven))
    fenrir.restart()
    assert level(fenrir, pin) == PinLevel(level=after)


@pytest.mark.parametrize(("actuator", "driven", "after"), [("fan", 0, 1.0), ("lamp", 0.7, 0.0)])
def test_an_actuator_that_was_driven_is_in_its_safe_state_or_off(fenrir, actuator, driven, after):
    fenrir.call("r1", SetActuator(id=actuator, value=raw(driven)))
    assert fenrir.role._hardware.actuator_value(actuator) == driven
    fenrir.restart()
    assert fenrir.role._hardware.actuator_value(actuator) == after


def test_what_no_run_drove_any_more_keeps_its_level(fenrir):
    fenrir.call("r1", WritePin(pin="led", level=True))
    fenrir.close("r1")
    fenrir.restart()
    assert level(fenrir, "led") == PinLevel(level=True)


@pytest.mark.parametrize("request_", [WritePin(pin="led", level=True), ReadSensor(id="t1")])
def test_the_run_that_drove_it_hears_so_once_and_may_go_on(fenrir, request_):
    fenrir.call("r1", WritePin(pin="led", level=True))
    fenrir.call("r1", SetActuator(id="lamp", value=raw(1)))
    fenrir.restart()
    fenrir.open("r1", script="blink", **ALL)
    with pytest.raises(ServiceUnavailable, match=r"drove line 17 'led', actuator 'lamp'") as told:
        fenrir.call("r1", request_)
    assert told.value.code is ErrorCode.CHILD_DOWN
    assert told.value.details["child"] == "fenrir"
    assert level(fenrir, "led") == PinLevel(level=False)
    assert fenrir.call("r1", WritePin(pin="led", level=True)) == Done()


def test_others_hear_nothing_and_get_what_it_held(fenrir):
    fenrir.call("r1", WritePin(pin="led", level=True))
    fenrir.restart()
    fenrir.open("r2", **ALL)
    assert fenrir.call("r2", WritePin(pin="led", level=True)) == Done()


def test_it_is_told_also_when_fenrir_was_stopped_in_order(fenrir):
    fenrir.call("r1", WritePin(pin="relay", level=False))
    fenrir.role.finish(1.0, lambda: None)
    fenrir.restart()
    fenrir.open("r1", **ALL)
    with pytest.raises(ServiceUnavailable):
        fenrir.call("r1", ReadPin(pin="relay"))


def test_a_second_death_before_anybody_asked_still_finds_what_was_driven(fenrir, monkeypatch):
    """Killed while it makes all safe: what is not safe yet is still written down."""
    fenrir.call("r1", WritePin(pin="led", level=True))
    with monkeypatch.context() as dying:
        dying.setattr("fenrir_actor.actor.Fenrir._begin", lambda *_: None)
        fenrir.restart()
    fenrir.restart()
    assert level(fenrir, "led") == PinLevel(level=False)


def test_an_output_that_cannot_be_written_down_is_not_driven(fenrir, monkeypatch):
    def full(_held):
        raise IoError("no room")

    monkeypatch.setattr(fenrir.role._ledger, "write", full)
    with pytest.raises(IoError, match="no room"):
        fenrir.call("r1", WritePin(pin="led", level=True))
    assert fenrir.call("r1", ReadPin(pin="led")) == PinLevel(level=False)
