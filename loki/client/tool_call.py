"""How a typed call goes, whoever sends it: what is asked of the server, and in which order.

Theory of operation. A call begins with the schema that was kept. It asks for the one of now when
something shows that the script has changed: an argument that the kept one does not know, a server
that refuses it, an answer with unknown fields. No script runs twice for that: a request is made
once more only if it was refused. `calling` yields what is to be done and is sent what came of it.
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import TypeAlias

import grpc

from loki.client.error import LokiClientError
from loki.client.tool import CALL, STALE_SCHEMA, Arguments, StaleSchemaError, ToolSchema
from loki.v1_value import Plain


@dataclass(frozen=True, slots=True)
class Refresh:
    """Get the schema of now. Answer: ToolSchema."""


@dataclass(frozen=True, slots=True)
class Send:
    """Send the request. Answer: the response's bytes, or the error."""

    path: str
    request: bytes


Step: TypeAlias = Refresh | Send
Calling: TypeAlias = Generator[Step, ToolSchema | bytes | LokiClientError, Plain]


def is_outdated(error: LokiClientError) -> bool:
    """Whether the call was refused in a way that another schema may help."""
    if error.code is grpc.StatusCode.FAILED_PRECONDITION:
        return error.reason == STALE_SCHEMA
    return error.code is grpc.StatusCode.UNIMPLEMENTED


def calling(schema: ToolSchema, arguments: Arguments) -> Calling:
    """What the script returns.

    Raises: TypeError, ValueError for arguments; LokiClientError.
    """
    fresh = not schema.knows(arguments)
    if fresh:
        schema = yield from refreshed()
    answer = yield send(schema, arguments)
    if isinstance(answer, LokiClientError) and is_outdated(answer) and not fresh:
        schema = yield from refreshed()
        answer = yield send(schema, arguments)
    if isinstance(answer, LokiClientError):
        raise answer
    if not isinstance(answer, bytes):
        raise TypeError(f"a response was expected, not {answer!r}")
    try:
        return schema.value(answer)
    except StaleSchemaError:
        schema = yield from refreshed()
        return schema.value(answer)


def send(schema: ToolSchema, arguments: Arguments) -> Send:
    return Send(schema.path(CALL), schema.request(arguments, stream=False))


def refreshed() -> Generator[Step, ToolSchema | bytes | LokiClientError, ToolSchema]:
    """Raises: LokiClientError, also of a script that is gone."""
    answer = yield Refresh()
    if isinstance(answer, LokiClientError):
        raise answer
    if not isinstance(answer, ToolSchema):
        raise TypeError(f"a schema was expected, not {answer!r}")
    return answer
