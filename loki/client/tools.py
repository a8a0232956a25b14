"""`client.tools`: each script of the server as a function, by its typed gRPC method."""

import inspect
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Generic, TypeVar

import grpc

from loki.client.error import LokiClientError
from loki.client.event import Event
from loki.client.reflection import (
    METHODS,
    Request,
    Response,
    found,
    listing,
    question,
    services_of,
)
from loki.client.server_stream import ServerStream
from loki.client.tool import CALL_STREAM, ToolSchema, service_of, tool_of
from loki.client.tool_call import Refresh, calling, is_outdated
from loki.v1_value import Plain, Value

Opened = tuple[ToolSchema, Any]
"""A stream's call, and the schema that its responses have."""


AS_IT_IS: Any = None
"""Bytes are neither serialized nor parsed."""


class ChannelLink:
    """What scripts as functions need of a client, by its channel."""

    def __init__(
        self, channel: grpc.Channel, call: Callable[[Any, Any, float | None], Any]
    ) -> None:
        """`call` sends a request by a method, and raises LokiClientError."""
        self._channel = channel
        self._call = call
        self._methods: dict[str, Any] = {}
        self._reflection = iter(METHODS)
        self._path = next(self._reflection)

    def raw(self, path: str, request: bytes, timeout_s: float | None) -> bytes:
        """Send a request by a method. Raises: LokiClientError."""
        method = self._methods.get(path)
        if method is None:
            method = self._methods[path] = self._channel.unary_unary(path, AS_IT_IS, AS_IT_IS)
        response: bytes = self._call(method, request, timeout_s)
        return response

    def raw_stream(self, path: str, request: bytes, timeout_s: float | None) -> Any:
        """Begin a call that is answered by a stream."""
        return self._channel.unary_stream(path, AS_IT_IS, AS_IT_IS)(request, timeout=timeout_s)

    def reflect(self, request: Request) -> Response:
        """Ask server reflection. Raises: LokiClientError."""
        method = self._channel.stream_stream(
            self._path,
            request_serializer=Request.SerializeToString,
            response_deserializer=Response.FromString,
        )
        try:
            response: Response = self._call(partial(first_answer, method), request, None)
        except LokiClientError as error:
            older = next(self._reflection, None)
            if older is None or error.code is not grpc.StatusCode.UNIMPLEMENTED:
                raise
            self._path = older
            return self.reflect(request)
        return response


def first_answer(method: Any, request: Request, timeout: float | None) -> Response:
    """Of a stream of questions with this one in it. Raises: grpc.RpcError."""
    answer: Response = next(method(iter((request,)), timeout=timeout))
    return answer


T = TypeVar("T")


class Described(Generic[T]):
    """What a script says of itself, for people and for `inspect`."""

    def __init__(self, tools: T, schema: ToolSchema, timeout_s: float | None) -> None:
        self._tools = tools
        self._schema = schema
        self._timeout_s = timeout_s
        self.__name__ = schema.tool
        self.__doc__ = schema.doc

    @property
    def __signature__(self) -> inspect.Signature:
        return self._schema.signature

    def __repr__(self) -> str:
        return f"<script {self._schema.tool}{self._schema.signature}>"


class Tool(Described["Tools"]):
    """A script to be called like a function, its parameters by name."""

    def __call__(self, **arguments: Value) -> Plain:
        """Run it, and wait for what it returns.

        Raises: TypeError for an argument that it does not take; ValueError for one that cannot be
        sent; LokiClientError.
        """
        steps = calling(self._schema, arguments)
        step = next(steps)
        while True:
            answer: ToolSchema | bytes | LokiClientError
            try:
                if isinstance(step, Refresh):
                    answer = self._refresh()
                else:
                    answer = self._tools._link.raw(step.path, step.request, self._timeout_s)
            except LokiClientError as error:
                answer = error
            try:
                step = steps.send(answer)
            except StopIteration as end:
                value: Plain = end.value
                return value

    def stream(self, **arguments: Value) -> "ToolStream":
        """Run it and get its events while it runs; the last one is its Result.

        Raises: as a call; iterating raises LokiClientError.
        """
        if not self._schema.knows(arguments):
            self._refresh()

        def begin(*, fresh: bool) -> Opened:
            schema = self._refresh() if fresh else self._schema
            request = schema.request(arguments, stream=True)
            path = schema.path(CALL_STREAM)
            return schema, self._tools._link.raw_stream(path, request, self._timeout_s)

        return ToolStream(begin)

    def within(self, timeout_s: float) -> "Tool":
        """The same script, for calls that take no longer than that."""
        return Tool(self._tools, self._schema, timeout_s)

    def _refresh(self) -> ToolSchema:
        self._schema = self._tools._schema_of(self._schema.tool, fresh=True)
        return self._schema


class ToolStream(ServerStream, Iterator[Event]):
    """Iterate for the events; leaving the `with` block, or `cancel`, ends the execution."""

    def __init__(self, begin: Callable[..., Opened]) -> None:
        self._begin = begin
        self._schema, call = begin(fresh=False)
        self._begun = False
        super().__init__(call)

    def __next__(self) -> Event:
        """Raises: LokiClientError for an execution that failed."""
        event = None
        while event is None:
            event = self._schema.event(self._response())
        return event

    def _response(self) -> bytes:
        try:
            response: bytes = self.read()
        except LokiClientError as error:
            if self._begun or not is_outdated(error):
                raise
            self._begun = True
            self._schema, self._call = self._begin(fresh=True)
            response = self.read()
        self._begun = True
        return response


class Tools:
    """The scripts of a server: `tools.average(sensor="t1", n=5)`, or `tools["average"]`.

    Nothing here has a name of its own that a script could have.
    """

    def __init__(self, link: ChannelLink) -> None:
        self._link = link
        self._schemas: dict[str, ToolSchema] = {}

    def __getattr__(self, name: str) -> Tool:
        if name.startswith("__"):  # Python asks every object for some of these.
            raise AttributeError(name)
        return self[name]

    def __getitem__(self, name: str) -> Tool:
        """Raises: LokiClientError, which is an AttributeError too where there is no such script."""
        return Tool(self, self._schema_of(name), None)

    def __iter__(self) -> Iterator[str]:
        """The names of all. Raises: LokiClientError."""
        services = services_of(self._link.reflect(listing()))
        return (name for name in map(tool_of, services) if name)

    def __dir__(self) -> list[str]:
        return [*object.__dir__(self), *self]

    def _schema_of(self, name: str, *, fresh: bool = False) -> ToolSchema:
        """As it was when it was asked for, or as it is. Raises: as `tools[name]`."""
        schema = None if fresh else self._schemas.get(name)
        if schema is None:
            schema = found(name, self._link.reflect(question(service_of(name))))
            self._schemas[name] = schema
        return schema
