"""A call over HTTP as the Guard sees it."""

import asyncio
from typing import Any

import grpc
import pytest

from loki.errors import ErrorCode, LokiError
from loki.grpc_gateway.call.status import status_of
from loki.grpc_gateway.http.context import Aborted, HttpContext, names_of, peer_of
from loki.grpc_gateway.security.auth import caller_of
from loki.messages.envelope import Failure

CERTIFICATE = {
    "subject": ((("organizationName", "X"),), (("commonName", "sensor-7"),)),
    "subjectAltName": (("DNS", "sensor-7.lan"), ("IP Address", "10.0.0.7")),
}


def context(peer: Any = ("127.0.0.1", 4711), **certificate: Any) -> HttpContext:
    return HttpContext(peer, [("Authorization", "Bearer x"), ("A", "b")], certificate)


@pytest.mark.parametrize(
    ("peername", "text"),
    [
        (("127.0.0.1", 4711), "ipv4:127.0.0.1:4711"),
        (("::1", 4711, 0, 0), "ipv6:%5B::1%5D:4711"),
        ("", "unix:"),
        (None, "unix:"),
    ],
)
def test_a_peer_is_written_as_grpc_does(peername: Any, text: str) -> None:
    assert peer_of(peername) == text


def test_the_caller_is_told_by_headers_and_certificate() -> None:
    caller = caller_of(context(("10.0.0.7", 1), **CERTIFICATE))
    assert caller.authorization == ("Bearer x",)
    assert caller.names == ("sensor-7", "sensor-7.lan", "10.0.0.7")
    assert not caller.local
    assert caller_of(context()).local
    assert names_of({}) == {}


def test_a_deadline_passes() -> None:
    call = context()
    assert call.time_remaining() is None
    call.limit(0.0)
    assert call.time_remaining() == 0.0
    call.limit(1000.0)
    assert 0 < (call.time_remaining() or 0) <= 1000.0


def test_metadata_become_headers() -> None:
    call = context()
    call.set_trailing_metadata((("loki-execution-id", "1"),))
    asyncio.run(call.send_initial_metadata((("x", "2"),)))
    assert call.sent == {"trailer-loki-execution-id": "1", "x": "2"}


def test_an_abort_carries_the_whole_status() -> None:
    given = status_of(Failure(code=ErrorCode.QUEUE_FULL, message="füll"))
    with pytest.raises(Aborted) as raised:
        asyncio.run(context().abort(given.code, given.details, given.trailing_metadata))
    status = raised.value.status
    assert (status.code, status.message) == (grpc.StatusCode.RESOURCE_EXHAUSTED.value[0], "füll")
    assert len(status.details) >= 2


def test_an_abort_without_details_is_told_too() -> None:
    with pytest.raises(Aborted) as raised:
        asyncio.run(context().abort(grpc.StatusCode.NOT_FOUND, "nothing"))
    assert (raised.value.status.code, raised.value.status.message) == (5, "nothing")


def test_the_end_is_told_to_who_asked() -> None:
    call, told = context(), []
    call.add_done_callback(told.append)
    call.finish()
    assert told == [call]


def test_there_are_no_streams() -> None:
    with pytest.raises(LokiError):
        asyncio.run(context().write(b""))
