"""What an actuator takes and what a sensor can have measured."""

import math

import msgspec
import pytest
from fenrir_actor.board import Actuator, ActuatorKind, Constant, Sensor
from fenrir_actor.port import Reading
from fenrir_actor.values import actuator_value, plausible

from loki.errors import InvalidArgument, IoError
from loki.messages.value import pack

LEVEL = Actuator(ActuatorKind.LEVEL, None)
SWITCH = Actuator(ActuatorKind.SWITCH, None)
THERMOMETER = Sensor("°C", -40.0, 85.0, Constant(20.0))


@pytest.mark.parametrize(
    ("actuator", "given", "set_to"),
    [
        (LEVEL, 0.25, 0.25),
        (LEVEL, -3, 0.0),
        (LEVEL, math.inf, 1.0),
        (LEVEL, True, 1.0),
        (SWITCH, True, 1.0),
        (SWITCH, False, 0.0),
        (SWITCH, 1, 1.0),
        (SWITCH, 0.0, 0.0),
    ],
)
def test_a_level_is_clamped_and_a_switch_is_on_or_off(
    actuator: Actuator, given: float, set_to: float
) -> None:
    assert actuator_value(actuator, pack(given)) == set_to


@pytest.mark.parametrize(
    ("actuator", "given", "why"),
    [
        (LEVEL, math.nan, "NaN"),
        (LEVEL, "high", "a boolean or a number"),
        (LEVEL, None, "a boolean or a number"),
        (SWITCH, 0.5, "true, false, 1 or 0"),
        (SWITCH, [1], "a boolean or a number"),
    ],
)
def test_what_is_no_value_is_refused_with_what_would_be_one(
    actuator: Actuator, given: object, why: str
) -> None:
    with pytest.raises(InvalidArgument, match=why) as caught:
        actuator_value(actuator, msgspec.Raw(msgspec.msgpack.encode(given)))
    assert caught.value.details == {"field": "value"}


@pytest.mark.parametrize("value", [-40.0, 0.0, 85.0])
def test_a_reading_within_the_sensors_range_is_taken(value: float) -> None:
    reading = Reading(value=value, unit="°C", time_ns=1, simulated=True)
    assert plausible("t", THERMOMETER, reading) is reading


@pytest.mark.parametrize("value", [-40.1, 85.1, math.nan, math.inf])
def test_a_reading_that_cannot_be_is_an_error_with_a_remedy(value: float) -> None:
    with pytest.raises(IoError, match="check its wiring") as caught:
        plausible("t", THERMOMETER, Reading(value=value, unit="°C", time_ns=1, simulated=True))
    assert caught.value.details["sensor"] == "t"
