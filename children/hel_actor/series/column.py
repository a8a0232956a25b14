"""Rows of a time series as numpy has them: column by column."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt

Times = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]
BATCH_ROWS = 8192
"""As tuples a row takes ten times as much as in columns."""

Qualities = npt.NDArray[np.uint8]
Ranks = npt.NDArray[np.int64]
"""Of two rows of one time, the one with the lower rank was appended first."""


@dataclass(frozen=True, slots=True)
class Columns:
    """All of one length: times in ns since 1970, values, and qualities from 0 to 255."""

    times: Times
    values: Values
    qualities: Qualities

    def __len__(self) -> int:
        return len(self.times)

    def only(self, kept: npt.NDArray[np.bool_] | slice | npt.NDArray[np.intp]) -> "Columns":
        return Columns(self.times[kept], self.values[kept], self.qualities[kept])


def damaged_ns(gathered: Columns) -> int | None:
    """The time of the first row without a value, if there is one."""
    times = gathered.times[np.isnan(gathered.values)]
    return int(times[0]) if len(times) else None


def columns(rows: Sequence[tuple[int, float | None, int]]) -> Columns:
    """Of (time in ns, value, quality)."""
    times, values, qualities = zip(*rows, strict=True) if rows else ((), (), ())
    return Columns(
        np.array(times, np.int64), np.array(values, np.float64), np.array(qualities, np.uint8)
    )


def gathered(rows: Iterator[tuple[int, int, float | None, int]]) -> Columns:
    """Of (row, time in ns, value, quality), which are not all in memory at once as such.

    No value is NaN, which no row has; see `damaged_ns`.
    """
    parts = []
    while batch := [row[1:] for row in islice(rows, BATCH_ROWS)]:
        parts.append(columns(batch))
    return joined(parts)


def joined(parts: Sequence[Columns]) -> Columns:
    """One after the other."""
    if not parts:
        return columns(())
    return Columns(
        np.concatenate([part.times for part in parts]),
        np.concatenate([part.values for part in parts]),
        np.concatenate([part.qualities for part in parts]),
    )
