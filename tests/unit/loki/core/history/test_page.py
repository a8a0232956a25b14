"""Pages of executions: which of them memory has, and how the disk's join them."""

import pytest

from loki.core.history import page
from loki.core.history.page import ABOVE_ALL, MOST_PAGE, Asked
from loki.core.history.remembered import Remembered
from loki.errors import InvalidArgument
from loki.messages.execution import Cause
from loki.messages.history import ExecutionState, ListExecutions


def rows(*numbers: int, principal: str = "memory") -> list[Remembered]:
    return [Remembered(n, f"id{n}", "average", principal, n, cause=Cause.FINISHED) for n in numbers]


def asking(size: int = 3, state: ExecutionState | None = None, below: int = ABOVE_ALL) -> Asked:
    return Asked("*", state, size, below)


def numbers(found: page.Page) -> list[int]:
    return [each.number for each in found.executions]


@pytest.mark.parametrize("token", ["x", "-1", "1.5", "1" * 30, "²"])
def test_a_page_that_nobody_gave_is_refused(token: str) -> None:
    with pytest.raises(InvalidArgument):
        page.asked(ListExecutions(page=token))


@pytest.mark.parametrize(
    ("token", "size", "below", "most"),
    [
        ("", 100, ABOVE_ALL, 100),
        ("17", 0, 17, 1),
        ("9999999999999999999", 10**9, ABOVE_ALL, MOST_PAGE),
    ],
)
def test_sizes_and_tokens_are_bounded(token: str, size: int, below: int, most: int) -> None:
    asked = page.asked(ListExecutions(page=token, page_size=size))
    assert (asked.below, asked.size) == (below, most)


@pytest.mark.parametrize(
    ("remembered", "seam", "state", "enough"),
    [
        ([9, 8, 7], 0, None, True),  # There is no disk, or nothing on it that memory has not.
        ([], 0, None, True),
        ([9, 8, 7], 6, None, True),
        ([9, 8, 7, 3], 6, None, True),
        ([9, 8], 6, None, False),
        ([9, 8, 6], 6, None, False),  # A 7 may be there that ended, and was forgotten, long ago.
        ([9, 3, 2], 6, ExecutionState.FINISHED, False),
        ([9], 6, ExecutionState.RUNNING, True),  # Whatever has not ended is remembered.
        ([], 6, ExecutionState.QUEUED, True),
    ],
)
def test_the_disk_is_asked_where_it_may_have_more(
    remembered: list[int], seam: int, state: ExecutionState | None, enough: bool
) -> None:
    assert page.suffices(asking(state=state), rows(*remembered), seam) is enough


@pytest.mark.parametrize(
    ("remembered", "seam", "state", "shown", "token"),
    [
        ([9, 8, 7], 0, None, [9, 8, 7], ""),
        ([9, 8, 7, 3], 0, None, [9, 8, 7], "7"),
        ([9, 8, 7], 6, None, [9, 8, 7], "7"),  # The next page is on the disk.
        ([9, 8], 6, ExecutionState.RUNNING, [9, 8], ""),
        ([], 0, None, [], ""),
    ],
)
def test_a_page_of_memory_says_where_the_next_begins(
    remembered: list[int], seam: int, state: ExecutionState | None, shown: list[int], token: str
) -> None:
    found = page.of_memory(asking(state=state), rows(*remembered), seam)
    assert (numbers(found), found.next) == (shown, token)


@pytest.mark.parametrize(
    ("remembered", "kept", "more", "shown", "token"),
    [
        ([9, 8], [6, 5, 4], True, [9, 8, 6], "6"),
        ([9, 8], [8, 6], False, [9, 8, 6], ""),
        ([9, 2], [8, 7, 6], True, [9, 8, 7], "7"),
        ([2], [8, 7], True, [8, 7], "7"),  # Between 7 and 2 the disk has more: 2 comes later.
        ([2], [8], False, [8, 2], ""),
        ([], [8, 7, 6], False, [8, 7, 6], ""),
        ([7, 6], [9, 8], False, [9, 8, 7], "7"),
        ([], [], False, [], ""),
    ],
)
def test_memory_and_disk_make_one_page(
    remembered: list[int], kept: list[int], more: bool, shown: list[int], token: str
) -> None:
    found = page.merged(asking(), rows(*remembered), rows(*kept, principal="disk"), more=more)
    assert (numbers(found), found.next) == (shown, token)
    newer = {each.number for each in found.executions if each.principal == "memory"}
    assert newer == set(remembered) & set(shown)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 100])
@pytest.mark.parametrize("forgotten", [0, 4, 9])
def test_page_after_page_shows_each_once_wherever_it_is(size: int, forgotten: int) -> None:
    """Number 2 still runs, and so is remembered; 8 is not on disk yet."""
    remembered = [n for n in range(12, 0, -1) if n > forgotten or n in (2, 8)]
    disk = [n for n in range(12, 0, -1) if n not in (2, 8, 12)]
    seen: list[int] = []
    token = ""
    while True:
        asked = page.asked(ListExecutions(page=token, page_size=size))
        mine = [each for each in rows(*remembered) if asked.matches(each)]
        below = [n for n in disk if n < asked.below]
        if page.suffices(asked, mine, forgotten):
            found = page.of_memory(asked, mine, forgotten)
        else:
            there = rows(*below[:size], principal="disk")
            found = page.merged(asked, mine, there, more=len(below) > size)
        seen += numbers(found)
        token = found.next
        if not token:
            break
    assert seen == list(range(12, 0, -1))


@pytest.mark.parametrize(
    ("script", "among", "matches"),
    [
        ("*", ("a*",), True),
        ("average", ("x", "avera?e"), True),
        ("*", ("b*",), False),
        ("b*", ("*",), False),
        ("*", (), False),
    ],
)
def test_no_script_is_found_but_among_those_that_are_there_for_who_asks(
    script: str, among: tuple[str, ...], matches: bool
) -> None:
    asked = page.asked(ListExecutions(script=script, among=among))
    assert asked.matches(rows(1)[0]) is matches
