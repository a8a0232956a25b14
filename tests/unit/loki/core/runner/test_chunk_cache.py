"""The cache that Dispatcher and runner keep alike."""

from hypothesis import given
from hypothesis import strategies as st

from loki.core.runner.chunk_cache import Lru, RunnerCaches
from loki.messages.engine import ChunkCacheStatistics


def test_s_4_3_2_the_one_used_longest_ago_goes_first() -> None:
    held: Lru[int] = Lru(2)
    assert held.put("a", 1, 10) == 0
    assert held.put("b", 2, 10) == 0
    assert held.get("a") == 1
    assert held.put("c", 3, 10) == 1
    assert (held.get("a"), held.get("b"), held.get("c")) == (1, None, 3)


def test_s_4_3_2_bytes_are_bounded_too() -> None:
    held: Lru[int] = Lru(100, most_bytes=100)
    held.put("a", 1, 60)
    assert held.put("b", 2, 60) == 1
    assert held.put("b", 3, 100) == 0
    assert (held.get("a"), held.get("b"), len(held)) == (None, 3, 1)
    assert held.put("huge", 4, 101) == 2
    assert len(held) == 0
    held.put("c", 5, 100)
    assert held.get("c") == 5


def test_s_4_3_2_a_size_of_zero_keeps_nothing() -> None:
    held: Lru[int] = Lru(0)
    held.put("a", 1, 1)
    assert held.get("a") is None


def test_s_4_3_2_statistics_count_all_runners() -> None:
    caches = RunnerCaches(1)
    assert caches.lacks("one", "a", 5, compiled=True)
    assert not caches.lacks("one", "a", 5, compiled=True)
    assert caches.lacks("two", "a", 5, compiled=True)
    assert caches.lacks("one", "b", 5, compiled=True)
    assert caches.statistics() == ChunkCacheStatistics(
        entries=2, capacity=1, hits=1, misses=3, evictions=1, compiles=0
    )
    caches.ended("one")
    assert caches.statistics().entries == 1
    assert caches.lacks("one", "b", 5, compiled=True)
    assert caches.statistics().misses == 4


def test_what_is_not_kept_is_always_sent_and_compiled_where_it_runs() -> None:
    caches = RunnerCaches(10)
    assert caches.lacks("one", "", 5, compiled=False)
    assert caches.lacks("one", "", 5, compiled=False)
    assert caches.statistics() == ChunkCacheStatistics(
        entries=0, capacity=10, hits=0, misses=2, evictions=0, compiles=2
    )


SIZES = {"a": 1, "b": 40, "c": 60, "d": 99, "e": 4_000_000, "f": 6_000_000, "g": 9_000_000}


@given(st.integers(0, 4), st.lists(st.sampled_from(sorted(SIZES))))
def test_s_4_3_2_both_sides_agree_without_a_word(most: int, revisions: list[str]) -> None:
    dispatcher, runner = RunnerCaches(most), Lru[str](most)
    for revision in revisions:
        lacks = dispatcher.lacks("r", revision, SIZES[revision], compiled=True)
        held = runner.get(revision)
        assert lacks is (held is None)
        if lacks:
            runner.put(revision, revision, SIZES[revision])
