"""What clients do wrong below gRPC, or too much: refused, and the next call works."""

import asyncio
import gzip
import re
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import grpc
import pytest

from loki.client import LokiClient
from loki.testing import LokiServer
from loki.v1 import service_pb2, service_pb2_grpc, value_pb2
from tests.e2e import http2
from tests.e2e.http2 import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PING,
    PREFACE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    frame,
    headers,
    said,
)

pytestmark = pytest.mark.e2e

TOOLS = '''
[[tools]]
name = "echo"
parameters = [{ name = "n", type = "integer", required = true }]
return_type = "integer"
script = { inline = "return params.n" }

[[tools]]
name = "sleeper"
return_type = "void"
script = { inline = "loki.sleep(60000)" }
limits = { max_execution_time_ms = 60000 }

[[tools]]
name = "flood"
return_type = "void"
script = { inline = """for i = 1, 640 do
    hel:storage_set("sent", i)
    loki.emit(("x"):rep(100000))
end""" }
limits = { max_execution_time_ms = 60000, max_output_kb = 100000 }
permissions = { storage = true, share = "flood" }

[[tools]]
name = "sent"
return_type = "integer"
script = { inline = "return hel:storage_get('sent')" }
permissions = { storage = true, share = "flood" }
'''
EXECUTE = "/loki.v1.LokiService/ExecuteScript"
GET_SCRIPT = "/loki.v1.LokiService/GetScript"
CALL = "/loki.tools.v1.EchoService/Call"
STREAMS = 1000
NONE, INVALID_ARGUMENT, DEADLINE_EXCEEDED, NOT_FOUND, EXHAUSTED, STALE, UNIMPLEMENTED, INTERNAL = (
    -1,
    3,
    4,
    5,
    8,
    9,
    12,
    13,
)
ANSWERED = b"are you?"
ASKED = frame(PING, 0, 0, ANSWERED)


@pytest.fixture(scope="module")
def server() -> Iterator[LokiServer]:
    environment = {"LOKI_HTTP__PORT": "0", "LOKI_RESOURCE_LIMITS__CEILING__MAX_OUTPUT_KB": "0"}
    with LokiServer(tools=TOOLS, environment=environment) as running:
        yield running


@pytest.fixture(autouse=True)
def healthy(server: LokiServer) -> Iterator[None]:
    """Whatever a test did: the next call works, and the log has nothing about it."""
    before = len(server.log)
    yield
    with server.client() as client:
        assert client.execute("echo", {"n": 7}).value == 7
        assert {child.restarts for child in client.get_children_status()} == {0}
    told = server.log[before:]
    assert not [word for word in ("Traceback", "ERROR", "incident") if word in told], told


def status(answer: bytes) -> int:
    """The grpc-status in an answer whose headers are not compressed; -1 without one."""
    found = re.search(rb"grpc-status[\x01\x02](\d+)", answer)
    return int(found[1]) if found else -1


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST /loki.v1.LokiService/GetScript HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(600),
        bytes(range(256)) * 40,
        http2.MAGIC + b"no frame at all, whatever it may look like",
        http2.MAGIC + frame(DATA, 0, 1, b"before settings"),
        PREFACE + b"\xff\xff\xff" + bytes((DATA, 0, 0, 0, 0, 1)) + bytes(70_000),
        PREFACE + frame(SETTINGS, 0, 1),
        PREFACE + frame(SETTINGS, 0, 0, b"12345"),
        PREFACE + frame(SETTINGS, 1, 0, b"not empty"),
        PREFACE + frame(PING, 0, 0, b"short"),
        PREFACE + frame(DATA, 0, 0, b"on no stream"),
        PREFACE + frame(HEADERS, END_HEADERS, 0, headers(GET_SCRIPT)),
        PREFACE + frame(HEADERS, END_HEADERS, 2, headers(GET_SCRIPT)),
        PREFACE + frame(CONTINUATION, END_HEADERS, 1, headers(GET_SCRIPT)),
        PREFACE + frame(HEADERS, 0, 1, headers(GET_SCRIPT)) + frame(DATA, 0, 1, b"between"),
        PREFACE + frame(WINDOW_UPDATE, 0, 0, bytes(4)),
        PREFACE + frame(WINDOW_UPDATE, 0, 0, b"\x7f\xff\xff\xff") * 3,
        PREFACE + frame(RST_STREAM, 0, 1, b"123"),
    ],
)
def test_what_is_no_http2_ends_its_connection(server: LokiServer, garbage: bytes) -> None:
    answer = said(server.address, garbage + ASKED, until=ANSWERED)
    assert status(answer) != INTERNAL


@pytest.mark.parametrize("block", [b"\xff" * 50, b"\x7f" + b"\xff" * 20])
def test_headers_that_cannot_be_read_are_refused(server: LokiServer, block: bytes) -> None:
    """By gRPC's core, in words of its own: Loki never hears of them."""
    sent = PREFACE + frame(HEADERS, END_HEADERS, 1, block)
    assert b"overflow in hpack" in said(server.address, sent, until=b"hpack")


@pytest.mark.parametrize(
    ("message", "flag", "code"),
    [
        (b"\xff\xff\xff", 0, INVALID_ARGUMENT),
        (b"\n\x02\xc3\x28", 0, INVALID_ARGUMENT),  # Invalid UTF-8 in a string.
        (b"\n\x01a", 0xFE, NOT_FOUND),  # Flags that nobody knows mean nothing.
        (b"\n\x01a", 1, INTERNAL),  # Source: grpc, compression.md, which wants it so.
    ],
)
def test_what_is_no_grpc_message_is_refused(
    server: LokiServer, message: bytes, flag: int, code: int
) -> None:
    sent = http2.call(GET_SCRIPT, message, flag=flag)
    answer = said(server.address, PREFACE + sent, until=b"grpc-status")
    assert status(answer) == code, answer


ZIPPED = gzip.compress(b"\n\x01a" * 50)


@pytest.mark.parametrize("path", [GET_SCRIPT, CALL, "/grpc.health.v1.Health/Check"])
@pytest.mark.parametrize(
    "message", [b"no gzip", ZIPPED[:-9], ZIPPED[:5], ZIPPED[:-6] + b"\0" * 6, ZIPPED[:20] * 2]
)
def test_what_cannot_be_unpacked_is_refused_by_grpc(
    server: LokiServer, path: str, message: bytes
) -> None:
    """Source: grpc, statuscodes.md, which wants INTERNAL; Loki never hears of it."""
    sent = http2.call(path, message, flag=1, grpc_encoding="gzip")
    answer = said(server.address, PREFACE + sent, until=b"grpc-status")
    assert status(answer) == INTERNAL
    assert b"Decompression failed" in answer


def test_calls_that_end_without_a_message_end_with_their_deadlines(server: LokiServer) -> None:
    """Which gRPC's server leaves to them; no client of gRPC makes such a call."""
    ends = END_HEADERS | END_STREAM
    paths = (GET_SCRIPT, CALL, "/grpc.health.v1.Health/Check", "/loki.v1.LokiService/WatchEvents")
    for path in paths:
        sent = frame(HEADERS, ends, 1, headers(path, grpc_timeout="50m"))
        answer = said(server.address, PREFACE + sent, until=b"grpc-status")
        assert status(answer) == DEADLINE_EXCEEDED
    crowd = b"".join(frame(HEADERS, ends, n, headers(GET_SCRIPT)) for n in range(1, 2 * STREAMS, 2))
    said(server.address, PREFACE + crowd + ASKED, until=ANSWERED)


def test_a_message_that_is_cut_short_is_left_alone(server: LokiServer) -> None:
    begun = frame(HEADERS, END_HEADERS, 1, headers(GET_SCRIPT))
    sent = begun + frame(DATA, END_STREAM, 1, b"\0\0\0\0\x09half")
    answer = said(server.address, PREFACE + sent + ASKED, until=ANSWERED)
    assert status(answer) in (NONE, INVALID_ARGUMENT)


@pytest.mark.parametrize(
    "changes",
    [
        {"content_type": "text/plain"},
        {"content_type": "application/json"},
        {"content_type": ""},
        {"te": ""},
        {":method": "GET"},
        {":path": ""},
        {":path": "no/slash"},
        {":path": "/" + "x" * 5000},
        {"grpc_timeout": "soon"},
        {"grpc_timeout": "99999999999999H"},
        {"grpc_encoding": "br"},
        {"x-bin": "no base64!"},
        {"UPPER": "case"},
        {"new\nline": "x"},
    ],
)
def test_headers_of_another_kind_are_answered(server: LokiServer, changes: dict[str, str]) -> None:
    sent = http2.call(GET_SCRIPT, b"\n\x04echo", **changes)
    answer = said(server.address, PREFACE + sent + ASKED, until=ANSWERED)
    assert status(answer) != INTERNAL


def test_metadata_beyond_the_bound_are_refused(server: LokiServer) -> None:
    with grpc.insecure_channel(server.address) as channel:
        stub: Any = service_pb2_grpc.LokiServiceStub(channel)
        for size in 20_000, 1_000_000:
            with pytest.raises(grpc.RpcError) as raised:
                stub.ListScripts(
                    service_pb2.ListScriptsRequest(), metadata=(("k", "v" * size),), timeout=30
                )
            assert raised.value.code() in (
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                grpc.StatusCode.UNAVAILABLE,
            )


def test_headers_without_an_end_are_not_collected(server: LokiServer) -> None:
    """CVE-2024-27316: CONTINUATION frames for ever."""
    piece = http2.literal("k", "v" * 16_000)
    flood = frame(HEADERS, 0, 1, headers(GET_SCRIPT)) + frame(CONTINUATION, 0, 1, piece) * 2000
    assert status(said(server.address, PREFACE + flood, until=b"grpc-status")) in (NONE, EXHAUSTED)


def test_a_bomb_is_not_unpacked(server: LokiServer) -> None:
    bomb = gzip.compress(bytes(60 * 1024 * 1024))  # As much as fits into the first window.
    before = peak_mb(server)
    sent = http2.call(GET_SCRIPT, bomb, flag=1, grpc_encoding="gzip")
    answer = said(server.address, PREFACE + sent, until=b"grpc-status")
    assert status(answer) == EXHAUSTED
    assert peak_mb(server) < before + 60


def peak_mb(server: LokiServer) -> int:
    """The most memory that the gateway ever had."""
    with server.client() as client:
        pids = {child.name: child.pid for child in client.get_children_status()}
    with open(f"/proc/{pids['gateway']}/status") as file:
        return next(int(line.split()[1]) // 1024 for line in file if line.startswith("VmHWM"))


def test_rapid_resets_run_nothing_to_its_end(server: LokiServer) -> None:
    """CVE-2023-44487: calls that are taken back as fast as they are made."""
    request = service_pb2.ExecuteScriptRequest()
    request.input.name = "sleeper"
    message = request.SerializeToString()
    cancel = bytes((0, 0, 0, 8))
    attack = b"".join(
        http2.call(EXECUTE, message, stream=n) + frame(RST_STREAM, 0, n, cancel)
        for n in range(1, 4000, 2)
    )
    said(server.address, PREFACE + attack + ASKED, until=ANSWERED)
    with server.client() as client:
        assert client.execute("echo", {"n": 1}).value == 1
        while any(client.list_executions(state="running")):
            pass  # They are being cancelled; the test's own time-out ends it.
        while any(client.list_executions(state="queued")):
            pass


def test_a_million_numbers_hold_nobody_up(server: LokiServer) -> None:
    """They fit into 4 MiB, and take a second or more to read: a loop that did would be ended."""
    request = service_pb2.ExecuteScriptRequest()
    request.input.name = "echo"
    item = value_pb2.ScriptValue(int_value=1)
    request.input.arguments["n"].array_value.items.extend([item] * 1_000_000)
    with grpc.insecure_channel(server.address) as channel:
        with pytest.raises(grpc.RpcError) as raised:
            service_pb2_grpc.LokiServiceStub(channel).ExecuteScript(request)
        assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_empty_frames_and_pings_cost_nothing(server: LokiServer) -> None:
    flood = frame(HEADERS, END_HEADERS, 1, headers(GET_SCRIPT))
    flood += frame(DATA, 0, 1) * 20_000 + frame(SETTINGS, 0, 0) * 5000
    flood += frame(PING, 0, 0, b"12345678") * 5000
    said(server.address, PREFACE + flood + ASKED, until=ANSWERED)


def test_a_thousand_streams_at_once(server: LokiServer) -> None:
    async def crowd() -> None:
        request = service_pb2.ExecuteScriptRequest()
        request.input.name = "sleeper"
        async with grpc.aio.insecure_channel(server.address) as channel:
            stub: Any = service_pb2_grpc.LokiServiceStub(channel)
            calls = [stub.ExecuteScript(request) for _ in range(STREAMS)]
            late = stub.ListScripts(service_pb2.ListScriptsRequest())  # It waits for a stream.
            while await asyncio.to_thread(queued, server) < STREAMS // 2:
                pass
            for each in calls:
                each.cancel()
            assert len((await late).scripts) == 4

    asyncio.run(crowd())


def queued(server: LokiServer) -> int:
    """How many executions wait; asked for by a connection of its own."""
    with server.client() as client:
        return sum(1 for _ in client.list_executions(state="queued"))


def test_a_reader_that_does_not_read_stops_its_script(server: LokiServer) -> None:
    with server.client() as client, client.stream("flood") as run:
        events = iter(run)
        next(events)
        assert 1 <= stopped_at(client) < 320
        assert sum(1 for _ in events) >= 638
        assert client.execute("sent").value == 640


def stopped_at(client: LokiClient) -> int:
    """How far the flood is, once it does not get on."""
    reads = [0]
    while len(reads) < 20 or len(set(reads[-20:])) > 1:
        reads.append(client.execute("sent").value)
    return reads[-1]


def test_a_reader_that_leaves_while_it_is_waited_for_is_no_error(server: LokiServer) -> None:
    """A message cannot be sent then, which gRPC takes for a bug of ours in half of the cases."""
    with server.client() as client:
        with ExitStack() as stack:
            for _ in range(8):
                next(iter(stack.enter_context(client.stream("flood"))))
            stopped_at(client)
        while any(client.list_executions("flood", state="running")):
            pass  # They are being cancelled; the test's own time-out ends it.


@pytest.mark.parametrize(
    "path",
    ["/x/y", "/loki.v1.LokiService/Nope", "/loki.tools.v1.NopeService/Call", "/loki.v9.X/Call"],
)
def test_unknown_methods_are_unimplemented(server: LokiServer, path: str) -> None:
    answer = said(server.address, PREFACE + http2.call(path, b""), until=b"grpc-status")
    assert status(answer) == UNIMPLEMENTED


def test_typed_requests_that_are_none_are_refused(server: LokiServer) -> None:
    for message in b"\xff", b"\x08", b"\x0a\x02\xc3\x28":
        answer = said(server.address, PREFACE + http2.call(CALL, message), until=b"grpc-status")
        assert status(answer) in (INVALID_ARGUMENT, STALE)


@pytest.mark.parametrize(
    "garbage", [PREFACE, b"\x16\x03\x01\x02\x00\x01\x00", b"POST / HTTP/1.1\r\nA: " + b"x" * 99_999]
)
def test_garbage_at_the_second_port_is_refused(server: LokiServer, garbage: bytes) -> None:
    answer = said(server.http.removeprefix("http://"), garbage + b"\r\n\r\n")
    assert answer.startswith((b"HTTP/1.0 400 ", b"HTTP/1.0 431 ")) or not answer
