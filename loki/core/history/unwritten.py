"""What of the history is not on disk yet: in batches, and no more of it than there is room for.

Theory of operation. What changes is put behind what waits already; what waits is as new as it can
be when it is taken: a run that began and ended meanwhile is taken once. Taken ones stay until they
are known to be written, and longer where they have changed again. Beyond either bound the oldest
are dropped, and counted.
"""

from collections.abc import Iterable, Iterator

from loki.core.history.remembered import Remembered

BATCH = 500
BATCH_BYTES = 1024 * 1024
MOST = 10_000
MOST_BYTES = 16 * 1024 * 1024

Taken = list[tuple[Remembered, int]]
"""Executions, and how often each had changed by then."""


class Unwritten:
    def __init__(
        self,
        *,
        batch: int = BATCH,
        batch_bytes: int = BATCH_BYTES,
        most: int = MOST,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        """The bytes are those of ends."""
        self._batch, self._batch_bytes = batch, batch_bytes
        self._most, self._most_bytes = most, most_bytes
        self._waiting: dict[str, Remembered] = {}
        self._bytes = 0
        self.dropped = 0  # Since somebody set it to 0.

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[Remembered]:
        return iter(self._waiting.values())

    @property
    def full(self) -> bool:
        """Whether there is a whole batch."""
        return len(self._waiting) >= self._batch or self._bytes >= self._batch_bytes

    def find(self, run: str) -> Remembered | None:
        return self._waiting.get(run)

    def changed(self, found: Remembered, grown_bytes: int = 0) -> None:
        """It waits from now on, if it did not yet; `grown_bytes` is how much its end did."""
        found.changes += 1
        self._waiting[found.id] = found  # Where it waits already it keeps its place.
        self._bytes += grown_bytes
        if len(self._waiting) > self._most or self._bytes > self._most_bytes:
            self._drop()

    def _drop(self) -> None:
        while len(self._waiting) > self._most or self._bytes > self._most_bytes:
            oldest = self._waiting.pop(next(iter(self._waiting)))
            self._bytes -= len(oldest.end)
            self.dropped += 1

    def shrunk(self, found: Remembered, by_bytes: int) -> None:
        """Its end was shortened; that is no change, for it may have been written in full."""
        if found.id in self._waiting:
            self._bytes -= by_bytes

    def take(self) -> Taken:
        """The oldest that go into one batch."""
        taken: Taken = []
        left = self._batch_bytes
        for found in self._waiting.values():
            left -= len(found.end)
            if taken and (left < 0 or len(taken) >= self._batch):
                break
            taken.append((found, found.changes))
        return taken

    def written(self, taken: Iterable[tuple[Remembered, int]]) -> None:
        """These are on the disk, as they were when they were taken."""
        waiting = self._waiting
        for found, changes in taken:
            if found.changes == changes and waiting.pop(found.id, None) is not None:
                self._bytes -= len(found.end)
