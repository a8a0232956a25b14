"""What waits for the disk: in which order, in which batches, and how much at most."""

import pytest

from loki.core.history.remembered import Remembered
from loki.core.history.unwritten import Taken, Unwritten


def run(name: str, end: bytes = b"") -> Remembered:
    return Remembered(1, name, "average", "local", 1, end=end)


def names(taken: Taken) -> list[str]:
    return [found.id for found, _ in taken]


def filled(*runs: Remembered, **bounds: int) -> Unwritten:
    unwritten = Unwritten(**bounds)
    for each in runs:
        unwritten.changed(each, len(each.end))
    return unwritten


@pytest.mark.parametrize(
    ("ends", "bounds", "batches"),
    [
        ([], {}, []),
        ([1, 1, 1], {"batch": 2}, ["ab", "c"]),
        ([1, 1, 1], {"batch": 3}, ["abc"]),
        ([5, 5, 5], {"batch_bytes": 10}, ["ab", "c"]),
        ([50, 5, 5], {"batch_bytes": 10}, ["a", "bc"]),  # One that is too long goes alone.
    ],
)
def test_what_waits_goes_in_batches(
    ends: list[int], bounds: dict[str, int], batches: list[str]
) -> None:
    waiting = [run(name, b"x" * size) for name, size in zip("abc", ends, strict=False)]
    unwritten = filled(*waiting, **bounds)
    seen = []
    while unwritten:
        taken = unwritten.take()
        seen.append("".join(names(taken)))
        unwritten.written(taken)
    assert seen == batches


@pytest.mark.parametrize(
    ("bounds", "full"),
    [({"batch": 2}, True), ({"batch": 3}, False), ({"batch_bytes": 10}, True)],
)
def test_a_batch_is_full_by_number_or_by_bytes(bounds: dict[str, int], full: bool) -> None:
    unwritten = filled(run("a", b"12345"), run("b", b"12345"), **bounds)
    assert unwritten.full is full


def test_what_was_not_written_is_taken_again_as_it_is_then() -> None:
    first = run("a")
    unwritten = filled(first, run("b"))
    unwritten.take()
    first.end = b"end"
    unwritten.changed(first, 3)
    assert [(found.id, found.end) for found, _ in unwritten.take()] == [("a", b"end"), ("b", b"")]


def test_what_changes_on_its_way_waits_again() -> None:
    first = run("a")
    unwritten = filled(first, run("b"))
    taken = unwritten.take()
    first.end = b"end"
    unwritten.changed(first, 3)
    unwritten.written(taken)
    assert unwritten.find("a") is first
    assert [each.id for each in unwritten] == ["a"]
    unwritten.written(unwritten.take())
    assert unwritten.find("a") is None
    assert not unwritten


@pytest.mark.parametrize(
    ("bounds", "left"), [({"most": 2}, ["b", "c"]), ({"most_bytes": 11}, ["c"])]
)
def test_beyond_its_bounds_the_oldest_are_dropped_and_counted(
    bounds: dict[str, int], left: list[str]
) -> None:
    unwritten = filled(run("a", b"1" * 5), run("b", b"1" * 5), run("c", b"1" * 8), **bounds)
    assert names(unwritten.take()) == left
    assert unwritten.dropped == 3 - len(left)


def test_one_that_was_dropped_on_its_way_may_still_arrive() -> None:
    unwritten = filled(run("a", b"12345"), most=1)
    taken = unwritten.take()
    unwritten.changed(run("b"))
    unwritten.written(taken)
    assert names(unwritten.take()) == ["b"]
