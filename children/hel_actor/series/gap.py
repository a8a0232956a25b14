"""How many rows of a regular series are missing, from the times of those that are there."""

import numpy as np

from hel_actor.series.column import Times
from hel_actor.series.series import S_NS


class Gaps:
    """Counts between neighbours: what came twice, or too often, fills no gap somewhere else.

    It counts by no grid of slots over all rows: whatever appends them starts anew now and then,
    and rows that are regular ever since would lie at the edges of slots, now in one, now in the
    next. For the same reason a row that is late by up to half an interval leaves no gap.
    """

    def __init__(self, interval_s: float) -> None:
        self.missing = 0
        self._interval_ns = interval_s * S_NS
        self._last = np.zeros(0, np.int64)

    def add(self, times: Times) -> None:
        """Sorted; none is older than any of those before."""
        times = np.concatenate([self._last, times])
        gaps_ns = np.diff(times).view(np.uint64)  # More than 63 bits between the first and last.
        further = np.ceil(gaps_ns / self._interval_ns - 0.5) - 1
        self.missing += int(np.maximum(further, 0).sum())
        self._last = times[-1:].copy()  # Else all of them stay in memory.
