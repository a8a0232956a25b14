"""What scripts get from Fenrir: values, refusals, ownership, safe states."""

import msgspec
import pytest
from fenrir_actor.messages import (
    DescribeSensor,
    PinLevel,
    ReadPin,
    ReadSensor,
    SensorReading,
    SensorValue,
    SetActuator,
    WritePin,
)

from loki.errors import ErrorCode, InvalidArgument, IoError, LokiError, PermissionRefused
from loki.messages.envelope import Done

ALL = {"gpio": ("*",), "sensors": ("*",), "actuators": ("*",)}


def raw(value):
    return msgspec.Raw(msgspec.msgpack.encode(value))


def test_s_6_6_1_a_written_level_is_read_back_by_number_and_name(fenrir):
    fenrir.open("r1", **ALL)
    assert fenrir.call("r1", ReadPin(pin=17)) == PinLevel(level=False)
    assert fenrir.call("r1", WritePin(pin="led", level=True)) == Done()
    assert fenrir.call("r1", ReadPin(pin=17)) == PinLevel(level=True)
    assert fenrir.call("r1", ReadPin(pin="17")) == PinLevel(level=True)


def test_s_1_1_2_the_log_says_that_the_board_is_simulated_and_why(fenrir, caplog):
    caplog.set_level("INFO")
    fenrir.role.started()
    assert 'simulated, as backend = "simulated" says' in caplog.text


@pytest.mark.parametrize("allowed", ["17", "led", "*", "le?"])
@pytest.mark.parametrize("pin", [17, "led"])
def test_allowing_a_line_by_name_or_number_allows_both(fenrir, allowed, pin):
    fenrir.open("r1", gpio=(allowed,))
    assert fenrir.call("r1", WritePin(pin=pin, level=True)) == Done()


@pytest.mark.parametrize("allowed", [(), ("4",), ("button",), ("1",), ("170",), ("led2",)])
def test_a_line_that_is_not_allowed_is_refused_with_the_line_of_toml(fenrir, allowed):
    fenrir.open("r1", gpio=allowed)
    for request in (ReadPin(pin=17), WritePin(pin=17, level=True)):
        with pytest.raises(PermissionRefused, match=r'gpio = \["led"\]') as refused:
            fenrir.call("r1", request)
        assert "tools.toml" in refused.value.message


def test_a_line_without_a_name_is_suggested_by_number(fenrir):
    fenrir.open("r1")
    with pytest.raises(PermissionRefused, match=r"gpio = \[5\]"):
        fenrir.call("r1", ReadPin(pin=5))


@pytest.mark.parametrize(
    ("pin", "hint"),
    [
        (28, "0 to 27"),
        (-1, "0 to 27"),
        (2**62, "0 to 27"),
        ("buton", "button"),
        ("", "button, led"),
        ("9" * 5000, "button, led"),
        ("²", "button, led"),
    ],
)
def test_an_unknown_line_is_not_found_with_near_matches(fenrir, pin, hint):
    fenrir.open("r1", **ALL)
    with pytest.raises(LokiError, match=hint) as error:
        fenrir.call("r1", ReadPin(pin=pin))
    assert error.value.code is ErrorCode.NOT_FOUND
    assert len(error.value.message) < 300


def test_s_6_3_1_a_busy_line_names_its_owner_and_stays_as_it_is(fenrir):
    fenrir.open("run-aaaa", script="blink", **ALL)
    fenrir.open("run-bbbb", script="other", **ALL)
    fenrir.call("run-aaaa", WritePin(pin=17, level=True))
    with pytest.raises(IoError, match=r"line 17 'led' belongs to 'blink'"):
        fenrir.call("run-bbbb", WritePin(pin="led", level=False))
    assert fenrir.call("run-bbbb", ReadPin(pin=17)) == PinLevel(level=True)
    fenrir.close("run-aaaa")
    assert fenrir.call("run-bbbb", WritePin(pin="led", level=False)) == Done()


def test_a_refused_write_takes_no_ownership(fenrir):
    fenrir.open("r1")
    fenrir.open("r2", **ALL)
    with pytest.raises(PermissionRefused):
        fenrir.call("r1", WritePin(pin=17, level=True))
    assert fenrir.call("r2", WritePin(pin=17, level=True)) == Done()


def test_s_6_5_2_a_line_with_a_safe_level_returns_to_it_and_others_stay(fenrir_with):
    fenrir = fenrir_with(line_names={"relay": 5, "led": 17}, safe_levels={"relay": True})
    fenrir.open("r1", **ALL)
    assert fenrir.call("r1", ReadPin(pin="relay")) == PinLevel(level=True)  # From the start.
    fenrir.call("r1", WritePin(pin=5, level=False))
    fenrir.call("r1", WritePin(pin=17, level=True))
    fenrir.close("r1")
    fenrir.open("r2", **ALL)
    assert fenrir.call("r2", ReadPin(pin="relay")) == PinLevel(level=True)
    assert fenrir.call("r2", ReadPin(pin="led")) == PinLevel(level=True)


def test_one_output_that_cannot_be_made_safe_does_not_keep_others_from_it(fenrir_with, monkeypatch):
    fenrir = fenrir_with(
        line_names={"broken": 5, "relay": 6}, safe_levels={"broken": False, "relay": False}
    )
    fenrir.open("r1", **ALL)
    fenrir.call("r1", WritePin(pin="broken", level=True))
    fenrir.call("r1", WritePin(pin="relay", level=True))
    write = fenrir.role._hardware.write_line

    def failing(number, level):
        if number == 5:
            raise IoError("unplugged")
        write(number, level)

    monkeypatch.setattr(fenrir.role._hardware, "write_line", failing)
    fenrir.close("r1")
    fenrir.open("r2", **ALL)
    assert fenrir.call("r2", ReadPin(pin="relay")) == PinLevel(level=False)


def test_stop_makes_held_outputs_safe(fenrir):
    fenrir.open("r1", **ALL)
    fenrir.call("r1", SetActuator(id="fan", value=raw(True)))
    ended = []
    fenrir.role.finish(1.0, lambda: ended.append(True))
    assert ended
    assert fenrir.role._hardware.actuator_value("fan") == 0.0


def test_a_closed_run_is_served_no_more(fenrir):
    fenrir.open("r1", **ALL)
    fenrir.close("r1")
    asked = []
    fenrir.shell.request = lambda *args, **kwargs: asked.append(args)
    assert not fenrir.call("r1", ReadPin(pin=17)).done()  # Waits for the Dispatcher's word.
    assert len(asked) == 1


def test_sensor_read_gives_the_value_in_its_unit(fenrir):
    fenrir.open("r1", sensors=("greenhouse_*",))
    assert fenrir.call("r1", ReadSensor(id="greenhouse_temperature")) == SensorValue(value=24.0)
    fenrir.shell.clock.advance(15.0)
    assert fenrir.call("r1", ReadSensor(id="greenhouse_temperature")) == SensorValue(value=30.0)


def test_s_6_2_2_sensor_info_marks_the_reading_as_simulated(fenrir):
    fenrir.open("r1", sensors=("t1",))
    assert fenrir.call("r1", DescribeSensor(id="t1")) == SensorReading(
        value=21.5, unit="C", time=1_700_000_000.0, simulated=True
    )


@pytest.mark.parametrize("request_type", [ReadSensor, DescribeSensor])
def test_sensors_need_their_permission(fenrir, request_type):
    fenrir.open("r1", sensors=("greenhouse_*",))
    with pytest.raises(PermissionRefused, match=r'sensors = \["t1"\]'):
        fenrir.call("r1", request_type(id="t1"))


def test_an_unknown_sensor_names_the_near_ones(fenrir):
    fenrir.open("r1", **ALL)
    with pytest.raises(LokiError, match="greenhouse_temperature") as error:
        fenrir.call("r1", ReadSensor(id="greenhouse_temprature"))
    assert error.value.code is ErrorCode.NOT_FOUND


def test_s_6_4_1_an_implausible_reading_is_an_error(fenrir_with):
    fenrir = fenrir_with(
        sensors={
            "t": {
                "unit": "C",
                "minimum": -40,
                "maximum": 85,
                "waveform": {"shape": "steps", "values": [20, 127.9], "step_s": 1},
            }
        }
    )
    fenrir.open("r1", **ALL)
    assert fenrir.call("r1", ReadSensor(id="t")) == SensorValue(value=20.0)
    fenrir.shell.clock.advance(1.0)
    with pytest.raises(IoError, match=r"127\.9 C.*-40\.0 to 85\.0"):
        fenrir.call("r1", ReadSensor(id="t"))


@pytest.mark.parametrize(
    ("given", "set_to"), [(0.5, 0.5), (0, 0.0), (1, 1.0), (7, 1.0), (-3.5, 0.0), (True, 1.0)]
)
def test_s_6_5_1_brightness_is_clamped(fenrir, given, set_to):
    fenrir.open("r1", actuators=("led",))
    assert fenrir.call("r1", SetActuator(id="led", value=raw(given))) == Done()
    assert fenrir.role._hardware.actuator_value("led") == set_to


@pytest.mark.parametrize("actuator", ["led", "fan"])
@pytest.mark.parametrize("given", [float("nan"), "on", None, [1], {"v": 1}, b"1"])
def test_s_6_5_1_what_is_no_value_is_refused_and_changes_nothing(fenrir, actuator, given):
    fenrir.open("r1", **ALL)
    with pytest.raises(InvalidArgument) as error:
        fenrir.call("r1", SetActuator(id=actuator, value=raw(given)))
    assert error.value.details == {"field": "value"}
    assert fenrir.role._hardware.actuator_value(actuator) == 0.0


def test_a_switch_is_not_half_on(fenrir):
    fenrir.open("r1", **ALL)
    with pytest.raises(InvalidArgument, match=r"0\.5; a switch takes"):
        fenrir.call("r1", SetActuator(id="fan", value=raw(0.5)))


def test_an_actuator_is_owned_and_goes_safe_with_its_run(fenrir):
    fenrir.open("r1", script="cool", **ALL)
    fenrir.open("r2", **ALL)
    fenrir.call("r1", SetActuator(id="fan", value=raw(True)))
    with pytest.raises(IoError, match=r"actuator 'fan' belongs to 'cool'"):
        fenrir.call("r2", SetActuator(id="fan", value=raw(False)))
    fenrir.close("r1")
    assert fenrir.role._hardware.actuator_value("fan") == 0.0


def test_actuators_need_their_permission_and_exist(fenrir):
    fenrir.open("r1")
    with pytest.raises(PermissionRefused, match=r'actuators = \["fan"\]'):
        fenrir.call("r1", SetActuator(id="fan", value=raw(1)))
    with pytest.raises(LokiError, match="there is no actuator 'motor'"):
        fenrir.call("r1", SetActuator(id="motor", value=raw(1)))
