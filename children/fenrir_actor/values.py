"""What counts as a value: of an actuator that a script sets, of a sensor that was read."""

import math

import msgspec

from fenrir_actor.board import Actuator, ActuatorKind, Sensor
from fenrir_actor.port import Reading
from loki.errors import InvalidArgument, IoError

_decoder = msgspec.msgpack.Decoder(bool | int | float)


def actuator_value(actuator: Actuator, packed: msgspec.Raw) -> float:
    """0 to 1 for a level, which is clamped; 0 or 1 for a switch.

    Raises: InvalidArgument for anything but a boolean or a number, for NaN, and for a switch
    that would be half on.
    """
    try:
        value = float(_decoder.decode(packed))
    except msgspec.DecodeError:
        raise _refused("takes a boolean or a number") from None
    if math.isnan(value):
        raise _refused("is not a number (NaN)")
    if actuator.kind is ActuatorKind.LEVEL:
        return min(max(value, 0.0), 1.0)
    if value not in (0.0, 1.0):
        raise _refused(f"is {value}; a switch takes true, false, 1 or 0")
    return value


def _refused(text: str) -> InvalidArgument:
    return InvalidArgument(f"value {text}", details={"field": "value"})


def plausible(name: str, sensor: Sensor, reading: Reading) -> Reading:
    """The reading itself. Raises: IoError when the sensor cannot have measured that."""
    if sensor.minimum <= reading.value <= sensor.maximum:
        return reading
    raise IoError(
        f"sensor '{name}' gave {reading.value} {sensor.unit}, which is not within "
        f"{sensor.minimum} to {sensor.maximum}; check its wiring",
        details={"sensor": name, "value": str(reading.value)},
    )
