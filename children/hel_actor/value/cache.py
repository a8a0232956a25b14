"""Values in memory, bounded by count and bytes, each with an end of its own if it wants one."""

from collections import OrderedDict
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from itertools import count

from loki.child import Clock
from loki.errors import ResourceLimitExceeded
from loki.messages.value_cache import ValueCacheStatistics

Place = tuple[str, str]
"""Namespace and key."""


@dataclass(frozen=True, slots=True)
class Entry:
    value: bytes
    size_bytes: int  # Of key and value.
    number: int  # Tells this entry from an earlier one in the same place.
    expires_s: float | None


class Cache:
    """Keeps what was used last. Time is the monotonic clock's; nothing ever reaches a disk."""

    def __init__(self, clock: Clock, max_entries: int, max_bytes: int) -> None:
        self._clock = clock
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._entries: OrderedDict[Place, Entry] = OrderedDict()  # Least recently used first.
        self._expiries: list[tuple[float, int, Place]] = []  # A heap; may name entries long gone.
        self._numbers = count()
        self._hits = self._misses = self._evictions = 0
        self.size_bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, namespace: str, key: str) -> bytes | None:
        self.sweep()
        entry = self._entries.get((namespace, key))
        if entry is None:
            self._misses += 1
            return None
        self._hits += 1
        self._entries.move_to_end((namespace, key))
        return entry.value

    def set(self, namespace: str, key: str, value: bytes, ttl_s: float | None = None) -> None:
        """Keep `value` for `ttl_s` seconds (> 0), or until its place is needed.

        Raises: ResourceLimitExceeded where key and value are larger than the whole cache.
        """
        size_bytes = len(key.encode()) + len(value)
        if size_bytes > self._max_bytes:
            raise ResourceLimitExceeded(
                f"'{key[:100]}' takes {size_bytes} bytes and the whole cache has "
                f"{self._max_bytes}; see cache_mb under [children_config.hel]"
            )
        self.sweep()
        self.invalidate(namespace, key)
        expires_s = None if ttl_s is None else self._clock.monotonic_s() + ttl_s
        entry = Entry(value, size_bytes, next(self._numbers), expires_s)
        self._entries[namespace, key] = entry
        self.size_bytes += size_bytes
        if expires_s is not None:
            heappush(self._expiries, (expires_s, entry.number, (namespace, key)))
        self._make_room()

    def invalidate(self, namespace: str, key: str) -> None:
        entry = self._entries.pop((namespace, key), None)
        if entry is not None:
            self.size_bytes -= entry.size_bytes
            self._prune_expiries()

    def invalidate_all(self, namespace: str) -> None:
        for place in [place for place in self._entries if place[0] == namespace]:
            self.invalidate(*place)

    def statistics(self) -> ValueCacheStatistics:
        self.sweep()
        return ValueCacheStatistics(
            entries=len(self),
            capacity=self._max_entries,
            size_bytes=self.size_bytes,
            capacity_bytes=self._max_bytes,
            hits=self._hits,
            misses=self._misses,
            evictions=self._evictions,
        )

    def sweep(self) -> None:
        """Forget what is too old."""
        now_s = self._clock.monotonic_s()
        while self._expiries and self._expiries[0][0] <= now_s:
            _, number, place = heappop(self._expiries)
            if self._is_current(number, place):
                self.invalidate(*place)

    @property
    def next_expiry_s(self) -> float | None:
        """No entry is too old before that time; None where none ever will be."""
        return self._expiries[0][0] if self._expiries else None

    def _make_room(self) -> None:
        while len(self._entries) > self._max_entries or self.size_bytes > self._max_bytes:
            self.invalidate(*next(iter(self._entries)))
            self._evictions += 1

    def _is_current(self, number: int, place: Place) -> bool:
        entry = self._entries.get(place)
        return entry is not None and entry.number == number

    def _prune_expiries(self) -> None:
        """Entries that are replaced before their end must not pile up in the heap."""
        if len(self._expiries) > 2 * len(self._entries) + 64:
            self._expiries = [item for item in self._expiries if self._is_current(item[1], item[2])]
            heapify(self._expiries)
