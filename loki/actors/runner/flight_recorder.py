"""One page of memory that a runner shares with the Dispatcher: what ran, and why it ended.

The Dispatcher maps it before it forks the runner and reads it after the runner's death.
"""

import mmap
import struct
from dataclasses import dataclass
from enum import IntEnum

from loki.messages.execution import Cause, Usage

_LAYOUT = struct.Struct("<BBB32sddQ")
_SHOWN = 2  # Where that byte lies.
_CAUSES = tuple(Cause)
_NO_CAUSE = 255
_MOST = 2**63 - 1  # What a reader can hold.


class RunPhase(IntEnum):
    NONE = 0
    ACCEPTED = 1  # The runner has the run; the script has not begun.
    BEGUN = 2
    ANSWERED = 3


@dataclass(frozen=True, slots=True)
class Record:
    phase: RunPhase
    cause: Cause | None  # Set by a runner that stops itself.
    run: str
    cpu_ms: float
    overshoot_ms: float
    peak_memory_bytes: int
    shown: bool = False  # Something of it went to its client.


class FlightRecorder:
    """Both ends of the page; only the runner writes."""

    def __init__(self) -> None:
        self._page = mmap.mmap(-1, mmap.PAGESIZE)
        self.accepted("")
        self._set_phase(RunPhase.NONE)

    def accepted(self, run: str) -> None:
        phase, name = RunPhase.ACCEPTED, run.encode()
        _LAYOUT.pack_into(self._page, 0, phase, _NO_CAUSE, False, name, 0.0, 0.0, 0)

    def begun(self) -> None:
        self._set_phase(RunPhase.BEGUN)

    def shown(self) -> None:
        """From now on its client has seen something of it."""
        self._page[_SHOWN] = True

    def answered(self) -> None:
        self._set_phase(RunPhase.ANSWERED)

    def _set_phase(self, phase: RunPhase) -> None:
        self._page[0] = phase

    def stopped(self, cause: Cause, usage: Usage) -> None:
        """The runner is about to end itself."""
        phase, _, shown, run, *_ = _LAYOUT.unpack_from(self._page)
        index = _CAUSES.index(cause)
        used = usage.cpu_ms, usage.overshoot_ms, usage.peak_memory_bytes
        _LAYOUT.pack_into(self._page, 0, phase, index, shown, run, *used)

    def read(self) -> Record:
        """Whatever the page holds: a script that broke out of Lua may have written it."""
        phase, cause, shown, run, cpu_ms, overshoot_ms, peak = _LAYOUT.unpack_from(self._page)
        return Record(
            RunPhase(min(phase, RunPhase.ANSWERED)),
            _CAUSES[cause] if cause < len(_CAUSES) else None,
            run.rstrip(b"\0").decode(errors="replace"),
            cpu_ms,
            overshoot_ms,
            min(peak, _MOST),
            bool(shown),
        )

    def close(self) -> None:
        self._page.close()


_recorders: dict[str, FlightRecorder] = {}


def recorder_for(runner: str) -> FlightRecorder:
    """In the Dispatcher: the page for a runner that is about to be forked."""
    if runner not in _recorders:
        _recorders[runner] = FlightRecorder()
    return _recorders[runner]


def own_recorder(runner: str) -> FlightRecorder:
    """In the runner: its own page; the others', inherited, are closed."""
    own = _recorders.pop(runner)
    for other in _recorders.values():
        other.close()
    _recorders.clear()
    return own


def discard(runner: str) -> None:
    """In the Dispatcher: the runner is gone and its page has been read."""
    recorder = _recorders.pop(runner, None)
    if recorder is not None:
        recorder.close()
