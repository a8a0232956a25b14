"""Which scripts a runner holds, so that what it holds is neither sent, read nor compiled again.

Dispatcher and runner both keep this cache for a runner, and do the same with it: what the one
evicts, the other evicts too. So the Dispatcher knows without asking what a runner lacks.
"""

from collections import OrderedDict
from typing import Generic, TypeVar

from loki.messages.engine import ChunkCacheStatistics

MOST_BYTES = 8 * 1024 * 1024
"""Of packed scripts in one runner, whatever their number."""

V = TypeVar("V")


class Lru(Generic[V]):
    """Up to `most` values and `most_bytes`; the one that was used longest ago goes first."""

    def __init__(self, most: int, most_bytes: int = MOST_BYTES) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._held: OrderedDict[str, tuple[V, int]] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._held)

    def get(self, key: str) -> V | None:
        """The value, which counts as used now."""
        entry = self._held.get(key)
        if entry is None:
            return None
        self._held.move_to_end(key)
        return entry[0]

    def put(self, key: str, value: V, size_bytes: int) -> int:
        """How many values went for it. What is larger than the whole cache goes at once."""
        self._drop(key)
        self._held[key] = (value, size_bytes)
        self._bytes += size_bytes
        before = len(self._held)
        while len(self._held) > self._most or self._bytes > self._most_bytes:
            self._drop(next(iter(self._held)))
        return before - len(self._held)

    def _drop(self, key: str) -> None:
        entry = self._held.pop(key, None)
        if entry is not None:
            self._bytes -= entry[1]


class RunnerCaches:
    """The Dispatcher's side: what each of its runners holds."""

    def __init__(self, most: int) -> None:
        self.compiles = 0  # Of the Library and of runners.
        self._hits = self._misses = self._evictions = 0
        self._most = most
        self._of: dict[str, Lru[bool]] = {}

    def lacks(self, runner: str, revision: str, size_bytes: int, *, compiled: bool) -> bool:
        """Whether a run of `revision` has to bring its script along; it is held from now on.

        A `revision` of "" is never held. What is not `compiled` the runner compiles.
        """
        self.compiles += not compiled
        held = self._of.get(runner)
        if held is None:
            held = self._of[runner] = Lru(self._most)
        if revision and held.get(revision):
            self._hits += 1
            return False
        self._misses += 1
        if revision:
            self._evictions += held.put(revision, True, size_bytes)
        return True

    def statistics(self) -> ChunkCacheStatistics:
        """Since this was made; entries are those of now."""
        return ChunkCacheStatistics(
            entries=sum(map(len, self._of.values())),
            capacity=self._most,
            hits=self._hits,
            misses=self._misses,
            evictions=self._evictions,
            compiles=self.compiles,
        )

    def ended(self, runner: str) -> None:
        """The runner is gone, and what it held."""
        self._of.pop(runner, None)
