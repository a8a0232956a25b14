"""Failures as gRPC statuses with google.rpc details; the only table of codes."""

from collections.abc import Iterator, Mapping

import grpc
from google.protobuf.message import Message as ProtoMessage
from google.rpc import (  # type: ignore[import-untyped]  # Ships no marker.
    error_details_pb2,
    status_pb2,
)
from grpc_status import rpc_status

from loki.errors import RETRIABLE, ErrorCode
from loki.grpc_gateway.convert.run import script_error
from loki.messages.envelope import Failure
from loki.messages.execution import RunFinished
from loki.v1 import execution_pb2

DOMAIN = "loki"
MAX_BYTES = 4096
"""Of a whole status. Beyond 8 KiB of trailers, base64 included, gRPC may drop it all."""
MAX_MESSAGE_BYTES = 512
MAX_METADATA_BYTES = 1536
MAX_METADATA_VALUE_BYTES = 256
MAX_NAME_BYTES = 128
PACKING_BYTES = 64  # What Any and the framing add to a detail.
DEFAULT_RETRY_S = 0.5

CODE = grpc.StatusCode
STATUS_OF: Mapping[ErrorCode, grpc.StatusCode] = {
    ErrorCode.ARGUMENT_INVALID: CODE.INVALID_ARGUMENT,
    ErrorCode.SCRIPT_INVALID: CODE.INVALID_ARGUMENT,
    ErrorCode.SCRIPT_NOT_FOUND: CODE.NOT_FOUND,
    ErrorCode.EXECUTION_NOT_FOUND: CODE.NOT_FOUND,
    ErrorCode.SCRIPT_EXISTS: CODE.ALREADY_EXISTS,
    ErrorCode.REVISION_CONFLICT: CODE.ABORTED,
    ErrorCode.STALE_SCHEMA: CODE.FAILED_PRECONDITION,
    ErrorCode.CHILD_DISABLED: CODE.FAILED_PRECONDITION,
    ErrorCode.SCRIPT_ERROR: CODE.UNKNOWN,
    ErrorCode.RETURN_TYPE_MISMATCH: CODE.UNKNOWN,
    ErrorCode.TIME_BUDGET: CODE.DEADLINE_EXCEEDED,
    ErrorCode.CLIENT_DEADLINE: CODE.DEADLINE_EXCEEDED,
    ErrorCode.MEMORY_BUDGET: CODE.RESOURCE_EXHAUSTED,
    ErrorCode.CPU_BUDGET: CODE.RESOURCE_EXHAUSTED,
    ErrorCode.DISK_BUDGET: CODE.RESOURCE_EXHAUSTED,
    ErrorCode.OUTPUT_BUDGET: CODE.RESOURCE_EXHAUSTED,
    ErrorCode.QUEUE_FULL: CODE.RESOURCE_EXHAUSTED,
    ErrorCode.QUOTA: CODE.RESOURCE_EXHAUSTED,
    ErrorCode.CANCELLED: CODE.CANCELLED,
    ErrorCode.CHILD_DOWN: CODE.UNAVAILABLE,
    ErrorCode.OUTCOME_UNKNOWN: CODE.UNKNOWN,  # What is unavailable, gRPC's clients may repeat.
    ErrorCode.RUNNER_CRASHED: CODE.UNAVAILABLE,
    ErrorCode.DRAINING: CODE.UNAVAILABLE,
    ErrorCode.NO_CREDENTIALS: CODE.UNAUTHENTICATED,
    ErrorCode.ROLE: CODE.PERMISSION_DENIED,
    ErrorCode.ORIGIN: CODE.PERMISSION_DENIED,
    ErrorCode.SCRIPT_PERMISSION: CODE.PERMISSION_DENIED,
    ErrorCode.IO: CODE.UNKNOWN,  # A script's own failed call; not to be retried blindly.
    ErrorCode.DATA_LOSS: CODE.DATA_LOSS,
    ErrorCode.NOT_FOUND: CODE.NOT_FOUND,
    ErrorCode.UNSUPPORTED: CODE.UNIMPLEMENTED,
    ErrorCode.CONFIGURATION: CODE.FAILED_PRECONDITION,
    ErrorCode.BUG: CODE.INTERNAL,
}

FIELD_CODES = {ErrorCode.ARGUMENT_INVALID, ErrorCode.SCRIPT_INVALID}
RESOURCE_TYPES = {
    ErrorCode.SCRIPT_NOT_FOUND: "script",
    ErrorCode.SCRIPT_EXISTS: "script",
    ErrorCode.REVISION_CONFLICT: "script",
    ErrorCode.EXECUTION_NOT_FOUND: "execution",
}
QUOTA_CODES = {code for code, status in STATUS_OF.items() if status is CODE.RESOURCE_EXHAUSTED}


def status_of(failure: Failure, finished: RunFinished | None = None) -> grpc.Status:
    """The status that ends a call; `finished` is the execution that failed, if there was one."""
    return rpc_status.to_status(rich_status(failure, finished))


def rich_status(failure: Failure, finished: RunFinished | None = None) -> status_pb2.Status:
    """A google.rpc.Status of at most 4 KB."""
    code, _ = STATUS_OF[failure.code].value
    message = cut(failure.message, MAX_MESSAGE_BYTES)
    status = status_pb2.Status(code=code, message=message)
    error = script_error(finished) if finished is not None else None
    add(status, error_info(failure, error))
    for detail in specific_details(failure, message):
        add(status, detail)
    if error is not None:
        trim(error, MAX_BYTES - status.ByteSize() - PACKING_BYTES)
        add(status, error)
    return status


def add(status: status_pb2.Status, detail: ProtoMessage) -> None:
    """Add a detail if it fits."""
    status.details.add().Pack(detail)
    if status.ByteSize() > MAX_BYTES:
        del status.details[-1]


def error_info(
    failure: Failure, error: execution_pb2.ScriptError | None
) -> error_details_pb2.ErrorInfo:
    """Reason, and as many plain facts as fit, the failure's own first."""
    info = error_details_pb2.ErrorInfo(reason=failure.code.value, domain=DOMAIN)
    facts = {key: value for key, value in failure.details.items() if key != "traceback"}
    if error is not None:
        facts = facts | execution_facts(error)
    left = MAX_METADATA_BYTES
    for key, value in facts.items():
        name, text = cut(key, MAX_NAME_BYTES), cut(value, MAX_METADATA_VALUE_BYTES)
        left -= len(name.encode()) + len(text.encode()) + 8
        if left < 0:
            break
        info.metadata[name] = text
    return info


def execution_facts(error: execution_pb2.ScriptError) -> dict[str, str]:
    """What is known of an execution that failed, for clients that read ErrorInfo only."""
    facts = {"execution_id": error.execution_id, "script": error.script, "cause": error.cause}
    if error.line:
        facts["line"] = str(error.line)
    usage = error.usage
    for figure in ("wall_ms", "cpu_ms", "queue_ms", "overshoot_ms"):
        facts[figure] = f"{getattr(usage, figure):.3f}"
    for figure in ("peak_memory_bytes", "api_calls"):
        facts[figure] = str(getattr(usage, figure))
    return facts


def specific_details(failure: Failure, message: str) -> Iterator[ProtoMessage]:
    """What google.rpc has for this kind of failure."""
    details, code = failure.details, failure.code
    if code in FIELD_CODES:
        field = cut(details.get("field", ""), MAX_NAME_BYTES)
        violation = error_details_pb2.BadRequest.FieldViolation(field=field, description=message)
        yield error_details_pb2.BadRequest(field_violations=[violation])
    if code in RESOURCE_TYPES and "version" not in details:  # That is of the settings.
        kind = RESOURCE_TYPES[code]
        name = cut(details.get(kind, ""), MAX_NAME_BYTES)
        yield error_details_pb2.ResourceInfo(
            resource_type=kind, resource_name=name, description=message
        )
    if code in QUOTA_CODES:
        subject = cut(details.get("principal") or details.get("script", ""), MAX_NAME_BYTES)
        quota = error_details_pb2.QuotaFailure.Violation(subject=subject, description=message)
        yield error_details_pb2.QuotaFailure(violations=[quota])
    if failure.retry_after_s is not None or code in RETRIABLE:
        retry = error_details_pb2.RetryInfo()
        after_s = DEFAULT_RETRY_S if failure.retry_after_s is None else failure.retry_after_s
        retry.retry_delay.FromNanoseconds(round(after_s * 1e9))
        yield retry


def trim(error: execution_pb2.ScriptError, room: int) -> None:
    """Shorten the long texts until the message fits: of output the end counts, else the start."""
    error.script = cut(error.script, MAX_NAME_BYTES)
    texts = len(error.traceback.encode()) + len(error.output.text.encode())
    room_for_texts = max(0, room - (error.ByteSize() - texts))
    error.traceback = cut(error.traceback, room_for_texts // 2)
    room_for_output = room_for_texts - len(error.traceback.encode())
    if len(error.output.text.encode()) > room_for_output:
        error.output.text = tail(error.output.text, room_for_output)
        error.output.truncated = True


def cut(text: str, size_bytes: int) -> str:
    """At most that many bytes of UTF-8 from the start, with a mark where something is missing."""
    clean = text.replace("\0", "\ufffd")  # It would end the text in gRPC's core.
    raw = clean.encode(errors="replace")
    if len(raw) <= size_bytes:
        return raw.decode()
    return raw[: max(0, size_bytes - 3)].decode(errors="ignore") + ("…" if size_bytes >= 3 else "")


def tail(text: str, size_bytes: int) -> str:
    """At most that many bytes of UTF-8 from the end."""
    raw = text.encode(errors="replace")
    return raw[max(0, len(raw) - size_bytes) :].decode(errors="ignore")
