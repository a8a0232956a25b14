"""One measured figure beside its goal."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Figure:
    """`value` in `unit`; `goal` in words, and whether it is met (None: there is no goal)."""

    name: str
    value: float
    unit: str
    goal: str = ""
    met: bool | None = None
    note: str = ""

    def row(self) -> tuple[str, str, str, str, str]:
        met = {True: "yes", False: "NO", None: ""}[self.met]
        return self.name, f"{self.value:.4g} {self.unit}", self.goal, met, self.note

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


def percentile(values: Sequence[float], percent: float) -> float:
    """The nearest-rank percentile of at least one value."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]
