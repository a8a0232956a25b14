"""Numbers for each window of a time series, block by block, with numpy.

Blocks may come in any order and overlap in time. All but the percentiles need memory
for the windows only; percentiles keep 12 bytes of every row.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hel_actor.column import Columns, Values
from hel_actor.series import Windows
from loki.errors import ResourceLimitExceeded

MAX_SORTED_ROWS = 10_000_000
PERCENTILES = {"p50": 0.50, "p95": 0.95, "p99": 0.99}

Ids = npt.NDArray[np.int64]
ShortIds = npt.NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class Result:
    """Of each window that has rows: where it starts, its number, and how many rows it has."""

    start_ns: int
    value: float
    count: int


class Aggregation:
    """One of `series.STATISTICS` for each of `windows`."""

    def __init__(self, windows: Windows, statistic: str) -> None:
        self._windows = windows
        self._statistic = statistic
        self._counts = np.zeros(windows.count, np.int64)
        self._values = np.zeros(windows.count)
        self._times = np.zeros(windows.count, np.int64)
        self._kept: list[tuple[ShortIds, Values]] = []
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
                self._values += np.bincount(ids, rows.values, self._windows.count)
            case "min":
                np.minimum.at(self._values, ids, rows.values)
            case "max":
                np.maximum.at(self._values, ids, rows.values)
            case "first" | "last":
                self._take_ends(rows, ids)
            case "p50" | "p95" | "p99":
                self._keep(rows.values, ids)
        self._counts += np.bincount(ids, minlength=self._windows.count)

    def result(self) -> list[Result]:
        """In the order of time."""
        used = np.flatnonzero(self._counts)
        counts = self._counts[used]
        match self._statistic:
            case "count":
                values = counts.astype(np.float64)
            case "mean":
                values = self._values[used] / counts
            case "p50" | "p95" | "p99":
                values = self._percentiles(PERCENTILES[self._statistic], counts)
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

    def _keep(self, values: Values, ids: Ids) -> None:
        if int(self._counts.sum()) + len(values) > MAX_SORTED_ROWS:
            raise ResourceLimitExceeded(
                f"a percentile of more than {MAX_SORTED_ROWS} rows; ask for a shorter time"
            )
        self._kept.append((ids.astype(np.uint32), values))

    def _percentiles(self, part: float, counts: Ids) -> Values:
        """Between two rows, as far as `part` is between them: numpy's "linear"."""
        if not self._kept:
            return np.zeros(0)
        ids = np.concatenate([kept[0] for kept in self._kept])
        values = np.concatenate([kept[1] for kept in self._kept])
        values = values[np.lexsort((values, ids))]
        ends = np.cumsum(counts)
        ranks = (counts - 1) * part
        below = ranks.astype(np.int64)
        above = np.minimum(below + 1, counts - 1)
        starts = ends - counts
        low, high = values[starts + below], values[starts + above]
        return np.asarray(low + (high - low) * (ranks - below))
