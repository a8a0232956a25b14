"""Which of many like messages go out: each source has an allowance, and all together one."""

from loki.core.allowance import Allowance

AT_ONCE, PER_S = 10, 1.0  # Of one source.
ALL_AT_ONCE, ALL_PER_S = 100, 20.0
MOST_SOURCES = 256  # Who was silent longest is forgotten first.


class Throttle:
    """One source that is loud keeps no other from being heard. The caller brings the clock."""

    def __init__(self, now_s: float) -> None:
        self._all = Allowance(ALL_AT_ONCE, ALL_PER_S, now_s)
        self._sources: dict[str, Allowance] = {}
        self._left_out = 0

    def admit(self, source: str, now_s: float) -> int | None:
        """None to leave this one out; else how many were left out since the last that went."""
        own = self._sources.pop(source, None) or Allowance(AT_ONCE, PER_S, now_s)
        self._sources[source] = own
        if len(self._sources) > MOST_SOURCES:
            del self._sources[next(iter(self._sources))]
        if not (own.take(now_s) and self._all.take(now_s)):
            self._left_out += 1
            return None
        left_out, self._left_out = self._left_out, 0
        return left_out
