"""What a server remembers of an execution, as plain Python."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, TypeAlias, cast, get_args

from google.protobuf.timestamp_pb2 import Timestamp

from loki.client.event import Usage, usage_of
from loki.v1 import execution_pb2
from loki.v1_value import Plain, from_proto

State: TypeAlias = Literal["queued", "running", "finished", "failed"]
PREFIX = "EXECUTION_STATE_"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an execution failed."""

    reason: str  # Such as "TIME_BUDGET".
    message: str
    line: int  # 0 where it is not known.
    traceback: str  # Empty in lists.


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionRecord:
    """One execution. Lists leave out value and output."""

    id: str
    script: str
    revision: str
    principal: str
    state: State
    cause: str  # Such as "time"; "" before its end.
    submitted: datetime  # The device's clock, UTC, as all times.
    started: datetime | None
    ended: datetime | None
    attempts: int
    runner_pid: int
    usage: Usage | None  # None before its end.
    failure: Failure | None
    value: Plain
    output: str
    output_truncated: bool
    result_dropped: bool  # Value and output are not kept: too long, or too old.


def record_of(record: execution_pb2.ExecutionRecord) -> ExecutionRecord:
    state = execution_pb2.ExecutionState.Name(record.state)
    return ExecutionRecord(
        id=record.execution_id,
        script=record.script,
        revision=record.revision,
        principal=record.principal,
        state=cast(State, state.removeprefix(PREFIX).lower()),
        cause=record.cause,
        submitted=_time(record.submit_time),
        started=_time(record.start_time) if record.HasField("start_time") else None,
        ended=_time(record.end_time) if record.HasField("end_time") else None,
        attempts=record.attempts,
        runner_pid=record.runner_pid,
        usage=usage_of(record.usage) if record.HasField("usage") else None,
        failure=_failure(record.failure) if record.HasField("failure") else None,
        value=from_proto(record.value),
        output=record.output.text,
        output_truncated=record.output.truncated,
        result_dropped=record.result_dropped,
    )


def state_name(state: str) -> str:
    """As the API calls it; "" is any. Raises: ValueError that says which states there are."""
    if state and state not in get_args(State):
        raise ValueError(f"there is no state {state!r}; there are {', '.join(get_args(State))}")
    return PREFIX + (state or "unspecified").upper()


def _time(time: Timestamp) -> datetime:
    return time.ToDatetime(UTC)


def _failure(failure: execution_pb2.ExecutionFailure) -> Failure:
    return Failure(
        reason=failure.reason,
        message=failure.message,
        line=failure.line,
        traceback=failure.traceback,
    )
