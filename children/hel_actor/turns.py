"""Long work in one thread: a step of each in turn, so that a large one holds up no small one.

Work is a generator, which pauses after every step: what nobody waits for any more is simply not
continued. Whatever else the thread does, such as writing files, comes between two steps as well.
"""

from collections.abc import Callable, Generator
from concurrent.futures import Executor, Future
from typing import Any, TypeAlias, TypeVar

from loki.errors import LokiError

T = TypeVar("T")
Steps: TypeAlias = Generator[None, None, T]
"""Pauses, and in the end gives the answer."""
Refusal: TypeAlias = Callable[[], LokiError | None]
"""Asked before each step: why the work is given up by now, or None."""


class Turns:
    """`ask` may be called by any thread."""

    def __init__(self, worker: Executor) -> None:
        """`worker` must be one thread."""
        self._worker = worker

    def ask(self, steps: Steps[T], refusal: Refusal = lambda: None) -> "Future[T]":
        """What the steps give in the end, or raise."""
        work = _Work(steps, refusal)
        self._worker.submit(self._turn, work)
        return work.answer

    def end(self, steps: Steps[T]) -> None:
        """Let them be over before the thread does what it is given later."""
        self._worker.submit(steps.close)

    def _turn(self, work: "_Work") -> None:
        if work.step():
            self._worker.submit(self._turn, work)  # Behind all who wait.


class _Work:
    """On its way."""

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
