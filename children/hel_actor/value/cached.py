"""The calls about cached values, answered at once: nothing here ever waits for a disk."""

from collections.abc import Mapping

from hel_actor.messages import (
    GetCached,
    InvalidateAllCached,
    InvalidateCached,
    SetCached,
    ValueFound,
)
from hel_actor.namespace import key_place, may_store
from hel_actor.value import keyvalue
from hel_actor.value.cache import Cache
from loki.child import Run, RunHandler, ServiceHandler, Shell, Timer
from loki.errors import InvalidArgument
from loki.messages.envelope import Done, Message
from loki.messages.value_cache import DescribeValueCache, ValueCacheDescribed

SWEEP_EVERY_S = 1.0


class Cached:
    """The cache, and the timer that clears it of what is too old."""

    def __init__(self, shell: Shell, cache: Cache, max_value_bytes: int) -> None:
        self._shell = shell
        self._cache = cache
        self._max_value_bytes = max_value_bytes
        self._sweep: Timer | None = None

    def calls(self) -> Mapping[type[Message], RunHandler]:
        return {
            GetCached: self._get,
            SetCached: self._set,
            InvalidateCached: self._invalidate,
            InvalidateAllCached: self._invalidate_all,
        }

    def services(self) -> Mapping[type[Message], ServiceHandler]:
        return {
            DescribeValueCache: lambda _: ValueCacheDescribed(statistics=self._cache.statistics())
        }

    def _get(self, request: GetCached, run: Run) -> ValueFound:
        return ValueFound(value=keyvalue.packed(self._cache.get(*key_place(run, request.key))))

    def _set(self, request: SetCached, run: Run) -> Done:
        place = key_place(run, request.key)
        if request.ttl_ms is not None and request.ttl_ms < 1:
            raise InvalidArgument(
                f"ttl_ms is {request.ttl_ms}; it must be 1 or more", details={"field": "ttl_ms"}
            )
        ttl_s = None if request.ttl_ms is None else request.ttl_ms / 1000
        self._cache.set(*place, keyvalue.checked_value(request.value, self._max_value_bytes), ttl_s)
        self._sweep_in_time()
        return Done()

    def _invalidate(self, request: InvalidateCached, run: Run) -> Done:
        self._cache.invalidate(*key_place(run, request.key))
        return Done()

    def _invalidate_all(self, _: InvalidateAllCached, run: Run) -> Done:
        self._cache.invalidate_all(may_store(run))
        return Done()

    def _sweep_in_time(self) -> None:
        """One timer, and only while something will be too old one day."""
        expiry_s = self._cache.next_expiry_s
        if self._sweep is None and expiry_s is not None:
            wait_s = max(SWEEP_EVERY_S, expiry_s - self._shell.clock.monotonic_s())
            self._sweep = self._shell.later(wait_s, self._swept)

    def _swept(self) -> None:
        self._sweep = None
        self._cache.sweep()
        self._sweep_in_time()
