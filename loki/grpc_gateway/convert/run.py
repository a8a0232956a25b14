"""What comes of a run, in the messages of `loki.v1`; no decisions."""

from collections.abc import Mapping
from typing import TypeAlias

import msgspec

from loki.grpc_gateway.convert.script import limits_to_proto
from loki.grpc_gateway.convert.value import value_of
from loki.messages.execution import (
    OutputWritten,
    ProgressMade,
    RunFinished,
    Usage,
    ValueEmitted,
)
from loki.v1 import execution_pb2, service_pb2

Event: TypeAlias = OutputWritten | ProgressMade | ValueEmitted | RunFinished


def usage_to_proto(usage: Usage) -> execution_pb2.Usage:
    figures = msgspec.structs.asdict(usage)
    figures["budgets"] = limits_to_proto(usage.budgets)
    return execution_pb2.Usage(**figures)


def output_to_proto(finished: RunFinished) -> execution_pb2.ScriptOutput:
    return execution_pb2.ScriptOutput(text=finished.output, truncated=finished.output_truncated)


def result(finished: RunFinished) -> execution_pb2.ScriptResult:
    """Raises: ExecutionError (RETURN_TYPE_MISMATCH)."""
    return execution_pb2.ScriptResult(
        value=value_of(finished.value),
        output=output_to_proto(finished),
        usage=usage_to_proto(finished.usage),
    )


def script_error(finished: RunFinished) -> execution_pb2.ScriptError:
    details: Mapping[str, str] = finished.failure.details if finished.failure else {}
    return execution_pb2.ScriptError(
        script=finished.script,
        cause=finished.cause.value,
        line=line_in(details),
        traceback=details.get("traceback", ""),
        output=output_to_proto(finished),
        usage=usage_to_proto(finished.usage),
        execution_id=finished.run,
    )


def line_in(details: Mapping[str, str]) -> int:
    """The line that a failure names; 0 where it names none."""
    line = details.get("line", "")
    return int(line) if line.isascii() and line.isdigit() and len(line) < 10 else 0


def stream_response(
    event: Event, sequence: int, now_ns: int
) -> service_pb2.StreamScriptExecutionResponse:
    """Raises: ExecutionError (RETURN_TYPE_MISMATCH)."""
    response = service_pb2.StreamScriptExecutionResponse(sequence=sequence, execution_id=event.run)
    response.time.FromNanoseconds(now_ns)
    match event:
        case OutputWritten():
            response.output.text = event.text
        case ProgressMade():
            response.progress.fraction = event.fraction
            response.progress.text = event.text
        case ValueEmitted():
            response.value.CopyFrom(value_of(event.value))
        case RunFinished():
            response.result.CopyFrom(result(event))
    return response
