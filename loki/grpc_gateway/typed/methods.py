"""The typed methods of all scripts: one generic handler over the directory's snapshot.

Theory of operation. Each call looks its service up once and keeps what it found: its request is
read with that revision's schema, and that revision is what runs. The Dispatcher hears of a new
revision a moment before this gateway does, so it is told that the one it has just replaced will do.
What is not in the snapshot is UNIMPLEMENTED, and so is, in the same words, what is out of reach of
the caller's roles; who may call nothing at all is told only that.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import grpc

from loki.core.access.principal import OutOfReach, Principal, may_run
from loki.core.library.library import unread
from loki.errors import ErrorCode, LokiError, ServiceUnavailable
from loki.grpc_gateway.call.execution import EXECUTION_HEADER, Executor
from loki.grpc_gateway.call.guard import Call, Guard
from loki.grpc_gateway.call.run_table import RunFailed
from loki.grpc_gateway.typed import codec, schema
from loki.grpc_gateway.typed.directory import Directory, Snapshot, TypedService
from loki.messages.access import ClientRole
from loki.messages.execution import Cause, SubmitRun

PREFIX = f"/{schema.PACKAGE}."


class TypedMethods(grpc.GenericRpcHandler):  # type: ignore[type-arg]  # Only stubs have them.
    """`loki.tools.v1.*Service/Call` and `/CallStream`."""

    def __init__(self, guard: Guard, executor: Executor, directory: Directory) -> None:
        self._guard = guard
        self._executor = executor
        self._directory = directory

    def service(
        self, handler_call_details: grpc.HandlerCallDetails
    ) -> "grpc.RpcMethodHandler[Any, Any] | None":
        """Called by gRPC, in the gateway's loop, for each call that no static service takes."""
        path = handler_call_details.method
        return self.find(path) if path.startswith(PREFIX) else None

    def find(self, path: str) -> "grpc.RpcMethodHandler[Any, Any]":
        """What takes a call of that path, or refuses it."""
        name, _, method = path[1:].rpartition("/")
        snapshot = self._directory.snapshot
        service = snapshot.services.get(name)
        if service is not None and method == schema.CALL:
            behaviour, streams = partial(self.call, service), False
        elif service is not None and method == schema.CALL_STREAM:
            behaviour, streams = partial(self.call_stream, service), True
        else:
            behaviour, streams = partial(_refuse, snapshot, path[1:]), False
        return self._guard.raw_handler(
            behaviour, ClientRole.EXECUTE, path, server_streaming=streams
        )

    def request_of(self, path: str, principal: Principal | None) -> type[Any] | None:
        """The request message of Call; None where there is none that the caller may know of."""
        name, _, method = path[1:].rpartition("/")
        service = self._directory.snapshot.services.get(name)
        if service is None or method != schema.CALL or principal is None:
            return None
        if not may_run(principal, service.interface.name):
            return None
        return codec.reader_of(service).message

    async def call(self, service: TypedService, request: bytes, call: Call) -> Any:
        """The response message. Raises: LokiError."""
        submit = await self._submission(service, request, call, stream=False)
        with gone_is_told(service):
            finished = await self._executor.run(submit, call)
        call.context.set_trailing_metadata(((EXECUTION_HEADER, submit.run),))
        return await self._executor.bulk.convert(
            len(finished.value), codec.response, finished, service.interface.return_type
        )

    async def call_stream(self, service: TypedService, request: bytes, call: Call) -> None:
        """Write each response message as it comes. Raises: LokiError."""
        submit = await self._submission(service, request, call, stream=True)
        respond = partial(codec.stream_response, return_type=service.interface.return_type)
        with gone_is_told(service):
            await self._executor.stream(submit, call, respond)

    async def _submission(
        self, service: TypedService, request: bytes, call: Call, *, stream: bool
    ) -> SubmitRun:
        """Raises: LokiError."""
        if not may_run(call.principal, script := service.interface.name):
            method = f"{service.full_name}/{schema.CALL_STREAM if stream else schema.CALL}"
            raise OutOfReach(absent(method), call.principal, script)
        return SubmitRun(
            run=self._executor.new_id(),
            principal=call.principal.name,
            script=script,
            revision=service.interface.revision,
            former=True,
            arguments=await self._executor.bulk.convert(
                len(request), codec.arguments_of, service, request
            ),
            stream=stream,
        )


async def _refuse(snapshot: Snapshot, method: str, _request: bytes, _call: Call) -> None:
    """Raises: LokiError (UNSUPPORTED); ServiceUnavailable for what the Library may still send."""
    if not snapshot.whole:
        raise unread(method)
    raise absent(method)


def absent(method: str) -> LokiError:
    """What is said of a method that is not there, as far as the caller may know."""
    return LokiError(
        f"there is no typed method '{method}'; server reflection lists those that there are",
        code=ErrorCode.UNSUPPORTED,
    )


@contextmanager
def gone_is_told(service: TypedService) -> Iterator[None]:
    """Tell a client in a typed method's terms that what it calls has gone meanwhile.

    Raises: ServiceUnavailable where the script has another revision; LokiError (UNSUPPORTED).
    """
    try:
        yield
    except RunFailed as error:
        refused = error.finished.cause is Cause.REFUSED
        if not refused or error.code is not ErrorCode.SCRIPT_NOT_FOUND:
            raise
        raise gone(service.interface.name, error.details.get("revision", "")) from error


def gone(name: str, present: str) -> LokiError:
    """`present` is the revision that there is now, or ""."""
    if present:
        return ServiceUnavailable(
            f"'{name}' was replaced while this call came in; try again",
            details={"script": name, "revision": present},
        )
    return LokiError(
        f"'{name}' was removed while this call came in",
        code=ErrorCode.UNSUPPORTED,
        details={"script": name},
    )
