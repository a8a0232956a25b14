"""Executions over the API: what the Dispatcher remembers of them, as clients see it."""

from typing import Any

import grpc
import pytest

from loki.actors.dispatcher.chronicle import LONGEST_NAME
from loki.core.history.page import MOST_PAGE
from loki.core.history.remembered import Remembered, listed, packed
from loki.errors import ErrorCode, LokiError
from loki.grpc_gateway.convert import record
from loki.messages.envelope import Failure
from loki.messages.execution import Cause, RunFinished, Usage
from loki.messages.history import (
    Execution,
    ExecutionFound,
    ExecutionsListed,
    ExecutionState,
    GetExecution,
    ListExecutions,
)
from loki.messages.script import Limits
from loki.messages.value import pack
from loki.v1 import execution_pb2, service_pb2
from tests.unit.loki.grpc_gateway.rpc import status_of

S = 10**9
LIMITS = Limits.__struct_fields__
FINISHED = RunFinished(
    run="x1",
    script="average",
    cause=Cause.FINISHED,
    value=pack([1]),
    output="hi\n",
    usage=Usage(wall_ms=1.5),
)


def execution(**known: Any) -> Execution:
    fields: dict[str, Any] = {
        "id": "x1",
        "script": "average",
        "revision": "r1",
        "principal": "local",
        "state": ExecutionState.FINISHED,
        "submitted_ns": 1 * S,
        "started_ns": 2 * S,
        "ended_ns": 3 * S,
        "attempts": 2,
        "runner_pid": 17,
        "cause": Cause.FINISHED,
        "finished": FINISHED,
    }
    return Execution(**fields | known)


def failed(**details: str) -> Execution:
    failure = Failure(code=ErrorCode.SCRIPT_ERROR, message="oops", details=details)
    end = RunFinished(
        run="x1", script="average", cause=Cause.SCRIPT_ERROR, failure=failure, output="so far"
    )
    return execution(state=ExecutionState.FAILED, cause=Cause.SCRIPT_ERROR, finished=end)


def test_a_finished_execution_comes_with_its_result(shell: Any, stub: Any) -> None:
    shell.answers[GetExecution] = lambda _: ExecutionFound(execution=execution())
    got = stub.GetExecution(service_pb2.GetExecutionRequest(execution_id="x1")).execution
    assert shell.wait_for(GetExecution) == GetExecution(run="x1")
    assert (got.execution_id, got.script, got.revision, got.principal) == (
        "x1",
        "average",
        "r1",
        "local",
    )
    assert (got.state, got.cause) == (execution_pb2.EXECUTION_STATE_FINISHED, "finished")
    assert (got.submit_time.seconds, got.start_time.seconds, got.end_time.seconds) == (1, 2, 3)
    assert (got.attempts, got.runner_pid, got.usage.wall_ms) == (2, 17, 1.5)
    assert got.value.array_value.items[0].int_value == 1
    assert got.output.text == "hi\n"
    assert not got.HasField("failure")
    assert not got.result_dropped


def test_a_failed_execution_comes_with_its_reason_and_output() -> None:
    got = record.to_proto(failed(line="3", traceback="average:3: in main chunk"))
    assert (got.state, got.cause) == (execution_pb2.EXECUTION_STATE_FAILED, "script_error")
    assert (got.failure.reason, got.failure.message, got.failure.line) == (
        "SCRIPT_ERROR",
        "oops",
        3,
    )
    assert got.failure.traceback == "average:3: in main chunk"
    assert got.output.text == "so far"
    assert not got.HasField("value")


def test_what_has_not_come_yet_is_unset() -> None:
    waiting = execution(
        state=ExecutionState.QUEUED, started_ns=0, ended_ns=0, cause=None, finished=None
    )
    got = record.to_proto(waiting)
    assert got.state == execution_pb2.EXECUTION_STATE_QUEUED
    assert (got.HasField("submit_time"), got.cause) == (True, "")
    for unset in ("start_time", "end_time", "usage", "failure", "value", "output"):
        assert not got.HasField(unset)


def test_a_result_that_was_dropped_is_none() -> None:
    got = record.to_proto(execution(complete=False))
    assert got.result_dropped
    assert not got.HasField("value")
    assert not got.HasField("output")
    assert got.usage.wall_ms == 1.5


def test_a_list_passes_filter_and_page_on(shell: Any, stub: Any) -> None:
    shell.answers[ListExecutions] = lambda _: ExecutionsListed(
        executions=(execution(), failed()), next_page="7"
    )
    request = service_pb2.ListExecutionsRequest(
        script="av*", state="EXECUTION_STATE_RUNNING", page_size=5000, page_token="9"
    )
    answer = stub.ListExecutions(request)
    assert shell.wait_for(ListExecutions) == ListExecutions(
        script="av*", state=ExecutionState.RUNNING, page_size=1000, page="9"
    )
    assert answer.next_page_token == "7"
    assert [each.cause for each in answer.executions] == ["finished", "script_error"]
    assert not answer.executions[0].HasField("value")


def test_a_list_without_words_asks_for_all() -> None:
    request = service_pb2.ListExecutionsRequest()
    assert record.list_request(request) == ListExecutions(script="*", state=None, page_size=100)


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (service_pb2.ListExecutionsRequest(page_size=-1), b"page_size"),
        (service_pb2.ListExecutionsRequest(state=77), b"state"),  # type: ignore[arg-type]  # A newer client's.
    ],
)
def test_a_list_that_cannot_be_is_refused(stub: Any, request_: Any, field: bytes) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        stub.ListExecutions(request_)
    code, details = status_of(raised.value)
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert field in details["BadRequest"].value


def test_an_unknown_execution_is_not_found(shell: Any, stub: Any) -> None:
    def refuse(request: GetExecution) -> ExecutionFound:
        raise LokiError(
            "no execution 'x9'", code=ErrorCode.EXECUTION_NOT_FOUND, details={"execution": "x9"}
        )

    shell.answers[GetExecution] = refuse
    with pytest.raises(grpc.RpcError) as raised:
        stub.GetExecution(service_pb2.GetExecutionRequest(execution_id="x9"))
    code, details = status_of(raised.value)
    assert code is grpc.StatusCode.NOT_FOUND
    assert b"x9" in details["ResourceInfo"].value


def test_the_longest_page_is_one_that_clients_take() -> None:
    """They take 4 MiB."""
    failure = Failure(
        code=ErrorCode.RETURN_TYPE_MISMATCH,
        message="\U0001f600" * 10_000,
        details=dict.fromkeys(("line", "traceback", "declared"), "😀" * 10000),
    )
    limits = Limits(**dict.fromkeys(LIMITS, 2**31 - 1))
    usage = Usage(
        wall_ms=1.1,
        cpu_ms=1.1,
        peak_memory_bytes=2**62,
        api_calls=2**62,
        queue_ms=1.1,
        overshoot_ms=1.1,
        budgets=limits,
        warnings=LIMITS,
    )
    end = RunFinished(
        run="f" * 32, script="x", cause=Cause.SCRIPT_ERROR, failure=failure, usage=usage
    )
    long = Remembered(
        number=2**62,
        id="f" * 32,
        script="\U0001f600" * LONGEST_NAME,
        principal="p" * 64,
        submitted_ns=2**62,
        revision="f" * 16,
        started_ns=2**62,
        ended_ns=2**62,
        attempts=9,
        runner_pid=2**22,
        cause=Cause.SCRIPT_ERROR,
        end=packed(end)[0],
    )
    page = [record.summary(listed(long))] * MOST_PAGE
    response = service_pb2.ListExecutionsResponse(executions=page)
    assert 3 * 2**20 < response.ByteSize() < 4 * 2**20
