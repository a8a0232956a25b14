"""Refused calls in the log: the first of each caller at once, the rest counted for a minute."""

from dataclasses import dataclass, field

from loki.core.access.principal import OutOfReach
from loki.errors import ErrorCode, LokiError

WINDOW_S = 60.0
MOST_CALLERS = 256
"""Told apart at a time; beyond that they are counted together."""
OTHERS = "others"
DENIED = frozenset({ErrorCode.NO_CREDENTIALS, ErrorCode.ROLE, ErrorCode.ORIGIN})
LONGEST_NAME = 128
"""Characters of what a caller sent, such as a script's name."""


@dataclass(frozen=True, slots=True)
class Denial:
    """That somebody asked for what it may not have."""

    principal: str  # "" for somebody who is not known.
    reason: str


def denial_of(error: LokiError) -> Denial | None:
    """What the log is to tell of a call that failed so; None for one that was not denied."""
    if isinstance(error, OutOfReach):
        reason = f"none of its scripts is named {shown(error.script)}"
        return Denial(error.principal, reason)
    if error.code in DENIED:
        return Denial(error.details.get("principal", ""), error.message)
    return None


def shown(sent: str) -> str:
    """Quoted, on one line and not long, whatever a caller sent."""
    return repr(sent if len(sent) <= LONGEST_NAME else f"{sent[:LONGEST_NAME]}…")


@dataclass(slots=True)
class Denials:
    """Per caller, how many were not told of since it was told of last."""

    _silent: dict[str, int] = field(default_factory=dict)

    def note(self, caller: str) -> str:
        """Under which name this refusal is to be logged now; "" for one that is only counted."""
        if caller not in self._silent and len(self._silent) >= MOST_CALLERS:
            caller = OTHERS
        if caller in self._silent:
            self._silent[caller] += 1
            return ""
        self._silent[caller] = 0
        return caller

    def __bool__(self) -> bool:
        """Whether a window is open."""
        return bool(self._silent)

    def close(self) -> dict[str, int]:
        """The end of a window: how often each was refused beyond what was logged.

        Whoever was goes on to be counted in the next one.
        """
        counted = {caller: count for caller, count in self._silent.items() if count}
        self._silent = dict.fromkeys(counted, 0)
        return counted
