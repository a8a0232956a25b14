"""Promises of answers that are given later, on the actor's own thread."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from loki.actors.door.role import Answer, Shell

TURNS = 8  # A peer's lane gives one message in each; what it said at once is rarely more.


def keep(promise: Future[Any], work: Callable[[], Answer]) -> None:
    """With what `work` gives back or raises."""
    try:
        result = work()
    except Exception as error:  # noqa: BLE001  # The promise carries it to the shell.
        promise.set_exception(error)
    else:
        promise.set_result(result)


def when_read(shell: Shell, work: Callable[[], Answer]) -> Future[Any]:
    """What `work` answers when all is read that had come on the lanes by now.

    Each turn of the loop takes one message from each lane: what came first on one of them may be
    read after what it caused on another.
    """
    promise: Future[Any] = Future()

    def turn(left: int) -> None:
        if left:
            shell.later(0, lambda: turn(left - 1))
        else:
            keep(promise, work)

    turn(TURNS)
    return promise
