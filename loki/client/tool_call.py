"""How a typed call goes, whoever sends it: what is asked of the server, and in which order.

Theory of operation. A call begins with the schema that was kept. It asks for the one of now when
something shows that the script has changed: arguments that do not fit the kept one, a server that
refuses it, an answer with unknown fields. No script runs twice for that: a request is made once
more only if it was refused. `calling` and `opening` yield what is to be done and are sent what came
of it; `perform` does it, and its twin in `async_tools`.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

import grpc

from loki.client.error import LokiClientError
from loki.client.tool import (
    CALL,
    CALL_STREAM,
    STALE_SCHEMA,
    Arguments,
    StaleSchemaError,
    ToolSchema,
)
from loki.v1_value import Plain

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Refresh:
    """Get the schema of now. Answer: ToolSchema."""


@dataclass(frozen=True, slots=True)
class Send:
    """Send the request. Answer: the response's bytes, or the error."""

    path: str
    request: bytes


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request, and the schema that it and its response have."""

    schema: ToolSchema
    send: Send
    fresh: bool
    """Whether the schema is the one of now."""


Step: TypeAlias = Refresh | Send
Answer: TypeAlias = ToolSchema | bytes | LokiClientError | None
"""What came of a step; None begins."""
Steps: TypeAlias = Generator[Step, Answer, T]


def perform(steps: Steps[T], do: Callable[[Step], ToolSchema | bytes]) -> T:
    """What the steps lead to. Raises: as they do; LokiClientError is theirs to judge."""
    answer: Answer = None
    while True:
        try:
            step = steps.send(answer)
        except StopIteration as end:
            result: T = end.value
            return result
        try:
            answer = do(step)
        except LokiClientError as error:
            answer = error


def is_outdated(error: LokiClientError) -> bool:
    """Whether the call was refused in a way that another schema may help."""
    if error.code is grpc.StatusCode.FAILED_PRECONDITION:
        return error.reason == STALE_SCHEMA
    return error.code is grpc.StatusCode.UNIMPLEMENTED


def calling(schema: ToolSchema, arguments: Arguments) -> Steps[Plain]:
    """What the script returns.

    Raises: TypeError, ValueError for arguments; LokiClientError.
    """
    ready = yield from opening(schema, arguments, CALL)
    answer = yield ready.send
    if isinstance(answer, LokiClientError) and is_outdated(answer) and not ready.fresh:
        ready = yield from reopening(arguments, CALL)
        answer = yield ready.send
    if isinstance(answer, LokiClientError):
        raise answer
    if not isinstance(answer, bytes):
        raise TypeError(f"a response was expected, not {answer!r}")
    try:
        return ready.schema.value(answer)
    except StaleSchemaError:
        schema = yield from refreshed()
        return schema.value(answer)


def opening(schema: ToolSchema, arguments: Arguments, method: str = CALL_STREAM) -> Steps[Prepared]:
    """A request by the kept schema; by the one of now, if the arguments do not fit.

    Raises: TypeError, ValueError for arguments; LokiClientError.
    """
    try:
        return prepared(schema, arguments, method, fresh=False)
    except TypeError:
        pass  # Of the kept schema; it may be out of date.
    return (yield from reopening(arguments, method))


def reopening(arguments: Arguments, method: str = CALL_STREAM) -> Steps[Prepared]:
    """A request by the schema of now. Raises: as `opening`."""
    schema = yield from refreshed()
    return prepared(schema, arguments, method, fresh=True)


def prepared(schema: ToolSchema, arguments: Arguments, method: str, *, fresh: bool) -> Prepared:
    """Raises: TypeError, ValueError."""
    request = schema.request(arguments, stream=method == CALL_STREAM)
    return Prepared(schema, Send(schema.path(method), request), fresh)


def refreshed() -> Steps[ToolSchema]:
    """Raises: LokiClientError, also of a script that is gone."""
    answer = yield Refresh()
    if isinstance(answer, LokiClientError):
        raise answer
    if not isinstance(answer, ToolSchema):
        raise TypeError(f"a schema was expected, not {answer!r}")
    return answer
