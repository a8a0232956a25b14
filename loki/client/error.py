"""A gRPC error of a Loki server with its details, as one exception."""

from typing import Any

import grpc
from google.rpc import error_details_pb2  # type: ignore[import-untyped]  # Ships no marker.
from grpc_status import rpc_status

from loki.client.event import Usage, usage_of
from loki.v1 import execution_pb2


class LokiClientError(Exception):
    """A call failed; `code` and `reason` say how, the text says what can be done."""

    def __init__(
        self,
        message: str,
        *,
        code: grpc.StatusCode,
        reason: str = "",
        details: dict[str, str] | None = None,
        retry_after_s: float | None = None,
        script_error: execution_pb2.ScriptError | None = None,
    ) -> None:
        """`reason` is one of the API's, such as "SCRIPT_NOT_FOUND"; empty when the answer
        came from gRPC itself, such as when there is no server.
        """
        super().__init__(message)
        self.message = message
        self.code = code
        self.reason = reason
        self.details = details or {}
        self.retry_after_s = retry_after_s
        self.script_error = script_error

    @property
    def code_name(self) -> str:
        """Such as "NOT_FOUND"."""
        return self.code.name

    @property
    def usage(self) -> Usage | None:
        """What a failed execution used; None when there was none."""
        return usage_of(self.script_error.usage) if self.script_error else None

    @property
    def execution_id(self) -> str:
        """Of the execution that failed; "" when there was none."""
        return self.script_error.execution_id if self.script_error else ""

    @property
    def traceback(self) -> str:
        """The script's own stack, if it raised."""
        return self.script_error.traceback if self.script_error else ""

    @property
    def output(self) -> str:
        """The last part of what a failed execution printed."""
        return self.script_error.output.text if self.script_error else ""


def error_of(error: grpc.RpcError) -> LokiClientError:
    """The exception for what a call of gRPC raised."""
    call: Any = error  # Whatever a stub raises is also a grpc.Call.
    fields: dict[str, Any] = {}
    for detail in _details(call):
        fields |= _fields(detail)
    if call.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
        fields.setdefault("reason", "CLIENT_DEADLINE")
    return LokiClientError(call.details() or call.code().name, code=call.code(), **fields)


def _details(call: grpc.Call) -> Any:
    try:
        status = rpc_status.from_call(call)
    except ValueError:  # The details are of another status: some proxy's doing.
        return ()
    return status.details if status else ()


def _fields(detail: Any) -> dict[str, Any]:
    """What one detail of the status says; nothing for kinds that we do not know."""
    if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
        info = error_details_pb2.ErrorInfo.FromString(detail.value)
        return {"reason": info.reason, "details": dict(info.metadata)}
    if detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR):
        retry = error_details_pb2.RetryInfo.FromString(detail.value)
        return {"retry_after_s": retry.retry_delay.ToNanoseconds() / 1e9}
    if detail.Is(execution_pb2.ScriptError.DESCRIPTOR):
        return {"script_error": execution_pb2.ScriptError.FromString(detail.value)}
    return {}


def not_found(message: str) -> LokiClientError:
    """What a call for something that is not there would raise, of what was only looked for."""
    return LokiClientError(message, code=grpc.StatusCode.NOT_FOUND, reason="NOT_FOUND")
