"""Executions are found again after their ends, whoever died meanwhile."""

import os
import signal
import time
from collections.abc import Callable, Iterator

import pytest

from loki.client import ExecutionRecord, LokiClient, LokiClientError
from loki.testing import LokiServer
from tests.e2e.census import pid_of

TOOLS = """
[[tools]]
name = "one"
return_type = "integer"
script = { inline = "print('hi') return 1" }

[[tools]]
name = "napper"
parameters = [{ name = "ms", type = "integer" }]
return_type = "integer"
script = { inline = "loki.emit('asleep') loki.sleep(params.ms) return 1" }
limits = { max_execution_time_ms = 60000 }

[[tools]]
name = "runaway"
return_type = "void"
script = { inline = "print('looping') loki.sleep(1) while true do end" }
limits = { max_execution_time_ms = 800 }

[[tools]]
name = "large"
return_type = "string"
script = { inline = "return ('x'):rep(300 * 1024)" }
"""
PATIENCE_S = 20.0


@pytest.fixture(scope="module")
def server() -> Iterator[LokiServer]:
    with LokiServer(tools=TOOLS) as running:
        yield running


@pytest.fixture
def client(server: LokiServer) -> Iterator[LokiClient]:
    with server.client() as connected:
        yield connected


def newest(client: LokiClient, script: str) -> ExecutionRecord:
    return client.get_execution(next(client.list_executions(script)).id)


def until(look: Callable[[], ExecutionRecord], state: str) -> ExecutionRecord:
    """The record, as soon as it is in that state; a gateway that is away is asked again."""
    end_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < end_s:
        try:
            found = look()
        except LokiClientError as error:
            if error.code_name != "UNAVAILABLE":
                raise
            continue
        if found.state == state:
            return found
    pytest.fail(f"it never was {state}")


def failing(client: LokiClient, name: str, **arguments: int) -> LokiClientError:
    with pytest.raises(LokiClientError) as caught:
        client.execute(name, arguments)
    return caught.value


def test_a_result_can_be_had_again(client: LokiClient) -> None:
    execution = client.execute("one")
    found = until(lambda: client.get_execution(execution.id), "finished")
    assert (found.state, found.value, found.output) == ("finished", 1, "hi\n")
    assert (found.script, found.principal, found.attempts) == ("one", "local", 1)
    assert found.usage == execution.usage
    assert found.started is not None
    assert found.ended is not None
    assert found.submitted <= found.started <= found.ended


def test_a_budget_stop_is_kept_as_its_caller_was_told(client: LokiClient) -> None:
    error = failing(client, "runaway")
    found = until(lambda: client.get_execution(error.execution_id), "failed")
    assert (found.state, found.cause, found.output) == ("failed", "time", "looping\n")
    assert found.failure is not None
    assert (found.failure.reason, found.failure.message) == (error.reason, error.message)
    assert found.usage == error.usage


def test_a_refusal_is_kept(client: LokiClient) -> None:
    error = failing(client, "one", n=1)
    found = client.get_execution(error.execution_id)
    assert (found.cause, found.started, found.attempts) == ("refused", None, 0)
    assert found.failure is not None
    assert found.failure.reason == "ARGUMENT_INVALID"


def test_a_result_that_is_too_long_is_told_but_not_kept(client: LokiClient) -> None:
    execution = client.execute("large")
    assert len(str(execution.value)) == 300 * 1024
    found = until(lambda: client.get_execution(execution.id), "finished")
    assert (found.state, found.value, found.result_dropped) == ("finished", None, True)
    assert found.usage == execution.usage


def test_one_that_runs_is_seen_and_cancelled(client: LokiClient) -> None:
    with client.stream("napper", {"ms": 60_000}) as events:
        next(events)
        found = client.get_execution(events.execution_id)
        assert (found.state, found.usage, found.ended) == ("running", None, None)
        assert [each.id for each in client.list_executions(state="running")] == [found.id]
        client.cancel(found.id)
        with pytest.raises(LokiClientError) as caught:
            list(events)
        assert caught.value.reason == "CANCELLED"
    assert until(lambda: client.get_execution(found.id), "failed").cause == "cancelled"
    with pytest.raises(LokiClientError, match="has ended already") as again:
        client.cancel(found.id)
    assert again.value.reason == "EXECUTION_NOT_FOUND"


def test_a_killed_runner_is_the_cause(client: LokiClient) -> None:
    with client.stream("napper", {"ms": 60_000}) as events:
        next(events)
        os.kill(client.get_execution(events.execution_id).runner_pid, signal.SIGKILL)
        with pytest.raises(LokiClientError):
            list(events)
    found = until(lambda: client.get_execution(events.execution_id), "failed")
    assert found.cause == "crashed"


def test_a_run_that_ends_without_its_gateway_is_found(
    server: LokiServer, client: LokiClient
) -> None:
    gateway = pid_of(server, "gateway")
    with client.stream("napper", {"ms": 1500}) as events:
        next(events)
        os.kill(gateway, signal.SIGKILL)
        with pytest.raises(LokiClientError):
            list(events)
    with server.client() as fresh:
        found = until(lambda: newest(fresh, "napper"), "finished")
    assert found.id == events.execution_id
    assert found.value == 1


def test_a_caller_that_leaves_ends_its_run(server: LokiServer) -> None:
    with server.client() as leaving, leaving.stream("napper", {"ms": 60_000}) as events:
        next(events)
    with server.client() as fresh:
        found = until(lambda: fresh.get_execution(events.execution_id), "failed")
    assert found.cause == "cancelled"


def test_an_unknown_one_is_told_how_far_back_the_history_goes(client: LokiClient) -> None:
    with pytest.raises(LokiClientError, match="the history goes back to 20") as caught:
        client.get_execution("nosuch")
    assert (caught.value.code_name, caught.value.reason) == ("NOT_FOUND", "EXECUTION_NOT_FOUND")
