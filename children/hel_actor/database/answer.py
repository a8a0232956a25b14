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
    promise.add_done_callback(lambda done: _keep(answer, lambda: then(done.result())))
    return answer


def after(promise: "Future[None]", ask: "Callable[[], Future[T]]") -> "Future[T]":
    """What is promised to who asks when the first promise is kept."""
    answer: Future[T] = Future()

    def asked(first: "Future[None]") -> None:
        try:
            first.result()
            second = ask()
        except Exception as error:  # noqa: BLE001  # The promise carries it to the shell.
            answer.set_exception(error)
        else:
            second.add_done_callback(lambda done: _keep(answer, done.result))

    promise.add_done_callback(asked)
    return answer


def _keep(answer: "Future[T]", find: Callable[[], T]) -> None:
    if not answer.set_running_or_notify_cancel():
        return
    try:
        answer.set_result(find())
    except Exception as error:  # noqa: BLE001  # The promise carries it to the shell.
        answer.set_exception(error)


def or_raised(promise: "Future[T | LokiError]") -> "Future[T]":
    """Operations on the database give errors back: they share a transaction with others."""
    return following(promise, raised)


def raised(result: T | LokiError) -> T:
    """Raises: LokiError, if that is the result."""
    if isinstance(result, LokiError):
        raise result
    return result
