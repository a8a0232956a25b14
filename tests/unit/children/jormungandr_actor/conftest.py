"""Servers that behave and misbehave on this machine, and a watch on every connection made."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import pytest


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[tuple]:
    """The address of every connection that this process tries during the test."""
    seen: list[tuple] = []

    class Socket(socket.socket):
        def connect(self, address: tuple) -> None:
            seen.append(address)
            super().connect(address)

    monkeypatch.setattr(socket, "socket", Socket)
    return seen


@dataclass
class Received:
    """One request as it came over the wire."""

    head: str
    body: bytes

    @property
    def line(self) -> str:
        return self.head.split("\r\n", 1)[0]

    def header(self, name: str) -> str | None:
        for line in self.head.split("\r\n")[1:]:
            key, _, value = line.partition(": ")
            if key.lower() == name.lower():
                return value
        return None


Script = Callable[[Received, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Peer:
    """A server that answers each request as its script says, byte by byte."""

    script: Script
    requests: list[Received] = field(default_factory=list)
    accepted: int = 0
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    port: int = 0
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        self._tasks.add(asyncio.current_task())
        try:
            while not writer.is_closing():
                await self._answer_one(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            self.closed.set()
        finally:
            writer.transport.abort()

    async def _answer_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received = Received((await reader.readuntil(b"\r\n\r\n")).decode("latin-1"), b"")
        if length := received.header("Content-Length"):
            received.body = await reader.readexactly(int(length))
        self.requests.append(received)
        gone = asyncio.create_task(self._watch(reader))
        try:
            await self.script(received, writer)
            await writer.drain()
        finally:
            gone.cancel()

    async def _watch(self, reader: asyncio.StreamReader) -> None:
        """The client hung up while it still waits for an answer."""
        while not reader.at_eof():
            await asyncio.sleep(0.001)
        self.closed.set()

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def _peer(script: Script, ssl_context: object = None) -> AsyncIterator[Peer]:
    peer = Peer(script)
    server = await asyncio.start_server(peer.serve, "127.0.0.1", 0, ssl=ssl_context)
    peer.port = server.sockets[0].getsockname()[1]
    try:
        yield peer
    finally:
        server.close()
        await server.wait_closed()
        await peer.end()


@pytest.fixture
def serve() -> Callable[..., contextlib.AbstractAsyncContextManager[Peer]]:
    return _peer


def _answer(status: str = "200 OK", body: bytes = b"", **headers: str) -> Script:
    async def script(_: Received, writer: asyncio.StreamWriter) -> None:
        lines = {"Content-Length": str(len(body)), **headers}
        head = "".join(f"{key.replace('_', '-')}: {value}\r\n" for key, value in lines.items())
        writer.write(f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body)

    return script


@pytest.fixture
def answer() -> Callable[..., Script]:
    return _answer
