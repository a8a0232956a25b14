"""What the tests of the gateway ask it, and how they read its answers."""

from typing import Any

import grpc
from grpc_status import rpc_status

from loki.errors import ErrorCode
from loki.messages.envelope import Failure
from loki.messages.execution import (
    Cause,
    RunFinished,
)
from loki.messages.script import Origin, Parameter, Script, ValueType
from loki.messages.value import pack
from loki.v1 import (
    execution_pb2,
    service_pb2,
    value_pb2,
)

SCRIPT = Script(
    name="average",
    source="return 1",
    chunk="average",
    parameters=(Parameter(name="n", type=ValueType.INTEGER, required=False, default=pack(5)),),
    return_type=ValueType.NUMBER,
    origin=Origin.REGISTERED,
    revision="r1",
)
SERVICE = "loki.v1.LokiService"


def execute(name: str = "average", **arguments: value_pb2.ScriptValue) -> Any:
    request = service_pb2.ExecuteScriptRequest()
    request.input.name = name
    for key, value in arguments.items():
        request.input.arguments[key].CopyFrom(value)
    return request


def stream(name: str = "average") -> Any:
    return service_pb2.StreamScriptExecutionRequest(input=execution_pb2.ScriptInput(name=name))


def failed(run: str, code: ErrorCode, cause: Cause, **details: str) -> RunFinished:
    failure = Failure(code=code, message=f"it was {code.value}", details=details)
    return RunFinished(run=run, script="average", cause=cause, failure=failure, output="so far\n")


def status_of(error: grpc.RpcError) -> Any:
    """Status code, and details by short type name."""
    rich = rpc_status.from_call(error)
    assert rich is not None
    return error.code(), {any_.type_url.rpartition(".")[2]: any_ for any_ in rich.details}
