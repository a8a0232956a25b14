"""Queries in one thread: a block of each in turn, so that a large one holds up no small one.

What else the thread does, such as writing files, takes its turn between two blocks as well.
"""

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, TypeAlias, TypeVar

from hel_actor.series.query import Steps
from loki.errors import LokiError

T = TypeVar("T")
Refusal: TypeAlias = Callable[[], LokiError | None]
"""Asked before each block: why the query is given up by now, or None."""


class Turns:
    """`ask` may be called by any thread."""

    def __init__(self, worker: Executor) -> None:
        """`worker` must be one thread."""
        self._worker = worker

    def ask(self, steps: Steps[T], refusal: Refusal) -> "Future[T]":
        """What the steps give in the end, or raise."""
        query = _Query(steps, refusal)
        self._worker.submit(self._turn, query)
        return query.answer

    def end(self, steps: Steps[T]) -> None:
        """Let them be over before the thread does what it is given later."""
        self._worker.submit(steps.close)

    def _turn(self, query: "_Query") -> None:
        if query.step():
            self._worker.submit(self._turn, query)  # Behind all who wait.


class _Query:
    """One query on its way."""

    def __init__(self, steps: Steps[Any], refusal: Refusal) -> None:
        self.answer: Future[Any] = Future()
        self._steps = steps
        self._refusal = refusal

    def step(self) -> bool:
        """Whether there is more to do."""
        try:
            refusal = self._refusal()
            if refusal is not None:
                raise refusal
            next(self._steps)
        except StopIteration as end:
            self.answer.set_result(end.value)
        except Exception as error:  # noqa: BLE001  # The promise carries it to the shell.
            self._steps.close()
            self.answer.set_exception(error)
        return not self.answer.done()
