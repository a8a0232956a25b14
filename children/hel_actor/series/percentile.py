"""A percentile of each window of a time series, in little memory.

Rows are kept until their window is closed, which is as soon as no block may have more of them.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from hel_actor.series.column import Values
from loki.errors import ResourceLimitExceeded

MAX_KEPT_ROWS = 10_000_000
"""Of windows that are open at once; 8 to 12 bytes each."""
GROUP_ROWS = 1_000_000
"""Of windows that are computed together; one that has more is computed alone."""

Ids = npt.NDArray[np.int64]
ShortIds = npt.NDArray[np.uint32]


class Percentiles:
    """Between two rows, as far as `part` is between them: numpy's "linear"."""

    def __init__(self, windows: int, part: float) -> None:
        """`part` is above 0 and below 1."""
        self._part = part
        self._values = np.zeros(windows)
        self._counts = np.zeros(windows, np.int64)  # Of rows that are kept.
        self._kept: list[tuple[ShortIds, Values]] = []

    def add(self, ids: Ids, values: Values) -> None:
        """Values, and the number of the window of each; at least one.

        Raises: ResourceLimitExceeded for more than can be kept.
        """
        if int(self._counts.sum()) + len(values) > MAX_KEPT_ROWS:
            raise ResourceLimitExceeded(
                f"a percentile of more than {MAX_KEPT_ROWS} rows; ask for a shorter time, or for "
                "shorter windows"
            )
        self._counts += np.bincount(ids, minlength=len(self._counts))
        one = ids.min() == ids.max()  # Then the number is stored once.
        short = np.broadcast_to(np.uint32(ids[0]), ids.shape) if one else ids.astype(np.uint32)
        self._kept.append((short, values))

    def close(self, first_open: int) -> None:
        """No more rows come for the windows before that one."""
        for lowest, highest in self._groups(np.flatnonzero(self._counts[:first_open])):
            if lowest == highest:
                self._values[lowest] = self._alone(self._taken(lowest, lowest)[1])
            else:
                self._together(*self._taken(lowest, highest))
            self._counts[lowest : highest + 1] = 0

    def result(self) -> Values:
        """Of all windows; zero for one without rows."""
        self.close(len(self._counts))
        return self._values

    def _groups(self, windows: npt.NDArray[np.intp]) -> Iterator[tuple[int, int]]:
        """The first and last one of each group."""
        start, rows = 0, 0
        for index, count in enumerate(self._counts[windows].tolist()):
            if rows and rows + count > GROUP_ROWS:
                yield int(windows[start]), int(windows[index - 1])
                start, rows = index, 0
            rows += count
        if rows:
            yield int(windows[start]), int(windows[-1])

    def _taken(self, lowest: int, highest: int) -> tuple[ShortIds, Values]:
        """The rows of these windows, which are kept no more."""
        count = int(self._counts[lowest : highest + 1].sum())
        ids, values = np.zeros(count if lowest < highest else 0, np.uint32), np.empty(count)
        kept, self._kept = self._kept, []
        filled = 0
        while kept:  # One after the other is let go, so that they are not there twice.
            part_ids, part_values = kept.pop()
            inside = (part_ids >= lowest) & (part_ids <= highest)
            end = filled + int(inside.sum())
            values[filled:end] = part_values[inside]
            if len(ids):
                ids[filled:end] = part_ids[inside]
            if end - filled < len(inside):
                self._kept.append((part_ids[~inside], part_values[~inside]))
            filled = end
        return ids, values

    def _alone(self, values: Values) -> float:
        rank = (len(values) - 1) * self._part
        below = int(rank)
        above = min(below + 1, len(values) - 1)
        values.partition((below, above))
        return float(_between(values[below], values[above], np.array(rank - below)))

    def _together(self, ids: ShortIds, values: Values) -> None:
        values = values[np.lexsort((values, ids))]
        windows, counts = np.unique(ids, return_counts=True)
        starts = np.cumsum(counts) - counts
        ranks = ((counts - 1) * self._part).astype(np.float64, copy=False)
        below = ranks.astype(np.int64)
        above = np.minimum(below + 1, counts - 1)
        low, high = values[starts + below], values[starts + above]
        self._values[windows] = _between(low, high, ranks - below)


def _between(low: Values, high: Values, part: Values) -> Values:
    """As far from the lower numbers to the higher ones; never beyond them, nor beyond all doubles.

    Of infinite ones that differ there is none but an infinite one, or nan between the two.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        gap = high - low
        found = np.where(np.isfinite(gap), low + gap * part, low * (1 - part) + high * part)
        return np.where((part == 0) | (low == high), low, np.clip(found, low, high))
