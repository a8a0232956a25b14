"""Cached values as scripts call for them."""

from concurrent.futures import Future

import pytest
from hel_actor.messages import (
    GetCached,
    InvalidateAllCached,
    InvalidateCached,
    SetCached,
)

from loki.errors import (
    InvalidArgument,
)
from loki.messages.envelope import Done
from loki.messages.value import NIL, pack, unpack
from loki.messages.value_cache import DescribeValueCache, ValueCacheStatistics
from tests.unit.children.hel_actor.calling import Start, run


def test_s_8_4_1_cached_values_are_answered_at_once_and_never_on_disk(start: Start) -> None:
    bench = start()
    assert bench.call(GetCached(key="k"), run()).value == NIL
    handlers = bench.hel.calls()
    assert handlers[SetCached](SetCached(key="k", value=pack("secret-canary")), run()) == Done()
    found = handlers[GetCached](GetCached(key="k"), run())
    assert not isinstance(found, Future)
    assert unpack(found.value) == "secret-canary"
    bench.close()
    again = start()
    assert again.call(GetCached(key="k"), run()).value == NIL
    again.close()
    kept = [path for path in bench.state_dir.rglob("*") if path.is_file()]
    assert kept
    assert not any(b"secret-canary" in path.read_bytes() for path in kept)


def test_s_8_4_2_ttl_is_in_milliseconds_and_swept_by_one_timer(start: Start) -> None:
    bench = start()
    bench.call(SetCached(key="endless", value=pack(1)), run())
    assert bench.shell.timers == []
    bench.call(SetCached(key="k", value=pack(1), ttl_ms=2500), run())
    bench.call(SetCached(key="other", value=pack(1), ttl_ms=9000), run())
    (timer,) = bench.shell.timers
    assert timer.delay_s == 2.5

    bench.shell.clock.advance(2.5)
    timer.action()
    assert len(bench.hel._cached._cache) == 2
    assert [each.delay_s for each in bench.shell.timers] == [2.5, 6.5]
    bench.shell.clock.advance(6.5)
    bench.shell.timers[-1].action()
    assert len(bench.hel._cached._cache) == 1
    assert len(bench.shell.timers) == 2


@pytest.mark.parametrize("ttl_ms", [0, -1])
def test_s_8_4_2_a_ttl_below_one_is_refused(start: Start, ttl_ms: int) -> None:
    bench = start()
    with pytest.raises(InvalidArgument, match="ttl_ms"):
        bench.call(SetCached(key="k", value=pack(1), ttl_ms=ttl_ms), run())
    assert bench.call(GetCached(key="k"), run()).value == NIL


def test_s_8_4_3_invalidation(start: Start) -> None:
    bench = start()
    for script in ("one", "two"):
        for key in "ab":
            bench.call(SetCached(key=key, value=pack(script)), run(script))
    bench.call(InvalidateCached(key="a"), run("one"))
    assert bench.call(GetCached(key="a"), run("one")).value == NIL
    assert bench.call(GetCached(key="b"), run("one")).value != NIL
    bench.call(InvalidateAllCached(), run("one"))
    assert bench.call(GetCached(key="b"), run("one")).value == NIL
    assert unpack(bench.call(GetCached(key="a"), run("two")).value) == "two"


def test_s_8_4_1_loki_is_told_how_the_cache_fares(start: Start) -> None:
    bench = start(cache_entries=5, cache_mb=1)
    bench.call(SetCached(key="k", value=pack(1)), run())
    for key in ("k", "missing"):
        bench.call(GetCached(key=key), run())
    described = bench.hel.services()[DescribeValueCache](DescribeValueCache())
    assert described.statistics == ValueCacheStatistics(
        entries=1, capacity=5, size_bytes=2, capacity_bytes=2**20, hits=1, misses=1, evictions=0
    )
