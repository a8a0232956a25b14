"""`client.tools`: each script of the server as a function, by its typed gRPC method."""

import inspect
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

import grpc

from loki.client.error import LokiClientError
from loki.client.event import Event
from loki.client.reflection import METHODS, Request, Response, found, older, one_answer, question
from loki.client.server_stream import ServerStream
from loki.client.tool import Arguments, StaleSchemaError, ToolSchema, service_of
from loki.client.tool_call import (
    Prepared,
    Refresh,
    Step,
    Steps,
    calling,
    is_outdated,
    opening,
    perform,
    reopening,
)
from loki.v1_value import Plain, Value

AS_IT_IS: Any = None
"""Bytes are neither serialized nor parsed."""


class ChannelLink:
    """What scripts as functions need of a client, by its channel."""

    def __init__(
        self,
        channel: grpc.Channel,
        call: Callable[[Any, Any, float | None], Any],
        begin: Callable[[Any, Any, float | None], Any],
    ) -> None:
        """`call` sends a request by a method, and raises LokiClientError; `begin` has a stream."""
        self._channel = channel
        self._call = call
        self._begin = begin
        self._methods: dict[str, Any] = {}
        self._path = METHODS[0]

    def raw(self, path: str, request: bytes, timeout_s: float | None) -> bytes:
        """Send a request by a method. Raises: LokiClientError."""
        method = self._methods.get(path)
        if method is None:
            method = self._methods[path] = self._channel.unary_unary(path, AS_IT_IS, AS_IT_IS)
        response: bytes = self._call(method, request, timeout_s)
        return response

    def raw_stream(self, path: str, request: bytes, timeout_s: float | None) -> Any:
        """Begin a call that is answered by a stream."""
        return self._begin(self._channel.unary_stream(path, AS_IT_IS, AS_IT_IS), request, timeout_s)

    def reflect(self, request: Request) -> Response:
        """Ask server reflection. Raises: LokiClientError."""
        path = self._path
        try:
            response: Response = self._call(one_answer(self._channel, path), request, None)
        except LokiClientError as error:
            next_path = older(path, error.code)
            if next_path is None:
                raise
            self._path = next_path
            return self.reflect(request)
        return response


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

    def __call__(self, /, **arguments: Value) -> Plain:
        """Run it, and wait for what it returns.

        Raises: TypeError for an argument that it does not take; ValueError for one that cannot be
        sent; LokiClientError.
        """
        return perform(calling(self._schema, arguments), self._do)

    def stream(self, /, **arguments: Value) -> "ToolStream":
        """Run it and get its events while it runs; the last one is its Result.

        Raises: as a call; iterating raises LokiClientError.
        """
        return ToolStream(self, arguments)

    def within(self, timeout_s: float) -> "Tool":
        """The same script, for calls that take no longer than that."""
        return Tool(self._tools, self._schema, timeout_s)

    def _do(self, step: Step) -> ToolSchema | bytes:
        if isinstance(step, Refresh):
            return self._refresh()
        return self._tools._link.raw(step.path, step.request, self._timeout_s)

    def _prepare(self, steps: Steps[Prepared]) -> tuple[Prepared, Any]:
        """A stream's request, and its call."""
        ready = perform(steps, self._do)
        path, request = ready.send.path, ready.send.request
        return ready, self._tools._link.raw_stream(path, request, self._timeout_s)

    def _refresh(self) -> ToolSchema:
        self._schema = self._tools._schema_of(self._schema.tool, fresh=True)
        return self._schema


class ToolStream(ServerStream, Iterator[Event]):
    """Iterate for the events; leaving the `with` block, or `cancel`, ends the execution."""

    def __init__(self, tool: Tool, arguments: Arguments) -> None:
        """Raises: TypeError, ValueError for arguments; LokiClientError for their schema."""
        self._tool = tool
        self._arguments = arguments
        ready, call = tool._prepare(opening(tool._schema, arguments))
        self._schema = ready.schema
        self._begun = ready.fresh
        super().__init__(call)

    def __next__(self) -> Event:
        """Raises: LokiClientError for an execution that failed."""
        event = None
        while event is None:
            event = self._event(self._response())
        return event

    def _event(self, response: bytes) -> Event | None:
        try:
            return self._schema.event(response)
        except StaleSchemaError:  # Its return type is another one now, and it ran.
            self._schema = self._tool._refresh()
            return self._schema.event(response)

    def _response(self) -> bytes:
        try:
            response: bytes = self.read()
        except LokiClientError as error:
            if self._begun or not is_outdated(error):
                raise
            self._begun = True
            ready, self._call = self._tool._prepare(reopening(self._arguments))
            self._schema = ready.schema
            response = self.read()
        self._begun = True
        return response


class Tools:
    """The scripts of a server: `tools.average(sensor="t1", n=5)`, or `tools["average"]`.

    Nothing here has a name of its own that a script could have.
    """

    def __init__(self, link: ChannelLink, names: Callable[[], Iterator[str]]) -> None:
        """`names` asks the server which scripts have typed methods."""
        self._link = link
        self._names = names
        self._schemas: dict[str, ToolSchema] = {}

    def __getattr__(self, name: str) -> Tool:
        if name.startswith("__"):  # Python asks every object for some of these.
            raise AttributeError(name)
        return self[name]

    def __getitem__(self, name: str) -> Tool:
        """Raises: LokiClientError, which is an AttributeError too where there is no such script."""
        return Tool(self, self._schema_of(name), None)

    def __iter__(self) -> Iterator[str]:
        """The names of all, as the scripts have them. Raises: LokiClientError."""
        return self._names()

    def __dir__(self) -> list[str]:
        return [*object.__dir__(self), *self]

    def _schema_of(self, name: str, *, fresh: bool = False) -> ToolSchema:
        """As it was when it was asked for, or as it is. Raises: as `tools[name]`."""
        schema = None if fresh else self._schemas.get(name)
        if schema is None:
            schema = found(name, self._link.reflect(question(service_of(name))))
            self._schemas[name] = schema
        return schema
