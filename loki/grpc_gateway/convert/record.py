"""Executions as the history has them, in the messages of `loki.v1`; no decisions."""

from google.protobuf.timestamp_pb2 import Timestamp

from loki.grpc_gateway.convert.field import enum_of, page_size
from loki.grpc_gateway.convert.run import line_in, output_to_proto, usage_to_proto
from loki.grpc_gateway.convert.value import value_of
from loki.messages.envelope import Failure
from loki.messages.execution import Cause
from loki.messages.history import Execution, ExecutionState, ListExecutions
from loki.v1 import execution_pb2, service_pb2

NAME_OF_STATE = {state: f"EXECUTION_STATE_{state.name}" for state in ExecutionState}
STATE_OF_NUMBER = {
    execution_pb2.ExecutionState.Value(name): state for state, name in NAME_OF_STATE.items()
}


def to_proto(execution: Execution) -> execution_pb2.ExecutionRecord:
    """All that is known of it. Raises: ExecutionError (RETURN_TYPE_MISMATCH)."""
    record = summary(execution)
    finished = execution.finished
    if finished is not None and execution.complete:
        record.output.CopyFrom(output_to_proto(finished))
        if finished.cause is Cause.FINISHED:
            record.value.CopyFrom(value_of(finished.value))
    return record


def summary(execution: Execution) -> execution_pb2.ExecutionRecord:
    """Without value and output."""
    finished, cause = execution.finished, execution.cause
    failure = finished.failure if finished else None
    return execution_pb2.ExecutionRecord(
        execution_id=execution.id,
        script=execution.script,
        revision=execution.revision,
        principal=execution.principal,
        state=NAME_OF_STATE[execution.state],
        cause=cause.value if cause else "",
        submit_time=_time(execution.submitted_ns),
        start_time=_time(execution.started_ns),
        end_time=_time(execution.ended_ns),
        attempts=execution.attempts,
        runner_pid=execution.runner_pid,
        usage=usage_to_proto(finished.usage) if finished else None,
        failure=_failure(failure) if failure else None,
        result_dropped=not execution.complete,
    )


def _failure(failure: Failure) -> execution_pb2.ExecutionFailure:
    return execution_pb2.ExecutionFailure(
        reason=failure.code.value,
        message=failure.message,
        line=line_in(failure.details),
        traceback=failure.details.get("traceback", ""),
    )


def _time(ns: int) -> Timestamp | None:
    """None, which is unset, for what has not come yet."""
    if not ns:
        return None
    time = Timestamp()
    time.FromNanoseconds(ns)
    return time


def list_request(request: service_pb2.ListExecutionsRequest) -> ListExecutions:
    """Raises: InvalidArgument for a negative page size, or a state that we do not know."""
    return ListExecutions(
        script=request.script or "*",
        state=enum_of(request, "state", STATE_OF_NUMBER),
        page_size=page_size(request),
        page=request.page_token,
    )
