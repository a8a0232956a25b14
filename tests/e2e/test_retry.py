"""A run whose process is killed in the middle of it: repeated where its tool may be, else told."""

import itertools
import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from loki.client import Execution, ExecutionRecord, LokiClient, LokiClientError
from loki.testing import LokiServer

BUDGET_MS = 90_000
TOOL = """
[[tools]]
name = "{name}"
return_type = "number"
idempotent = {idempotent}
permissions = {{ storage = true }}
limits = {{ max_execution_time_ms = {budget_ms} }}
parameters = [{{ name = "run", type = "string" }}, {{ name = "deaths", type = "integer" }}]
script = {{ inline = '''
{first}
local attempt = hel:storage_increment(params.run, 1)
loki.log('warning', 'begun')
if attempt <= params.deaths then loki.sleep(60000) end
return {value}''' }}
"""
"""Waits for its death as often as it is told to."""


def tool(name: str, *, idempotent: bool = True, first: str = "", value: str = "1") -> str:
    return TOOL.format(
        name=name,
        idempotent=str(idempotent).lower(),
        budget_ms=BUDGET_MS,
        first=first,
        value=value,
    )


TOOLS = "".join(
    (
        tool("plain", idempotent=False),
        tool("again", first="print('hi')"),
        tool("silent"),
        tool("left", value="loki.budget().wall_ms"),
    )
)
PATIENCE_S = 30.0
NUMBERS = itertools.count()


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
    def start(name: str, *, deaths: int = 1, stream: bool = False) -> Victim:
        arguments: dict[str, str | int] = {"run": f"run {next(NUMBERS)}", "deaths": deaths}

        def streamed() -> object:
            with client.stream(name, arguments) as events:
                return list(events)

        return Victim(
            server, client, streamed if stream else lambda: client.execute(name, arguments)
        )

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
    run = begin("again", deaths=2)
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
    run = begin("left")
    begun_s = time.monotonic()
    while (lived_s := time.monotonic() - begun_s) < 0.4:
        pass
    run.kill()
    left_ms = run.end().value
    assert isinstance(left_ms, float)
    assert left_ms <= BUDGET_MS - lived_s * 1000
    assert run.history().attempts == 2
