"""Whether a runner hangs: it neither answers nor computes.

A runner cannot answer while its script computes, which may be for long. So silence counts only
together with what the kernel says: that the process uses no CPU time and does not wait for any.
A runner whose script sleeps, or waits for a child, does answer.
"""

from dataclasses import dataclass, replace
from enum import Enum

MOST_SILENT = 2


class Care(Enum):
    """What is to be done about a runner at a beat."""

    ASK = "ask"
    WAIT = "wait"  # The last question is not answered yet; one at a time is enough.
    KILL = "kill"


@dataclass(frozen=True, slots=True)
class RunnerPulse:
    asked: bool = False  # And not answered.
    silent: int = 0  # Beats in a row without a sign of life.
    cpu_ticks: int = -1

    def answered(self) -> "RunnerPulse":
        return RunnerPulse()


def beat(pulse: RunnerPulse, cpu_ticks: int, *, runnable: bool) -> tuple[RunnerPulse, Care]:
    """What the kernel says of it now: CPU time used so far, and whether it uses or awaits more."""
    if not pulse.asked:
        return RunnerPulse(asked=True, cpu_ticks=cpu_ticks), Care.ASK
    if runnable or cpu_ticks != pulse.cpu_ticks:
        return replace(pulse, silent=0, cpu_ticks=cpu_ticks), Care.WAIT
    silent = pulse.silent + 1
    return replace(pulse, silent=silent), Care.KILL if silent >= MOST_SILENT else Care.WAIT
