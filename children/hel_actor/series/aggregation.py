"""Numbers for each window of a time series, block by block, with numpy.

Blocks may come in any order and overlap in time. All but the percentiles need memory for the
windows only; percentiles keep the rows of windows that are not closed.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hel_actor.series.column import Columns
from hel_actor.series.percentile import Percentiles
from hel_actor.series.total import Totals
from hel_actor.series.window import Windows, computed, percentile_of

Ids = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Result:
    """Of each window that has rows: where it starts, its number, and how many rows it has."""

    start_ns: int
    value: float
    count: int


class Aggregation:
    """One of `window.STATISTICS`, or a percentile, for each of `windows`."""

    def __init__(self, windows: Windows, statistic: str) -> None:
        self._windows = windows
        self._statistic = statistic = computed(statistic)
        self._counts = np.zeros(windows.count, np.int64)
        self._values = np.zeros(windows.count)
        self._times = np.zeros(windows.count, np.int64)
        self._totals = Totals(windows.count)
        part = percentile_of(statistic)
        self._percentiles = None if part is None else Percentiles(windows.count, part)
        if statistic in ("min", "max"):
            self._values[:] = np.inf if statistic == "min" else -np.inf

    def add(self, rows: Columns) -> None:
        """Rows, all of them in the windows, in the order in which they were appended.

        Raises: ResourceLimitExceeded where a percentile would need too many of them.
        """
        if not len(rows):
            return
        ids = (rows.times - self._windows.start_ns) // self._windows.every_ns
        match self._statistic:
            case "sum" | "mean":
                self._totals.add(ids, rows.values)
            case "min":
                np.minimum.at(self._values, ids, rows.values)
            case "max":
                np.maximum.at(self._values, ids, rows.values)
            case "first" | "last":
                self._take_ends(rows, ids)
        if self._percentiles is not None:
            self._percentiles.add(ids, rows.values)
        self._counts += np.bincount(ids, minlength=self._windows.count)

    @property
    def in_any_order(self) -> bool:
        """Whether it does not matter which rows were appended first, and `close` saves memory."""
        return self._percentiles is not None

    def close(self, before_ns: int) -> None:
        """No more rows come that are older."""
        if self._percentiles is not None:
            done = (before_ns - self._windows.start_ns) // self._windows.every_ns
            self._percentiles.close(max(0, min(self._windows.count, done)))

    def result(self) -> list[Result]:
        """In the order of time."""
        used = np.flatnonzero(self._counts)
        counts = self._counts[used]
        match self._statistic:
            case "count":
                values = counts.astype(np.float64)
            case "sum":
                values = self._totals.sums()[used]
            case "mean":
                values = self._totals.means(self._counts)[used]
            case _ if self._percentiles is not None:
                values = self._percentiles.result()[used]
            case _:
                values = self._values[used]
        starts = self._windows.start_ns + used * self._windows.every_ns
        return [
            Result(*each)
            for each in zip(starts.tolist(), values.tolist(), counts.tolist(), strict=True)
        ]

    def _take_ends(self, rows: Columns, ids: Ids) -> None:
        """Of two rows of one time, the one that was appended first is the first."""
        order = np.lexsort((rows.times, ids))
        ids, times, values = ids[order], rows.times[order], rows.values[order]
        if self._statistic == "first":
            ends = np.flatnonzero(np.diff(ids, prepend=-1))
            better = times[ends] < self._times[ids[ends]]
        else:
            ends = np.flatnonzero(np.diff(ids, append=self._windows.count))
            better = times[ends] >= self._times[ids[ends]]
        taken = ends[better | (self._counts[ids[ends]] == 0)]
        self._times[ids[taken]] = times[taken]
        self._values[ids[taken]] = values[taken]
