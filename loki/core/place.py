"""Places that are few, such as watches, and how callers share them."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from loki.errors import ErrorCode, ResourceLimitExceeded


class Places:
    """So many at a time. Whoever has one leaves the last quarter to those who have none.

    So no caller takes all, and one that is alone is hardly bounded.
    """

    def __init__(self, most: int, use: str) -> None:
        """`use` completes "64 ..." in the refusal."""
        self._most = most
        self._use = use
        self._held: Counter[str] = Counter()

    @property
    def count(self) -> int:
        """Of those that are taken."""
        return self._held.total()

    @contextmanager
    def taken(self, holder: str) -> Iterator[None]:
        """One of them, as long as it lasts. Raises: ResourceLimitExceeded (QUOTA)."""
        self._require_free(holder)
        self._held[holder] += 1
        try:
            yield
        finally:
            self._held[holder] -= 1
            self._held += Counter()  # Without those who have none any more.

    def _require_free(self, holder: str) -> None:
        kept = self._most // 4 if self._held[holder] else 0
        if self.count < self._most - kept:
            return
        rest = f"; the last {kept} are for callers who have none" if kept else ""
        raise ResourceLimitExceeded(f"{self.count} {self._use} already{rest}", code=ErrorCode.QUOTA)
