"""The first or last of many rows, which come in blocks and in any order."""

import numpy as np

from hel_actor.series.column import Columns, Ranks, joined

SLACK_ROWS = 65_536
"""Rows that are kept beyond those wanted, so that not every block makes work."""


class Selection:
    """The first `limit` rows by time, or the last ones; those of one time in the order of ranks."""

    def __init__(self, limit: int, *, newest: bool = False) -> None:
        self._limit = limit
        self._newest = newest
        self._parts: list[tuple[Ranks, Columns]] = []
        self._count = 0

    def add(self, ranks: Ranks, rows: Columns) -> None:
        """No two rows have the same rank."""
        self._parts.append((ranks, rows))
        self._count += len(rows)
        if self._count > 2 * self._limit + SLACK_ROWS:
            self._prune()

    def rows(self) -> Columns:
        """In the order of time."""
        self._prune()
        return self._parts[0][1]

    def _prune(self) -> None:
        ranks = np.concatenate([np.zeros(0, np.int64), *(part[0] for part in self._parts)])
        rows = joined([part[1] for part in self._parts])
        order = np.lexsort((ranks, rows.times))
        kept = order[-self._limit :] if self._newest else order[: self._limit]
        self._parts = [(ranks[kept], rows.only(kept))]
        self._count = len(kept)
