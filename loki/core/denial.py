"""Refused calls in the log: the first of each caller at once, the rest counted for a minute."""

from dataclasses import dataclass, field

WINDOW_S = 60.0
MOST_CALLERS = 256
"""Told apart at a time; beyond that they are counted together."""
OTHERS = "others"


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
