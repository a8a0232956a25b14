"""Queries take turns in one thread, and are given up between two blocks."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from hel_actor.turns import Steps, Turns

from loki.errors import IoError, LokiError, ServiceUnavailable


class Log:
    """What was done, in order."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def query(self, name: str, blocks: int) -> Steps[str]:
        try:
            for number in range(blocks):
                self.lines.append(f"{name}{number}")
                yield
        finally:
            self.lines.append(f"{name} ends")
        return name


def never() -> LokiError | None:
    return None


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def held(worker: ThreadPoolExecutor) -> Iterator[Event]:
    """The thread does nothing until this is set."""
    go = Event()
    worker.submit(go.wait, 20)
    yield go
    go.set()


def test_a_large_query_holds_up_no_small_one(
    log: Log, worker: ThreadPoolExecutor, held: Event
) -> None:
    turns = Turns(worker)
    large, small = turns.ask(log.query("l", 3), never), turns.ask(log.query("s", 1), never)
    file = worker.submit(log.lines.append, "file")
    held.set()
    assert [promise.result(20) for promise in (large, small)] == ["l", "s"]
    assert file.result(20) is None
    assert log.lines == ["l0", "s0", "file", "l1", "s ends", "l2", "l ends"]


def test_a_query_that_nobody_waits_for_is_given_up_at_its_next_block(
    log: Log, worker: ThreadPoolExecutor, held: Event
) -> None:
    refusals = iter([None, None, ServiceUnavailable("the run is over")])
    answer = Turns(worker).ask(log.query("l", 9), lambda: next(refusals))
    held.set()
    with pytest.raises(ServiceUnavailable, match="the run is over"):
        answer.result(20)
    assert log.lines == ["l0", "l1", "l ends"]


@pytest.mark.parametrize("error", [IoError("damaged"), RuntimeError("a bug")])
def test_what_a_query_raises_is_its_answer(error: Exception, worker: ThreadPoolExecutor) -> None:
    def broken() -> Steps[int]:
        yield
        raise error

    assert Turns(worker).ask(broken(), never).exception(20) is error
    assert Turns(worker).ask(Log().query("s", 1), never).result(20) == "s"
