"""What every call passes through: who calls, how many there are, and how errors leave."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from operator import methodcaller
from typing import Any, NoReturn, Protocol, TypeAlias, TypeVar

import grpc
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass

from loki.core.access.principal import NOBODY, Principal, without_guess
from loki.core.access.quota import QuotaMet
from loki.errors import ErrorCode, InvalidArgument, LokiError
from loki.grpc_gateway.call.bulk import Bulk
from loki.grpc_gateway.call.open_call import OpenCalls
from loki.grpc_gateway.call.run_table import RunFailed
from loki.grpc_gateway.call.status import status_of
from loki.grpc_gateway.call.under_way import UnderWay
from loki.grpc_gateway.security.access import Access
from loki.messages.access import ClientRole
from loki.messages.envelope import Failure

ServicerContext: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Handlers: TypeAlias = "dict[str, grpc.RpcMethodHandler[Any, Any]]"
"""Of one service, by method."""


class CallContext(Protocol):
    """How a call came in, and its way back: gRPC's own context, or that of another protocol."""

    def peer(self) -> str: ...
    def invocation_metadata(self) -> Any: ...
    def auth_context(self) -> Any: ...
    def time_remaining(self) -> float | None: ...

    def add_done_callback(self, callback: Any) -> None:
        """Call it when the answer has left, or cannot any more."""

    def set_trailing_metadata(self, metadata: Any) -> None: ...
    async def send_initial_metadata(self, metadata: Any) -> None: ...

    async def write(self, message: Any) -> None:
        """Send one message of a stream."""

    async def abort(self, code: Any, details: str, trailing_metadata: Any) -> NoReturn: ...


@dataclass(frozen=True, slots=True)
class Call:
    """One call that was let in."""

    principal: Principal
    context: CallContext
    running: Callable[[], AbstractContextManager[None]] = nullcontext
    """Around a run of a script, as long as it lasts. Raises: QuotaMet."""

    def left_s(self) -> float | None:
        """Seconds until the client's deadline; None without one."""
        return self.context.time_remaining()

    def timeout_s(self, longest_s: float) -> float:
        """Seconds to wait for an answer: at most `longest_s`."""
        left_s = self.left_s()
        return longest_s if left_s is None else min(left_s, longest_s)


Behaviour: TypeAlias = Callable[[Any, Call], Awaitable[Any]]
B = TypeVar("B", bound=Callable[..., Awaitable[Any]])


def needs(role: ClientRole, *, lasting: bool = False) -> Callable[[B], B]:
    """Mark a servicer's method with the role that its callers need.

    A `lasting` one goes on for as long as its client likes: no stop of Loki waits for it.
    """

    def mark(method: B) -> B:
        method.__dict__["role"] = role
        method.__dict__["lasting"] = lasting
        return method

    return mark


MAKERS = {
    (False, False): grpc.unary_unary_rpc_method_handler,
    (False, True): grpc.unary_stream_rpc_method_handler,
    (True, True): grpc.stream_stream_rpc_method_handler,
}
"""By whether the client streams, and whether the server does."""
SERIALIZE = methodcaller("SerializeToString")


class Guard:
    """Wraps behaviours into handlers. Nothing that they raise reaches gRPC as it is."""

    def __init__(self, log: logging.Logger, access: Access, bulk: Bulk | None = None) -> None:
        """Without `bulk`, large requests are read where they come in."""
        self._log = log
        self._access = access
        self._calls = OpenCalls()
        access.on_change(lambda: self._calls.end(access.holds))
        self._bulk = bulk
        self._running = UnderWay()
        self._lasting = UnderWay()

    def handlers(self, service: ServiceDescriptor, servicer: object) -> Handlers:
        """A handler for each method of the service, from the servicer's method of that name."""
        return {
            method.name: self.handler(method, getattr(servicer, method.name))
            for method in service.methods
        }

    def handler(
        self, method: MethodDescriptor, behaviour: Behaviour
    ) -> grpc.RpcMethodHandler[Any, Any]:
        """Raises: AttributeError for a behaviour that `needs` no role."""
        role: ClientRole = behaviour.role  # type: ignore[attr-defined]  # Set by `needs`.
        under_way = self._lasting if behaviour.lasting else self._running  # type: ignore[attr-defined]
        path = path_of(method)

        parse = _parser(method)

        async def serve(request: Any, context: ServicerContext) -> object:
            async def begin(call: Call) -> object:
                if method.client_streaming:
                    return await behaviour(self._each(request, call, parse), call)
                return await behaviour(await self._read(request, parse), call)

            under_way.begin(context)
            return await self._serve(begin, role, path, context, request)

        return _handler(method, serve)

    def open_handlers(self, service: ServiceDescriptor, servicer: object) -> Handlers:
        """Handlers of a service that everybody may call, also while all else is drained.

        The servicer's methods take gRPC's own context.
        """
        return {
            method.name: self._open_handler(method, getattr(servicer, method.name))
            for method in service.methods
        }

    def _open_handler(
        self, method: MethodDescriptor, behaviour: Callable[[Any, Any], Awaitable[Any]]
    ) -> grpc.RpcMethodHandler[Any, Any]:
        path, parse = path_of(method), _parser(method)

        async def serve(request: Any, context: ServicerContext) -> object:
            try:
                return await behaviour(parse(request), context)
            except Exception as error:  # noqa: BLE001  # As in `_serve`.
                status = self._status(error, NOBODY, path, context)
            return await context.abort(status.code, status.details, status.trailing_metadata)

        return _handler(method, serve)

    def raw_handler(
        self, behaviour: Behaviour, role: ClientRole, path: str, *, server_streaming: bool
    ) -> grpc.RpcMethodHandler[Any, Any]:
        """For a behaviour that reads its request's bytes itself, and answers with any message."""

        async def serve(request: bytes, context: ServicerContext) -> object:
            self._running.begin(context)
            begin = partial(behaviour, request)
            return await self._serve(begin, role, path, context, request)

        make: Any = MAKERS[False, server_streaming]
        handler: grpc.RpcMethodHandler[Any, Any] = make(serve, response_serializer=SERIALIZE)
        return handler

    async def _serve(
        self,
        behaviour: Callable[[Call], Awaitable[object]],
        role: ClientRole,
        path: str,
        context: CallContext,
        request: object,
    ) -> object:
        principal = NOBODY
        try:
            principal = self._access.enter(context, role, partial(size_of, request))
            running = partial(self._access.running, principal)
            with self._calls.entry(principal, context) as guarded:
                return await behaviour(Call(principal, guarded, running))
        except Exception as error:  # noqa: BLE001  # The gateway's one catch-all.
            status = self._status(error, principal, path, context)
        return await context.abort(status.code, status.details, status.trailing_metadata)

    def _status(
        self, error: Exception, principal: Principal, path: str, context: CallContext
    ) -> grpc.Status:
        """Raises: what gRPC is to hear of as it is."""
        match error:
            case RunFailed():
                failure = without_guess(principal, error.failure)
                return status_of(self._hide_bug(failure), error.finished)
            case QuotaMet():
                return status_of(Failure.of(error, error.retry_after_s))
            case LokiError():
                self._access.refused(error, context.peer(), path)
                return status_of(self._hide_bug(without_guess(principal, Failure.of(error))))
            case grpc.aio.InternalError():  # Of a write to a client that has just left.
                raise asyncio.CancelledError from None  # gRPC logs this one as what it is.
            case grpc.aio.BaseError():
                raise error  # gRPC's own.
            case _:
                return status_of(self._bug(error))

    async def _each(
        self, requests: AsyncIterator[bytes], call: Call, parse: Callable[[bytes], object]
    ) -> AsyncIterator[object]:
        """A client that sends more than it may is slowed down: gRPC takes no more meanwhile."""
        first = True
        async for request in requests:
            if delay_s := self._access.charge(call.principal, size_of(request), first=first):
                await asyncio.sleep(delay_s)
            first = False
            yield await self._read(request, parse)

    async def _read(self, data: bytes, parse: Callable[[bytes], object]) -> object:
        """In the loop, a crowd of large ones, 0.2 s each, would hold up all else."""
        return await self._bulk.convert(len(data), parse, data) if self._bulk else parse(data)

    def _hide_bug(self, failure: Failure) -> Failure:
        """What nobody named is a bug, whoever says so; an actor's own report has an incident."""
        if failure.code is not ErrorCode.BUG or "incident" in failure.details:
            return failure
        return self._bug(failure.error())

    def _bug(self, error: BaseException) -> Failure:
        incident = secrets.token_hex(4)
        about = {"incident": incident}
        self._log.error("incident %s: a bug failed a call", incident, exc_info=error, extra=about)
        return Failure(
            code=ErrorCode.BUG,
            message=f"a bug in Loki; the log has it as incident {incident}",
            details={"incident": incident},
        )

    async def drain(self, longest_s: float, lasting_s: float) -> bool:
        """Wait until the calls of now are over, up to `longest_s`; False if they are not then.

        For those that last as long as their clients like it is `lasting_s`, and no matter.
        """
        self._running.close()
        self._lasting.close()
        over, _ = await asyncio.gather(self._running.over(longest_s), self._lasting.over(lasting_s))
        return over


def path_of(method: MethodDescriptor) -> str:
    """Such as "/loki.v1.LokiService/GetScript"."""
    return f"/{method.containing_service.full_name}/{method.name}"


def size_of(request: object) -> int:
    """Bytes of a request; 0 for a stream, whose messages count one by one."""
    return len(request) if isinstance(request, bytes) else 0


def _handler(method: MethodDescriptor, serve: Any) -> grpc.RpcMethodHandler[Any, Any]:
    """It gets bytes: gRPC would answer what is no message itself, and log a traceback, and it
    would read what strangers send.
    """
    make: Any = MAKERS[method.client_streaming, method.server_streaming]
    output = GetMessageClass(method.output_type)
    handler: grpc.RpcMethodHandler[Any, Any] = make(
        serve, response_serializer=output.SerializeToString
    )
    return handler


def _parser(method: MethodDescriptor) -> Callable[[bytes], Any]:
    """Reads a request of that method; it raises InvalidArgument for what is none."""
    message = GetMessageClass(method.input_type)

    def parse(data: bytes) -> Any:
        try:
            return message.FromString(data)
        except DecodeError as error:
            raise InvalidArgument(f"not a request of this method: {error}") from error

    return parse
