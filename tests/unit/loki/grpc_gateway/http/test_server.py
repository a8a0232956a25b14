"""Connections of the second port: garbage, too many, idle, and another certificate."""

import asyncio
import errno
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from loki.certificate import PairFiles, make_authority, make_server, now_utc
from loki.grpc_gateway.http import server as http_server
from loki.grpc_gateway.http.server import HttpServer
from loki.grpc_gateway.security.tls import Tls
from loki.messages.access import TlsFiles

LOG = logging.getLogger("loki.gateway")
REQUEST = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"
TIMEOUT_S = 60.0
Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter


def play(
    scene: Callable[[HttpServer, int], Awaitable[None]],
    *,
    answer: Any = None,
    tls: ssl.SSLContext | None = None,
    **options: Any,
) -> None:
    """Run a scene against a server that says "hello"."""

    async def hello(_request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(text="hello")

    async def played() -> None:
        server = HttpServer(answer or hello, LOG, **options)
        listening = socket.create_server(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        server.begin(listening, tls)
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await scene(server, port)
        finally:
            await server.end()

    asyncio.run(played())


async def asked(port: int, data: bytes) -> bytes:
    """The first line of what comes back; empty where the connection is closed."""
    return await answered(port, data, Reader.readline)


async def answered(
    port: int, data: bytes, read: Callable[[Reader], Awaitable[bytes]] = Reader.read
) -> bytes:
    """What comes back; empty where the connection is closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    try:
        return await read(reader)
    except ConnectionError:
        return b""
    finally:
        writer.close()


HEAD = b"POST / HTTP/1.1\r\nHost: x\r\n"
LARGE = b"this is no HTTP/1.1 request: a header, or the path, is longer than 8190 bytes\n"


@pytest.mark.parametrize(
    ("garbage", "status", "text"),
    [
        (b"GARBAGE\r\n\r\n", 400, b"ethod"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, b"gRPC has a port of its own"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500), 400, b"takes no TLS"),
        (HEAD + b"Content-Length: many\r\n\r\n", 400, b"Content-Length"),
        (HEAD + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400, b"Content-Length"),
        (HEAD + b"Host: y\r\n\r\n", 400, b"the header Host is there twice"),
        (b"POST / HTTP/1.1\r\n\r\n", 400, b"there is no header Host"),
        (HEAD + b"A: " + b"x" * 60_000 + b"\r\n\r\n", 431, LARGE),
        (HEAD + b"x" * 60_000 + b": A\r\n\r\n", 431, LARGE),
        (
            HEAD + b"".join(b"A%d: x\r\n" % n for n in range(500)) + b"\r\n",
            431,
            b"too many headers",
        ),
        (b"POST /" + b"x" * 20_000 + b" HTTP/1.1\r\n\r\n", 431, LARGE),
    ],
)
def test_garbage_is_refused_without_a_traceback(
    garbage: bytes, status: int, text: bytes, caplog: Any
) -> None:
    async def scene(_server: HttpServer, port: int) -> None:
        got = b""
        while not got:  # A connection that is closed before all is sent may lose the answer.
            got = await answered(port, garbage)
        head, _, body = got.partition(b"\r\n\r\n")
        assert int(head.split()[1]) == status
        assert text in body
        assert (await asked(port, REQUEST)).startswith(b"HTTP/1.1 200 ")

    with caplog.at_level(logging.INFO):
        play(scene)
    assert not [record for record in caplog.records if record.exc_info or record.levelno > 20]


def test_a_connection_too_many_is_closed_and_others_go_on(caplog: Any) -> None:
    async def scene(_server: HttpServer, port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(REQUEST)
        assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
        assert await asked(port, REQUEST) == b""
        writer.write(REQUEST)
        while b"HTTP/1.1 200 " not in await reader.readline():
            pass
        writer.close()

    play(scene, most_connections=1)


def test_a_head_that_comes_slowly_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "IDLE_S", 0.05)

    async def scene(_server: HttpServer, port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        end = asyncio.create_task(reader.read())
        writer.write(b"POST / HTTP/1.1\r\n")
        while not end.done():  # What comes does not put it off.
            writer.write(b"A: b\r\n")
            await asyncio.wait({end}, timeout=0.001)
        with suppress(ConnectionError):
            assert await end == b""
        writer.close()

    play(scene)


def test_without_files_it_waits_for_some(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(http_server, "PAUSE_S", 0.0)

    async def scene(_server: HttpServer, port: int) -> None:
        loop = asyncio.get_running_loop()
        accept, full = loop.sock_accept, [OSError(errno.EMFILE, "Too many open files")]

        async def sock_accept(listening: socket.socket) -> Any:
            taken = await accept(listening)
            if full:
                taken[0].close()
                raise full.pop()
            return taken

        monkeypatch.setattr(loop, "sock_accept", sock_accept)
        while not (await asked(port, REQUEST)).startswith(b"HTTP/1.1 200 "):
            pass

    play(scene)
    assert caplog.messages == ["no HTTP connection can be taken: Too many open files"]


def test_an_idle_connection_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "IDLE_S", 0.05)

    async def scene(_server: HttpServer, port: int) -> None:
        silent, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await silent.read() == b""
        writer.close()

    play(scene)


def test_a_client_that_leaves_cancels_what_it_waits_for() -> None:
    begun, cancelled = asyncio.Event(), asyncio.Event()

    async def wait(_request: web.BaseRequest) -> web.StreamResponse:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        raise AssertionError

    async def scene(_server: HttpServer, port: int) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(REQUEST)
        await begun.wait()
        writer.close()
        await cancelled.wait()

    play(scene, answer=wait)


@pytest.fixture
def shaking(tmp_path: Path) -> ssl.SSLContext:
    """What a server with TLS begins connections with."""
    authority = make_authority(PairFiles.of(tmp_path, "ca"), "Test", now_utc())
    files = PairFiles.of(tmp_path, "server")
    make_server(files, authority, ("localhost",), 5, now_utc())
    return Tls(TlsFiles(certificate=str(files.certificate), key=str(files.key))).context()


def test_connections_that_do_not_begin_tls_count_too(
    shaking: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_server, "HANDSHAKE_S", 10 * TIMEOUT_S)

    async def scene(_server: HttpServer, port: int) -> None:
        silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        for _, writer in silent:
            assert not writer.is_closing()
        assert await asked(port, b"") == b""  # The third is closed at once.
        for _, writer in silent:
            writer.close()

    play(scene, tls=shaking, most_connections=2)


def test_a_handshake_that_does_not_come_is_not_waited_for(
    shaking: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_server, "HANDSHAKE_S", 0.05)

    async def scene(server: HttpServer, port: int) -> None:
        assert await asked(port, b"") == b""
        assert (await asked(port, REQUEST))[:5] != b"HTTP/"  # No TLS: that ends it too.
        trust = ssl.create_default_context()
        trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
        monkeypatch.setattr(http_server, "HANDSHAKE_S", TIMEOUT_S)
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trust)
        writer.write(REQUEST)
        assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
        writer.close()

    play(scene, tls=shaking)


def test_another_certificate_is_shown_to_new_connections(tmp_path: Path) -> None:
    authority = make_authority(PairFiles.of(tmp_path, "ca"), "Test", now_utc())

    def made(name: str) -> PairFiles:
        files = PairFiles.of(tmp_path, name)
        make_server(files, authority, ("localhost",), 5, now_utc())
        return files

    files = [made("first"), made("second")]
    contexts = [
        Tls(TlsFiles(certificate=str(pair.certificate), key=str(pair.key))).context()
        for pair in files
    ]

    def shown(port: int) -> str:
        return ssl.get_server_certificate(("127.0.0.1", port), timeout=TIMEOUT_S).strip()

    async def scene(server: HttpServer, port: int) -> None:
        first, second = (pair.certificate.read_text().strip() for pair in files)
        assert await asyncio.to_thread(shown, port) == first
        asking = asyncio.gather(*(asyncio.to_thread(shown, port) for _ in range(50)))
        while not asking.done():  # None is dropped meanwhile.
            server.show(contexts[1])
            await asyncio.sleep(0)
        assert set(await asking) <= {first, second}
        assert await asyncio.to_thread(shown, port) == second

    play(scene, tls=contexts[0])
