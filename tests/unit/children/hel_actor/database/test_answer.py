"""Promises that follow others."""

from concurrent.futures import Future

import pytest
from hel_actor.database.answer import after, following, or_raised

from loki.errors import InvalidArgument, LokiError


def promise(result: object) -> "Future[object]":
    kept: Future[object] = Future()
    if isinstance(result, Exception) and not isinstance(result, LokiError):
        kept.set_exception(result)
    else:
        kept.set_result(result)
    return kept


def test_what_follows_is_made_of_the_result() -> None:
    assert following(promise(20), lambda number: (number, 1)).result(0) == (20, 1)


def test_what_nobody_waits_for_any_more_is_not_made() -> None:
    first: Future[int] = Future()
    answer = following(first, lambda number: pytest.fail(f"{number}"))
    answer.cancel()
    first.set_result(1)
    assert answer.cancelled()


def test_errors_are_handed_on_and_those_given_back_are_raised() -> None:
    with pytest.raises(OSError, match="torn"):
        following(promise(OSError("torn")), lambda _: None).result(0)
    with pytest.raises(InvalidArgument):
        or_raised(promise(InvalidArgument("no"))).result(0)
    assert or_raised(promise(7)).result(0) == 7


def test_what_comes_after_is_asked_for_when_the_first_is_there() -> None:
    first: Future[None] = Future()
    asked: list[int] = []

    def ask() -> "Future[object]":
        asked.append(1)
        return promise("second")

    answer = after(first, ask)
    assert asked == []
    first.set_result(None)
    assert (answer.result(0), asked) == ("second", [1])


def test_an_error_of_the_first_or_of_asking_is_the_answer() -> None:
    failed: Future[None] = Future()
    failed.set_exception(OSError("torn"))
    with pytest.raises(OSError, match="torn"):
        after(failed, lambda: pytest.fail("asked")).result(0)
    first: Future[None] = Future()
    first.set_result(None)
    with pytest.raises(RuntimeError, match="shut down"):
        after(first, lambda: (_ for _ in ()).throw(RuntimeError("shut down"))).result(0)
