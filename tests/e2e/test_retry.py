"""A run whose process is killed in the middle of it: repeated where its tool may be, else told."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from loki.client import Execution, ExecutionRecord, LokiClient, LokiClientError
from loki.testing import LokiServer

TOOLS = """
[[tools]]
name = "plain"
return_type = "integer"
script = { inline = "loki.log('warning', 'begun') loki.sleep(600) return 1" }

[[tools]]
name = "again"
return_type = "integer"
idempotent = true
script = { inline = "print('hi') loki.log('warning', 'begun') loki.sleep(600) return 1" }

[[tools]]
name = "silent"
return_type = "integer"
idempotent = true
script = { inline = "loki.log('warning', 'begun') loki.sleep(600) return 1" }

[[tools]]
name = "tight"
return_type = "integer"
idempotent = true
script = { inline = "loki.log('warning', 'begun') loki.sleep(1000) return 1" }
limits = { max_execution_time_ms = 1200 }
"""
PATIENCE_S = 10.0


@pytest.fixture(scope="module")
def server() -> Iterator[LokiServer]:
    with LokiServer(tools=TOOLS, environment={"LOKI_QUEUE__RUNNERS": "1"}) as running:
        yield running


@pytest.fixture
def client(server: LokiServer) -> Iterator[LokiClient]:
    with server.client() as connected:
        yield connected


class Victim:
    """A run that has begun, in a thread of its own."""

    def __init__(self, server: LokiServer, client: LokiClient, call: Callable[[], object]) -> None:
        self._server, self._client = server, client
        self._begun = server.log.count("begun")
        pool = ThreadPoolExecutor(1)
        self.call: Future[object] = pool.submit(call)
        pool.shutdown(wait=False)
        self.record = self._running(attempt=1)

    def _running(self, attempt: int) -> ExecutionRecord:
        """As soon as the script of that attempt is at work."""
        end_s = time.monotonic() + PATIENCE_S
        while self._server.log.count("begun") < self._begun + attempt:
            assert time.monotonic() < end_s, "it never began"
        (record,) = self._client.list_executions(state="running")
        return record

    def kill(self, sent: signal.Signals = signal.SIGKILL) -> None:
        os.kill(self.record.runner_pid, sent)

    def next_attempt(self) -> None:
        self.record = self._running(attempt=2)

    def end(self) -> Execution:
        ended = self.call.result(PATIENCE_S)
        assert isinstance(ended, Execution)
        return ended

    def failure(self) -> str:
        error = self.call.exception(PATIENCE_S)
        assert isinstance(error, LokiClientError)
        return error.reason

    def history(self) -> ExecutionRecord:
        """Its end as it is remembered, which comes a moment after its caller was told."""
        end_s = time.monotonic() + PATIENCE_S
        while (found := self._client.get_execution(self.record.id)).ended is None:
            assert time.monotonic() < end_s, "it never ended"
        return found


@pytest.fixture
def begin(server: LokiServer, client: LokiClient) -> Callable[..., Victim]:
    def start(name: str, *, stream: bool = False) -> Victim:
        def streamed() -> object:
            with client.stream(name) as events:
                return list(events)

        return Victim(server, client, streamed if stream else lambda: client.execute(name))

    return start


def test_an_idempotent_run_is_given_to_another_runner(begin: Callable[..., Victim]) -> None:
    run = begin("again")
    first = run.record
    run.kill()
    ended = run.end()
    assert (ended.id, ended.value, ended.output) == (first.id, 1, "hi\n")
    found = run.history()
    assert (found.state, found.attempts) == ("finished", 2)
    assert found.runner_pid != first.runner_pid
    assert found.started is not None
    assert first.started is not None
    assert found.started > first.started


def test_any_other_run_is_answered_with_its_cause(begin: Callable[..., Victim]) -> None:
    run = begin("plain")
    run.kill()
    assert run.failure() == "RUNNER_CRASHED"
    assert (run.history().cause, run.history().attempts) == ("crashed", 1)


def test_a_second_death_is_told(begin: Callable[..., Victim]) -> None:
    run = begin("again")
    run.kill()
    run.next_attempt()
    run.kill()
    assert run.failure() == "RUNNER_CRASHED"
    assert (run.history().cause, run.history().attempts) == ("crashed", 2)


def test_a_stream_that_has_delivered_something_is_not_repeated(
    begin: Callable[..., Victim],
) -> None:
    run = begin("again", stream=True)
    run.kill()
    assert run.failure() == "RUNNER_CRASHED"
    assert run.history().attempts == 1


def test_a_stream_that_has_delivered_nothing_is_repeated(begin: Callable[..., Victim]) -> None:
    run = begin("silent", stream=True)
    run.kill()
    run.call.result(PATIENCE_S)
    assert (run.history().state, run.history().attempts) == ("finished", 2)


def test_a_stop_by_a_budget_is_not_repeated(begin: Callable[..., Victim]) -> None:
    run = begin("silent")
    run.kill(signal.SIGXCPU)  # As the kernel does past the process's own limit.
    assert run.failure() == "CPU_BUDGET"
    assert run.history().attempts == 1


def test_a_cancelled_run_is_not_repeated(begin: Callable[..., Victim], client: LokiClient) -> None:
    run = begin("silent")
    client.cancel(run.record.id)
    assert run.failure() == "CANCELLED"
    assert run.history().attempts == 1


def test_the_second_attempt_has_what_is_left_of_the_time(begin: Callable[..., Victim]) -> None:
    run = begin("tight")
    end_s = time.monotonic() + 0.4
    while time.monotonic() < end_s:
        pass
    run.kill()
    assert run.failure() == "TIME_BUDGET"
    found = run.history()
    assert found.attempts == 2
    assert found.ended is not None
    assert (found.ended - found.submitted).total_seconds() < 1.2 + 1.0
