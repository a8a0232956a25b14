"""`client.tools` of the asynchronous client: each script as a coroutine function."""

import inspect
from collections.abc import AsyncIterator, Callable
from typing import Any, Protocol, TypeVar

from loki.client.async_stream import AsyncServerStream
from loki.client.error import LokiClientError
from loki.client.event import Event
from loki.client.reflection import Request, Response, found, question
from loki.client.tool import Arguments, StaleSchemaError, ToolSchema, service_of
from loki.client.tool_call import (
    Answer,
    Prepared,
    Refresh,
    Step,
    Steps,
    calling,
    is_outdated,
    opening,
    reopening,
)
from loki.v1_value import Plain, Value

T = TypeVar("T")


class AsyncLink(Protocol):
    """What scripts as functions need of a client."""

    async def raw(self, path: str, request: bytes, timeout_s: float | None) -> bytes:
        """Send a request by a method. Raises: LokiClientError."""

    def raw_stream(self, path: str, request: bytes, timeout_s: float | None) -> Any:
        """Begin a call that is answered by a stream."""

    async def reflect(self, request: Request) -> Response:
        """Ask server reflection. Raises: LokiClientError."""


class AsyncTool:
    """A script to be awaited like a coroutine function, its parameters by name.

    What it says of itself is known once it was called, or `described`.
    """

    def __init__(self, tools: "AsyncTools", name: str, timeout_s: float | None = None) -> None:
        self._tools = tools
        self._timeout_s = timeout_s
        self.__name__ = name

    async def described(self) -> "AsyncTool":
        """Itself, with `__doc__` and a signature for `help` and `inspect`.

        Raises: LokiClientError.
        """
        schema = await self._schema()
        self.__doc__ = schema.doc
        self.__signature__: inspect.Signature = schema.signature
        return self

    def __repr__(self) -> str:
        return f"<script {self.__name__}{getattr(self, '__signature__', '')}>"

    async def _schema(self, *, fresh: bool = False) -> ToolSchema:
        return await self._tools._schema_of(self.__name__, fresh=fresh)

    async def __call__(self, /, **arguments: Value) -> Plain:
        """Run it, and wait for what it returns.

        Raises: TypeError for an argument that it does not take; ValueError for one that cannot be
        sent; LokiClientError.
        """
        return await self._perform(calling(await self._schema(), arguments))

    def stream(self, /, **arguments: Value) -> "AsyncToolStream":
        """Run it and get its events while it runs; the last one is its Result.

        Iterating raises as a call does.
        """
        return AsyncToolStream(self, arguments)

    def within(self, timeout_s: float) -> "AsyncTool":
        """The same script, for calls that take no longer than that."""
        return AsyncTool(self._tools, self.__name__, timeout_s)

    async def _perform(self, steps: Steps[T]) -> T:
        """As `tool_call.perform`."""
        answer: Answer = None
        while True:
            try:
                step = steps.send(answer)
            except StopIteration as end:
                result: T = end.value
                return result
            try:
                answer = await self._do(step)
            except LokiClientError as error:
                answer = error

    async def _do(self, step: Step) -> ToolSchema | bytes:
        if isinstance(step, Refresh):
            return await self._schema(fresh=True)
        return await self._tools._link.raw(step.path, step.request, self._timeout_s)

    async def _prepare(self, steps: Steps[Prepared]) -> tuple[Prepared, Any]:
        """A stream's request, and its call."""
        ready = await self._perform(steps)
        path, request = ready.send.path, ready.send.request
        return ready, self._tools._link.raw_stream(path, request, self._timeout_s)


class AsyncToolStream(AsyncServerStream, AsyncIterator[Event]):
    """Iterate for the events; leaving the `async with` block, or `cancel`, ends the execution."""

    def __init__(self, tool: AsyncTool, arguments: Arguments) -> None:
        super().__init__(None)
        self._tool = tool
        self._arguments = arguments
        self._schema: ToolSchema | None = None
        self._begun = False

    async def __anext__(self) -> Event:
        """Raises: LokiClientError for an execution that failed."""
        while True:
            response = await self._response()
            if (event := await self._event(response)) is not None:
                return event

    async def _event(self, response: bytes) -> Event | None:
        schema = self._schema or await self._tool._schema()
        try:
            return schema.event(response)
        except StaleSchemaError:  # Its return type is another one now, and it ran.
            self._schema = await self._tool._schema(fresh=True)
            return self._schema.event(response)

    async def _response(self) -> bytes:
        if self._schema is None:
            await self._open(opening(await self._tool._schema(), self._arguments))
        try:
            response: bytes = await self.read()
        except LokiClientError as error:
            if self._begun or not is_outdated(error):
                raise
            await self._open(reopening(self._arguments))
            response = await self.read()
        self._begun = True
        return response

    async def _open(self, steps: Steps[Prepared]) -> None:
        ready, self._call = await self._tool._prepare(steps)
        self._schema, self._begun = ready.schema, ready.fresh


class AsyncTools:
    """The scripts of a server: `await tools.average(sensor="t1", n=5)`, or `tools["average"]`.

    Nothing here has a name of its own that a script could have.
    """

    def __init__(self, link: AsyncLink, names: Callable[[], AsyncIterator[str]]) -> None:
        """`names` asks the server which scripts have typed methods."""
        self._link = link
        self._names = names
        self._schemas: dict[str, ToolSchema] = {}

    def __getattr__(self, name: str) -> AsyncTool:
        if name.startswith("__"):  # Python asks every object for some of these.
            raise AttributeError(name)
        return self[name]

    def __getitem__(self, name: str) -> AsyncTool:
        return AsyncTool(self, name)

    def __aiter__(self) -> AsyncIterator[str]:
        """The names of all, as the scripts have them. Raises: LokiClientError."""
        return self._names()

    async def _schema_of(self, name: str, *, fresh: bool = False) -> ToolSchema:
        """As it was when it was asked for, or as it is. Raises: LokiClientError."""
        schema = None if fresh else self._schemas.get(name)
        if schema is None:
            schema = found(name, await self._link.reflect(question(service_of(name))))
            self._schemas[name] = schema
        return schema
