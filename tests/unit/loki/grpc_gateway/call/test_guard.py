"""What every call passes through, without a server."""

import asyncio
import logging
from concurrent.futures import Executor, ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from grpc_reflection.v1alpha import reflection_pb2

from loki.core.access.credential import Credentials
from loki.errors import LokiError
from loki.grpc_gateway.call.bulk import LARGE_BYTES, Bulk
from loki.grpc_gateway.call.guard import Call, Guard, needs
from loki.grpc_gateway.security.access import Access
from loki.grpc_gateway.service.servicers import LokiServicer
from loki.messages.access import ClientRole
from loki.v1 import service_pb2

SERVER_REFLECTION = reflection_pb2.DESCRIPTOR.services_by_name["ServerReflection"]
SERVICE = service_pb2.DESCRIPTOR.services_by_name["LokiService"]
METHOD = SERVICE.methods_by_name["GetScript"]
LOG = logging.getLogger("loki.gateway")
ACCESS = Access(LOG, lambda _delay_s, _action: None)
REQUEST = service_pb2.GetScriptRequest(name="average").SerializeToString()


class FakeContext:
    """As much of gRPC's context as the guard uses."""

    def __init__(self, peer: str = "ipv4:127.0.0.1:1") -> None:
        self._peer = peer
        self.status: tuple[grpc.StatusCode, str] | None = None
        self.callbacks: list[Any] = []

    def peer(self) -> str:
        return self._peer

    def invocation_metadata(self) -> Any:
        return ()

    def auth_context(self) -> Any:
        return {}

    def time_remaining(self) -> float | None:
        return None

    def add_done_callback(self, callback: Any) -> None:
        self.callbacks.append(callback)

    async def abort(self, code: grpc.StatusCode, details: str, _trailers: Any) -> None:
        self.status = code, details
        raise grpc.aio.AbortError

    def finish(self) -> None:
        for callback in self.callbacks:
            callback(self)


def serve(behaviour: Any, context: FakeContext, request: Any = REQUEST) -> Any:
    async def scene() -> Any:
        guard = Guard(LOG, ACCESS)
        return await guard.handler(METHOD, behaviour).unary_unary(request, context)

    return asyncio.run(scene())


def raising(error: BaseException) -> Any:
    @needs(ClientRole.VIEW)
    async def behaviour(_request: Any, _call: Call) -> Any:
        raise error

    return behaviour


def test_every_method_of_the_service_needs_a_role() -> None:
    for method in SERVICE.methods:
        assert isinstance(getattr(LokiServicer, method.name).role, ClientRole), method.name


def test_a_behaviour_without_a_role_is_not_served() -> None:
    async def scene() -> None:
        async def behaviour(_request: Any, _call: Call) -> Any:
            return None

        Guard(LOG, ACCESS).handler(METHOD, behaviour)

    with pytest.raises(AttributeError, match="role"):
        asyncio.run(scene())


def test_the_caller_is_told_to_the_behaviour() -> None:
    @needs(ClientRole.VIEW)
    async def behaviour(request: Any, call: Call) -> Any:
        return request.name, call.principal.name, call.left_s(), call.timeout_s(2.0)

    assert serve(behaviour, FakeContext()) == ("average", "local", None, 2.0)


@pytest.mark.parametrize(
    ("role", "peer", "status"),
    [
        (ClientRole.FAULT, "ipv4:127.0.0.1:1", grpc.StatusCode.PERMISSION_DENIED),
        (ClientRole.VIEW, "ipv4:10.0.0.1:1", grpc.StatusCode.UNAUTHENTICATED),
    ],
)
def test_who_may_not_does_not_reach_the_behaviour(role, peer, status) -> None:
    called = []

    @needs(role)
    async def behaviour(_request: Any, _call: Call) -> None:
        called.append(True)

    context = FakeContext(peer)
    with pytest.raises(grpc.aio.AbortError):
        serve(behaviour, context)
    assert context.status is not None
    assert context.status[0] is status
    assert not called


def test_what_could_not_be_parsed_does_not_reach_the_behaviour() -> None:
    context = FakeContext()
    with pytest.raises(grpc.aio.AbortError):
        serve(raising(AssertionError()), context, b"\xff")
    assert context.status is not None
    code, told = context.status
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert told.startswith("not a request of this method: ")


def test_of_whom_nobody_knows_nothing_is_read() -> None:
    """A request of 4 MiB takes 60 MiB once it is a message."""
    access = Access(LOG, lambda _delay_s, _action: None)
    access.exchange(Credentials(anonymous_loopback=False))
    context = FakeContext()

    async def scene() -> None:
        guard = Guard(LOG, access)
        await guard.handler(METHOD, raising(AssertionError())).unary_unary(b"\xff", context)

    with pytest.raises(grpc.aio.AbortError):
        asyncio.run(scene())
    assert context.status is not None
    assert context.status[0] is grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize(("size", "elsewhere"), [(LARGE_BYTES // 2, 0), (LARGE_BYTES + 1, 1)])
def test_large_requests_are_read_elsewhere(size: int, elsewhere: int) -> None:
    data = service_pb2.GetScriptRequest(name="x" * size).SerializeToString()
    asked: list[str] = []
    read: list[str] = []

    @needs(ClientRole.VIEW)
    async def behaviour(request: Any, _call: Call) -> None:
        read.append(request.name)

    def worker(name: str) -> Executor:
        asked.append(name)
        return executor

    async def scene() -> None:
        shell: Any = SimpleNamespace(worker=worker)
        guard = Guard(LOG, ACCESS, Bulk(shell))
        await guard.handler(METHOD, behaviour).unary_unary(data, FakeContext())

    with ThreadPoolExecutor(1) as executor:
        asyncio.run(scene())
    assert read == ["x" * size]
    assert asked == ["values"] * elsewhere


@pytest.mark.parametrize("error", [KeyError("/home/x"), LokiError("secret /home/x")])
def test_s_10_1_2_a_bug_is_told_by_incident_only(error: Exception, caplog) -> None:
    context = FakeContext()
    with pytest.raises(grpc.aio.AbortError):
        serve(raising(error), context)
    assert context.status is not None
    code, text = context.status
    assert code is grpc.StatusCode.INTERNAL
    assert "/home/x" not in text
    assert text.split()[-1] in caplog.text
    assert "/home/x" in caplog.text


def test_another_actors_bug_keeps_its_incident(caplog) -> None:
    error = LokiError("a bug in library; incident 12ab", details={"incident": "12ab"})
    context = FakeContext()
    with pytest.raises(grpc.aio.AbortError):
        serve(raising(error), context)
    assert context.status == (grpc.StatusCode.INTERNAL, "a bug in library; incident 12ab")
    assert caplog.records == []


@pytest.mark.parametrize("error", [asyncio.CancelledError(), grpc.aio.UsageError("finished")])
def test_grpcs_own_ends_pass_through(error: BaseException) -> None:
    context = FakeContext()
    with pytest.raises(type(error)):
        serve(raising(error), context)
    assert context.status is None


def test_a_client_that_leaves_while_it_is_written_to_is_no_bug(
    caplog: pytest.LogCaptureFixture,
) -> None:
    context = FakeContext()
    with pytest.raises(asyncio.CancelledError):
        serve(raising(grpc.aio.InternalError("cannot send")), context)
    assert (context.status, caplog.records) == (None, [])


@pytest.mark.parametrize(("lasting", "over"), [(False, False), (True, True)])
def test_a_stop_waits_for_calls_but_those_that_last_as_their_clients_like(
    lasting: bool, over: bool
) -> None:
    @needs(ClientRole.VIEW, lasting=lasting)
    async def behaviour(_request: Any, _call: Call) -> Any:
        return None

    async def scene() -> None:
        guard = Guard(LOG, ACCESS)
        context = FakeContext()
        await guard.handler(METHOD, behaviour).unary_unary(REQUEST, context)
        assert await guard.drain(0, 0) is over  # Its answer has not left yet.
        context.finish()
        assert await guard.drain(0, 0)

    asyncio.run(scene())


def test_each_message_of_a_stream_is_charged_and_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    charged: list[bool] = []
    order: list[str] = []
    take = order.append

    class Slow(Access):
        def charge(self, principal: Any, size_bytes: int, *, first: bool = False) -> float:
            charged.append(first)
            return 0.0 if first else 7.0

    async def sleep(delay_s: float) -> None:
        order.append(f"wait {delay_s:g}")

    async def questions() -> Any:
        for _ in range(3):
            yield REQUEST

    @needs(ClientRole.VIEW)
    async def behaviour(requests: Any, _call: Call) -> None:
        async for request in requests:
            take(request.host)

    async def scene() -> None:
        (method,) = SERVER_REFLECTION.methods
        guard = Guard(LOG, Slow(LOG, lambda _delay_s, _action: None))
        await guard.handler(method, behaviour).stream_stream(questions(), FakeContext())

    monkeypatch.setattr("loki.grpc_gateway.call.guard.asyncio.sleep", sleep)
    asyncio.run(scene())
    assert charged == [True, False, False]
    assert order == ["average", "wait 7", "average", "wait 7", "average"]
