"""The sums and means of each window of a time series, also where a sum is beyond all doubles.

Theory of operation: values are added as they are. As soon as a sum is not finite, all are added a
second time, so much smaller that no sum of theirs can be too great; what such windows get is made
of that. So a mean of finite values is finite, and a sum that comes back from beyond is what it is.
"""

import numpy as np
import numpy.typing as npt

from hel_actor.series.column import Values

SMALLER = 2.0**-64
"""Exact, but for numbers that are nothing beside a sum that was too great; and far fewer than
2**64 rows are added."""
GREATEST = float(np.finfo(np.float64).max)

Ids = npt.NDArray[np.int64]


class Totals:
    """A sum for each of so many windows."""

    def __init__(self, windows: int) -> None:
        self._sums = np.zeros(windows)
        self._smaller: Values | None = None

    def add(self, ids: Ids, values: Values) -> None:
        """Values, and the number of the window of each."""
        with np.errstate(over="ignore", invalid="ignore"):
            sums = self._sums + np.bincount(ids, values, len(self._sums))
            if self._smaller is None and not np.isfinite(sums).all():
                self._smaller = self._sums * SMALLER
            if self._smaller is not None:
                self._smaller += np.bincount(ids, values * SMALLER, len(sums))
        self._sums = sums

    def sums(self) -> Values:
        """Of all windows; one that no double holds is infinite."""
        if self._smaller is None:
            return self._sums
        with np.errstate(over="ignore"):
            return np.where(np.isfinite(self._sums), self._sums, self._smaller / SMALLER)

    def means(self, counts: Ids) -> Values:
        """Of all windows with so many values each; those without any have none."""
        counts = np.maximum(counts, 1)
        means: Values = self._sums / counts
        if self._smaller is None:
            return means
        with np.errstate(over="ignore"):
            smaller = self._smaller / counts / SMALLER
        inside = np.clip(smaller, -GREATEST, GREATEST)  # It was but rounded to beyond them.
        smaller = np.where(np.isfinite(self._smaller), inside, smaller)
        return np.where(np.isfinite(self._sums), means, smaller)
