"""What is made of a promise's result, in the thread that keeps the promise."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from loki.errors import LokiError

T = TypeVar("T")
U = TypeVar("U")


def following(promise: "Future[T]", then: Callable[[T], U]) -> "Future[U]":
    """What `then` makes of it, or raises."""
    answer: Future[U] = Future()

    def kept(done: "Future[T]") -> None:
        if not answer.set_running_or_notify_cancel():
            return
        try:
            answer.set_result(then(done.result()))
        except Exception as error:  # noqa: BLE001  # The promise carries it to the shell.
            answer.set_exception(error)

    promise.add_done_callback(kept)
    return answer


def or_raised(promise: "Future[T | LokiError]") -> "Future[T]":
    """Operations on the database give errors back: they share a transaction with others."""
    return following(promise, raised)


def raised(result: T | LokiError) -> T:
    """Raises: LokiError, if that is the result."""
    if isinstance(result, LokiError):
        raise result
    return result
