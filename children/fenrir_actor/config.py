"""Fenrir's own settings, `[children_config.fenrir]`, as people write them."""

from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    field_validator,
    model_validator,
)

Name = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]{0,63}$")]
Period = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Constant(_Settings):
    """Always the same value."""

    shape: Literal["constant"] = "constant"  # Which waveform it is.
    value: FiniteFloat  # In the sensor's unit.


class Sine(_Settings):
    """Swings by `amplitude` around `mean`, once in `period_s`."""

    shape: Literal["sine"] = "sine"  # Which waveform it is.
    mean: FiniteFloat  # In the sensor's unit, as all others.
    amplitude: FiniteFloat  # The most that it is away from the mean.
    period_s: Period  # Seconds.


class Ramp(_Settings):
    """From `start` to `stop` in `period_s`, then again from `start`."""

    shape: Literal["ramp"] = "ramp"  # Which waveform it is.
    start: FiniteFloat  # Where it begins.
    stop: FiniteFloat  # Where it ends.
    period_s: Period  # Seconds.


class Steps(_Settings):
    """Each of `values` for `step_s`, then again from the first."""

    shape: Literal["steps"] = "steps"  # Which waveform it is.
    values: tuple[FiniteFloat, ...] = Field(min_length=1, max_length=10_000)  # In turn.
    step_s: Period  # Seconds of each.


Waveform = Annotated[Constant | Sine | Ramp | Steps, Field(discriminator="shape")]


class Sensor(_Settings):
    """A sensor of the simulated board. A reading outside minimum to maximum is an error."""

    unit: str = Field(default="", max_length=16)  # Such as C; for people.
    minimum: FiniteFloat  # Of what is plausible.
    maximum: FiniteFloat  # Likewise.
    waveform: Waveform

    @model_validator(mode="after")
    def _range_is_one(self) -> Self:
        if self.minimum > self.maximum:
            raise ValueError(f"minimum {self.minimum} is above maximum {self.maximum}")
        return self


class Actuator(_Settings):
    """An actuator. With `safe`, it goes there at the end of each run that has set it.

    Also after a restart of Fenrir; one without is off then, if a run was driving it.
    """

    kind: Literal["level", "switch"]  # 0 to 1, or on and off
    safe: Annotated[float, Field(ge=0, le=1)] | None = None  # Where it goes, 0 to 1.

    @model_validator(mode="after")
    def _switch_is_on_or_off(self) -> Self:
        if self.kind == "switch" and self.safe not in (None, 0.0, 1.0):
            raise ValueError(f"safe is {self.safe}; a switch knows 0 and 1 only")
        return self


def _sensors() -> dict[str, Sensor]:
    return {
        "greenhouse_temperature": Sensor(
            unit="C", minimum=-40, maximum=85, waveform=Sine(mean=24, amplitude=6, period_s=60)
        ),
        "greenhouse_humidity": Sensor(
            unit="%", minimum=0, maximum=100, waveform=Ramp(start=40, stop=70, period_s=120)
        ),
        "t1": Sensor(unit="C", minimum=-40, maximum=85, waveform=Constant(value=21.5)),
    }


def _actuators() -> dict[str, Actuator]:
    return {"led": Actuator(kind="level"), "fan": Actuator(kind="switch", safe=0)}


class FenrirConfig(_Settings):
    """The board. Each default describes a small simulated one; a key that is set replaces it."""

    backend: Literal["simulated"] = "simulated"  # What drives the board.
    line_count: int = Field(default=28, ge=1, le=512)  # Lines 0 to line_count - 1.
    line_names: dict[Name, int] = {"led": 17, "button": 4}  # GPIO lines by name.
    safe_levels: dict[Name, bool] = {}
    """Line name -> level after each run that has written it, and after a restart of Fenrir."""
    sensors: dict[Name, Sensor] = Field(default_factory=_sensors)
    actuators: dict[Name, Actuator] = Field(default_factory=_actuators)

    @field_validator("backend", mode="before")
    @classmethod
    def _backend_exists(cls, backend: object) -> object:
        if backend == "linux":
            raise ValueError(
                'this version of Loki drives no real hardware yet; set backend = "simulated"'
            )
        return backend

    @model_validator(mode="after")
    def _lines_exist(self) -> Self:
        for name, number in self.line_names.items():
            if not 0 <= number < self.line_count:
                raise ValueError(
                    f"line_names.{name} is {number}; lines are 0 to {self.line_count - 1}"
                )
        if len(set(self.line_names.values())) < len(self.line_names):
            raise ValueError("line_names gives one line two names")
        if unknown := sorted(self.safe_levels.keys() - self.line_names.keys()):
            raise ValueError(f"safe_levels.{unknown[0]}: line_names has no such name")
        return self
