"""The cache: bounds, ends, namespaces."""

import pytest
from hel_actor.value.cache import Cache
from hypothesis import given
from hypothesis import strategies as st

from loki.clock import FakeClock
from loki.errors import ErrorCode, ResourceLimitExceeded
from loki.messages.value_cache import ValueCacheStatistics


def cache(max_entries: int = 100, max_bytes: int = 10_000) -> tuple[Cache, FakeClock]:
    clock = FakeClock(monotonic_s=1000.0)
    return Cache(clock, max_entries, max_bytes), clock


def test_s_8_4_1_gives_back_exactly_what_was_set() -> None:
    kept, _ = cache()
    kept.set("tool", "k", b"\x93\x01\xc0\xa1a")
    assert kept.get("tool", "k") == b"\x93\x01\xc0\xa1a"
    assert kept.get("tool", "other") is None


def test_s_8_4_1_the_least_recently_used_makes_room() -> None:
    kept, _ = cache(max_entries=2)
    kept.set("tool", "a", b"1")
    kept.set("tool", "b", b"2")
    kept.get("tool", "a")
    kept.set("tool", "c", b"3")
    assert [kept.get("tool", key) for key in "abc"] == [b"1", None, b"3"]


def test_s_8_4_1_statistics_tell_what_is_there_and_what_was_asked() -> None:
    kept, clock = cache(max_entries=2, max_bytes=100)
    kept.set("tool", "a", b"1", 5.0)
    for key in ("a", "a", "missing"):
        kept.get("tool", key)
    kept.get("another", "a")
    for key in ("b", "c"):
        kept.set("tool", key, b"1")
    kept.set("tool", "d", b"1", 5.0)
    clock.advance(5.0)
    assert kept.statistics() == ValueCacheStatistics(
        entries=1, capacity=2, size_bytes=2, capacity_bytes=100, hits=2, misses=2, evictions=2
    )


def test_s_8_4_1_setting_again_counts_as_use() -> None:
    kept, _ = cache(max_entries=2)
    kept.set("tool", "a", b"1")
    kept.set("tool", "b", b"2")
    kept.set("tool", "a", b"9")
    kept.set("tool", "c", b"3")
    assert [kept.get("tool", key) for key in "abc"] == [b"9", None, b"3"]


def test_s_8_4_1_bytes_of_keys_and_values_are_bounded() -> None:
    kept, _ = cache(max_bytes=20)
    kept.set("tool", "a", b"x" * 9)
    kept.set("tool", "b", b"x" * 9)
    assert kept.size_bytes == 20
    kept.set("tool", "c", b"x" * 1)
    assert kept.get("tool", "a") is None
    assert kept.size_bytes == 12


def test_s_8_4_1_exactly_the_whole_cache_fits_and_one_byte_more_does_not() -> None:
    kept, _ = cache(max_bytes=20)
    kept.set("tool", "k", b"x" * 19)
    with pytest.raises(ResourceLimitExceeded, match="cache_mb") as refused:
        kept.set("tool", "k", b"x" * 20)
    assert refused.value.code is ErrorCode.QUOTA
    assert kept.get("tool", "k") == b"x" * 19


def test_s_8_4_2_a_value_ends_with_its_ttl_and_not_before() -> None:
    kept, clock = cache()
    kept.set("tool", "k", b"v", ttl_s=10.0)
    clock.advance(9.999)
    assert kept.get("tool", "k") == b"v"
    clock.advance(0.001)
    assert kept.get("tool", "k") is None
    assert (len(kept), kept.size_bytes) == (0, 0)


def test_s_8_4_2_reading_does_not_prolong() -> None:
    kept, clock = cache()
    kept.set("tool", "k", b"v", ttl_s=10.0)
    clock.advance(6)
    kept.get("tool", "k")
    clock.advance(6)
    assert kept.get("tool", "k") is None


def test_s_8_4_2_setting_again_replaces_the_end() -> None:
    kept, clock = cache()
    kept.set("tool", "longer", b"v", ttl_s=1.0)
    kept.set("tool", "longer", b"v", ttl_s=10.0)
    kept.set("tool", "endless", b"v", ttl_s=1.0)
    kept.set("tool", "endless", b"v")
    clock.advance(5)
    assert kept.get("tool", "longer") == kept.get("tool", "endless") == b"v"


def test_s_8_4_2_sweeping_frees_what_nobody_asks_for() -> None:
    kept, clock = cache()
    kept.set("tool", "a", b"v", ttl_s=1.0)
    kept.set("tool", "b", b"v", ttl_s=2.0)
    kept.set("tool", "c", b"v")
    assert kept.next_expiry_s == 1001.0
    clock.advance(1.5)
    kept.sweep()
    assert len(kept) == 2
    assert kept.next_expiry_s == 1002.0
    clock.advance(1)
    kept.sweep()
    assert (len(kept), kept.next_expiry_s) == (1, None)


def test_s_8_4_2_replaced_ends_do_not_pile_up() -> None:
    kept, _ = cache()
    for _ in range(10_000):
        kept.set("tool", "k", b"v", ttl_s=3600.0)
    assert len(kept._expiries) < 200


def test_s_8_4_3_invalidation_stays_in_its_namespace() -> None:
    kept, _ = cache()
    for namespace in ("one", "two"):
        for key in "ab":
            kept.set(namespace, key, namespace.encode())
    kept.invalidate("one", "a")
    assert (kept.get("one", "a"), kept.get("one", "b")) == (None, b"one")
    kept.invalidate_all("one")
    assert (kept.get("one", "b"), kept.get("two", "a"), kept.get("two", "b")) == (
        None,
        b"two",
        b"two",
    )
    assert kept.size_bytes == 2 * (1 + 3)


ACTIONS = st.one_of(
    st.tuples(
        st.just("set"),
        st.sampled_from("abcdef"),
        st.binary(max_size=12),
        st.none() | st.sampled_from([0.5, 1.0, 3.0]),
    ),
    st.tuples(st.sampled_from(["get", "drop"]), st.sampled_from("abcdef")),
    st.tuples(st.just("wait"), st.sampled_from([0.25, 1.0])),
)


@given(st.lists(ACTIONS, max_size=60))
def test_s_8_4_1_never_a_wrong_value_and_never_over_a_bound(actions: list[tuple]) -> None:
    kept, clock = cache(max_entries=4, max_bytes=30)
    model: dict[str, tuple[bytes, float]] = {}
    for action in actions:
        match action:
            case ("set", key, value, ttl_s):
                kept.set("n", key, value, ttl_s)
                end_s = float("inf") if ttl_s is None else clock.monotonic_s() + ttl_s
                model[key] = (value, end_s)
                assert kept.get("n", key) == value
            case ("get", key):
                found = kept.get("n", key)
                if found is not None:
                    assert found == model[key][0]
                    assert clock.monotonic_s() < model[key][1]
            case ("drop", key):
                kept.invalidate("n", key)
                assert kept.get("n", key) is None
            case ("wait", seconds):
                clock.advance(seconds)
        assert len(kept) <= 4
        held = {key: kept._entries["n", key].value for _, key in kept._entries}
        assert kept.size_bytes == sum(len(key) + len(value) for key, value in held.items()) <= 30
