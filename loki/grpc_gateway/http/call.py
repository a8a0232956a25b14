"""Answers unary calls over HTTP by the Connect protocol, with JSON or protobuf.

Theory of operation. A call passes the same Guard as one by gRPC, with a context of its own; what
comes before that is here: which page may ask, what the body is written in, how large it is. Who may
not call at all is refused before a body is read; of what answers everybody, a small one is read.
Large bodies in JSON are read and written by a worker, for they would hold up every other call. A
client that leaves cancels its call.

Source: https://connectrpc.com/docs/protocol.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, TypeVar

from aiohttp import web

from loki.core.access.origin import refusal
from loki.core.access.principal import Principal
from loki.core.access.quota import QuotaMet
from loki.errors import ErrorCode, LokiError, PermissionRefused
from loki.grpc_gateway.call.status import rich_status
from loki.grpc_gateway.http import compression, connect, connect_error
from loki.grpc_gateway.http.connect import Codec
from loki.grpc_gateway.http.context import Aborted, HttpContext
from loki.grpc_gateway.http.routes import STREAM, Route, Routes
from loki.grpc_gateway.security.access import Access
from loki.grpc_gateway.security.auth import AUTHORIZATION
from loki.messages.envelope import Failure

LARGE_BYTES = 32 * 1024
BODY_TIMEOUT_S = 30.0
ANSWER_TIMEOUT_S = 120.0
"""For a client to read its answer: 4 MiB at 35 KiB/s."""
STRANGER_BYTES = 4096
"""Of a request by somebody who is not known: the name of a service, and no more."""
CODECS = ", ".join(codec.value for codec in Codec)
PREFLIGHT = {
    "Access-Control-Allow-Methods": "POST",
    "Access-Control-Allow-Headers": (
        "Authorization, Connect-Protocol-Version, Connect-Timeout-Ms, Content-Encoding, "
        "Content-Type, X-User-Agent"
    ),
    "Access-Control-Max-Age": "7200",  # The most that browsers allow.
}
FORM = "application/x-www-form-urlencoded"
"""What `curl -d` says of JSON unless it is told better."""
READABLE = "Retry-After, Trailer-Loki-Execution-Id"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
USAGE = (
    "Loki answers POST /loki.tools.v1.<Name>Service/Call with Content-Type: application/json and "
    "the arguments as an object.\n"
)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Asked:
    """One request that is a call."""

    request: web.BaseRequest
    context: HttpContext
    codec: Codec

    @property
    def anonymous(self) -> bool:
        """Whether it shows nothing that tells who it is."""
        return not self.context.auth_context() and AUTHORIZATION not in self.request.headers


class HttpCalls:
    """Every call over HTTP of one gateway."""

    def __init__(
        self,
        routes: Routes,
        access: Access,
        worker: Executor,
        *,
        grpc_address: str,
        most_bytes: int,
        allowed_origins: tuple[str, ...] = (),
    ) -> None:
        """`worker` reads and writes large bodies; `grpc_address` is where streams are served.

        A request has `most_bytes`, before and after decompression.
        """
        self._routes = routes
        self._access = access
        self._worker = worker
        self._grpc_address = grpc_address
        self._most_bytes = most_bytes
        self._allowed_origins = allowed_origins

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Called by aiohttp for each request; the answer has left when this returns."""
        context = context_of(request)
        try:
            response = await self._response(request, context)
            response.headers.update(self._cross_origin(request) | context.sent)
            response.headers["Server"] = "loki"
            await send(request, response)
        finally:
            context.finish()
        return response

    async def _response(self, request: web.BaseRequest, context: HttpContext) -> web.Response:
        if request.method == "OPTIONS":
            known = self._cross_origin(request)
            return web.Response(status=204 if known else 403, headers=PREFLIGHT if known else {})
        if request.method != "POST":
            return web.Response(status=405, headers={"Allow": "POST"}, text=USAGE)
        kind = connect.media_type(request.headers.get("Content-Type", ""))
        if kind in connect.STREAMED:
            return self._streamed(request.path, kind)
        if kind == FORM and not from_browser(request):
            kind = Codec.JSON.value
        if kind not in (codec.value for codec in Codec):
            return unsupported(f"Content-Type: '{kind[:80]}' is none of {CODECS}\n")
        return await self._unary(Asked(request, context, Codec(kind)))

    def _streamed(self, path: str, kind: str) -> web.Response:
        """What is asked for by the part of the protocol that has streams."""
        route = self._routes.find(path, None)
        if route.streams:
            told = connect_error.error(status_of(self._streaming_refusal(path)))
            return web.Response(body=connect.end_of_stream(told), content_type=kind)
        if route.handler is None:
            return failed(status_of(nowhere(path)), there=False)
        return unsupported(
            f"Content-Type: '{kind}' is for streams, and '{path[1:200]}' is none: "
            f"send one of {CODECS}\n"
        )

    def _cross_origin(self, request: web.BaseRequest) -> dict[str, str]:
        """What lets a page read the answer. Source: the Fetch standard, 3.2."""
        origin = request.headers.get("Origin")
        if origin is None or origin not in self._allowed_origins:
            return {}
        return {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Expose-Headers": READABLE,
            "Vary": "Origin",
        }

    def _streaming_refusal(self, path: str) -> LokiError:
        return connect.streaming_refusal(path[1:], self._grpc_address)

    async def _unary(self, asked: Asked) -> web.Response:
        route = STREAM
        try:
            asked.context.limit(connect.timeout_s(asked.request.headers.get("Connect-Timeout-Ms")))
            if asked.context.time_remaining() == 0:
                raise TimeoutError  # asyncio's would come when a run has begun.
            async with asyncio.timeout(asked.context.time_remaining()):
                principal = self._admitted(asked)
                route = self._routes.find(asked.request.path, principal)
                return await self._called(asked, route, principal)
        except Aborted as error:
            return failed(error.status, there=route.there)
        except TimeoutError:
            late = LokiError("the caller's deadline passed", code=ErrorCode.CLIENT_DEADLINE)
            return failed(status_of(late))
        except QuotaMet as error:
            return failed(rich_status(Failure.of(error, error.retry_after_s)))
        except LokiError as error:
            self._access.refused(error, asked.context.peer(), asked.request.path)
            return failed(status_of(error), there=route.there)

    def _admitted(self, asked: Asked) -> Principal | None:
        """None for whom the Guard will refuse. Raises: PermissionRefused (ORIGIN)."""
        headers = asked.request.headers
        connect.require_version(headers.get("Connect-Protocol-Version"))
        problem = refusal(
            headers.get("Origin"),
            headers.get("Host", ""),
            self._allowed_origins,
            anonymous=asked.anonymous,
        )
        if problem:
            raise PermissionRefused(problem, code=ErrorCode.ORIGIN)
        try:
            return self._access.identify(asked.context)
        except PermissionRefused:
            return None

    async def _called(
        self, asked: Asked, route: Route, principal: Principal | None
    ) -> web.Response:
        """Raises: LokiError; Aborted."""
        if route.streams:
            raise self._streaming_refusal(asked.request.path)
        if route.handler is None:
            raise nowhere(asked.request.path)
        data = b""  # Whoever is not known is refused, whatever the request.
        if route.request is not None and (route.public or principal is not None):
            data = await self._message(asked, principal, route.request)
        message = await route.call(data, asked.context)
        body = await self._written(asked.codec, message)
        accepted = asked.request.headers.get("Accept-Encoding", "")
        body, encoding = compression.encoded(body, accepted)
        headers = {"Content-Encoding": encoding} if encoding else {}
        return web.Response(body=body, content_type=asked.codec.value, headers=headers)

    async def _message(
        self, asked: Asked, principal: Principal | None, message: type[Any]
    ) -> bytes:
        """The request as protobuf. Raises: LokiError."""
        most_bytes = min(self._most_bytes, self._most_bytes if principal else STRANGER_BYTES)
        sent = await body_of(asked.request, most_bytes)
        encoding = asked.request.headers.get("Content-Encoding", "").lower()
        data = compression.decoded(sent, encoding, most_bytes)
        if principal is not None:
            self._access.admit(principal, len(data))  # Before it costs the time to read it.
            asked.context.admitted = True
        if asked.codec is Codec.PROTO:
            return data
        return await self._off_loop(len(data), connect.parse_json, data, message())

    async def _written(self, codec: Codec, message: Any) -> bytes:
        if codec is Codec.PROTO:
            data: bytes = message.SerializeToString()
            return data
        return await self._off_loop(message.ByteSize(), connect.to_json, message)

    async def _off_loop(self, size_bytes: int, work: Callable[..., T], *given: Any) -> T:
        """What is large is done by the worker."""
        if size_bytes < LARGE_BYTES:
            return work(*given)
        return await asyncio.get_running_loop().run_in_executor(self._worker, work, *given)


def context_of(request: web.BaseRequest) -> HttpContext:
    socket = request.transport
    peer = socket.get_extra_info("peername") if socket else None
    certificate = socket.get_extra_info("peercert") if socket else None
    return HttpContext(peer, request.headers.items(), certificate)


def from_browser(request: web.BaseRequest) -> bool:
    """Whether a page had it sent, without asking first as for other content types."""
    return "Origin" in request.headers or "Sec-Fetch-Site" in request.headers


async def send(request: web.BaseRequest, response: web.Response) -> None:
    """Until the client has read enough of it; a connection on which it does not is dropped."""
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            await response.prepare(request)
            await response.write_eof()
    except TimeoutError:
        if request.transport is not None:
            request.transport.abort()


async def body_of(request: web.BaseRequest, most_bytes: int) -> bytes:
    """As it was sent. Raises: ResourceLimitExceeded; LokiError (CLIENT_DEADLINE)."""
    if (request.content_length or 0) > most_bytes:
        raise compression.too_large(most_bytes)
    if request.headers.get("Expect", "").lower() == "100-continue":
        request.protocol.transport.write(CONTINUE)  # type: ignore[union-attr]  # It is open.
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            async for piece in request.content.iter_any():
                body += piece
                if len(body) > most_bytes:
                    raise compression.too_large(most_bytes)
    except TimeoutError:
        raise LokiError(
            f"the body did not come within {BODY_TIMEOUT_S:g} s", code=ErrorCode.CLIENT_DEADLINE
        ) from None
    return bytes(body)


def nowhere(path: str) -> LokiError:
    return LokiError(f"there is no method '{path[1:200]}'", code=ErrorCode.UNSUPPORTED)


def unsupported(text: str) -> web.Response:
    return web.Response(status=415, headers={"Accept-Post": CODECS}, text=text)


def status_of(error: LokiError) -> Any:
    """Its google.rpc.Status."""
    return rich_status(Failure.of(error))


def failed(status: Any, *, there: bool = True) -> web.Response:
    """The error as the protocol has it; `there` is whether the caller may know of the method."""
    http = connect.http_status(status, there=there)
    body = connect_error.text_of(connect_error.error(status))
    headers = connect.retry_after(status)
    return web.Response(status=http, body=body, content_type=Codec.JSON.value, headers=headers)
