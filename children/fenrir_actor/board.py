"""What a board has, as Fenrir's actor holds it: its validated settings without their framework."""

from enum import Enum

import msgspec


class Constant(msgspec.Struct, frozen=True, tag_field="shape", tag="constant"):
    value: float


class Sine(msgspec.Struct, frozen=True, tag_field="shape", tag="sine"):
    mean: float
    amplitude: float
    period_s: float


class Ramp(msgspec.Struct, frozen=True, tag_field="shape", tag="ramp"):
    start: float
    stop: float
    period_s: float


class Steps(msgspec.Struct, frozen=True, tag_field="shape", tag="steps"):
    values: tuple[float, ...]
    step_s: float


Waveform = Constant | Sine | Ramp | Steps


class Sensor(msgspec.Struct, frozen=True):
    unit: str
    minimum: float
    maximum: float
    waveform: Waveform


class ActuatorKind(Enum):
    LEVEL = "level"  # 0 to 1
    SWITCH = "switch"  # 0 or 1


class Actuator(msgspec.Struct, frozen=True):
    kind: ActuatorKind
    safe: float | None  # Where it goes at the end of a run; None stays.


class Board(msgspec.Struct, frozen=True):
    """Mirrors `FenrirConfig`; keys that are not Fenrir's own are passed over."""

    state_dir: str
    backend: str
    line_count: int
    line_names: dict[str, int]
    safe_levels: dict[str, bool]
    sensors: dict[str, Sensor]
    actuators: dict[str, Actuator]


def board_of(config: bytes) -> Board:
    """The board that a dumped `FenrirConfig` describes."""
    return msgspec.msgpack.decode(config, type=Board)
