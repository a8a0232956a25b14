"""Scripts and Fenrir about lines, sensors and actuators."""

import msgspec

from loki.messages.envelope import Done, Message, Request


class PinLevel(Message):
    """Whether a line is high."""

    level: bool


class ReadPin(Request[PinLevel]):
    """Script -> Fenrir: read one line. Reply: PinLevel."""

    pin: int | str  # BCM number or name


class WritePin(Request[Done]):
    """Script -> Fenrir: drive one line, and hold it for the rest of the run."""

    pin: int | str  # BCM number or name
    level: bool


class SensorValue(Message):
    """What a sensor measured, in its own unit."""

    value: float


class ReadSensor(Request[SensorValue]):
    """Script -> Fenrir: take one reading. Reply: SensorValue."""

    id: str


class SensorReading(Message):
    """One reading with all that is known about it."""

    value: float
    unit: str
    time: float  # Seconds since 1970, UTC.
    simulated: bool


class DescribeSensor(Request[SensorReading]):
    """Script -> Fenrir: take one reading, and say what it is. Reply: SensorReading."""

    id: str


class SetActuator(Request[Done]):
    """Script -> Fenrir: set one actuator, and hold it for the rest of the run."""

    id: str
    value: msgspec.Raw  # A boolean or a number.
