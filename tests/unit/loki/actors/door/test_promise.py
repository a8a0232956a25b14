"""When a promise is kept that has to wait for what is under way."""

from collections import deque
from concurrent.futures import Future
from typing import Any

import pytest

from loki.actors.door.promise import TURNS, keep, when_read
from loki.errors import LokiError
from loki.messages.envelope import Done


class FakeShell:
    """Its turns come when the test says so."""

    def __init__(self) -> None:
        self.due: deque[Any] = deque()

    def later(self, delay_s: float, action: Any) -> None:
        assert delay_s == 0
        self.due.append(action)


def test_it_is_answered_after_the_turns_that_reading_takes() -> None:
    shell, read = FakeShell(), []
    promise = when_read(shell, lambda: read and Done())
    for turn in range(TURNS):
        assert not promise.done()
        read.append(turn)
        shell.due.popleft()()
    assert promise.result(0) == Done()
    assert not shell.due


@pytest.mark.parametrize("error", [LokiError("no"), ZeroDivisionError("bug")])
def test_what_goes_wrong_is_in_the_promise(error: Exception) -> None:
    def fail() -> Done:
        raise error

    promise: Future[Any] = Future()
    keep(promise, fail)
    with pytest.raises(type(error)):
        promise.result(0)
