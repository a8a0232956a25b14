"""Loud sources are bounded, quiet ones heard, and what is left out is counted."""

from loki.core.throttle import ALL_AT_ONCE, ALL_PER_S, AT_ONCE, MOST_SOURCES, PER_S, Throttle


def test_a_source_has_its_allowance_and_then_its_rate() -> None:
    throttle = Throttle(0.0)
    assert [throttle.admit("loud", 0.0) for _ in range(AT_ONCE + 3)] == [0] * AT_ONCE + [None] * 3
    assert throttle.admit("loud", 1 / PER_S) == 3
    assert throttle.admit("loud", 1 / PER_S) is None


def test_a_loud_source_does_not_silence_another() -> None:
    throttle = Throttle(0.0)
    for _ in range(10_000):
        throttle.admit("loud", 0.0)
    assert throttle.admit("quiet", 0.0) == 10_000 - AT_ONCE


def test_many_sources_together_are_bounded_too() -> None:
    throttle = Throttle(0.0)
    sources = [f"s{n}" for n in range(5000)]
    told = sum(throttle.admit(source, 0.0) is not None for source in sources)
    assert told == ALL_AT_ONCE
    told = sum(throttle.admit(source, 1.0) is not None for source in sources)
    assert told == ALL_PER_S


def test_what_is_remembered_of_sources_is_bounded() -> None:
    throttle = Throttle(0.0)
    for number in range(MOST_SOURCES * 3):
        throttle.admit(f"s{number}", float(number))
    assert len(throttle._sources) == MOST_SOURCES
