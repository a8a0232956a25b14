"""The second port: connections over HTTP, how many, how long, and their end."""

import asyncio
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from loki.grpc_gateway.http_problem import problem

IDLE_S = 75.0
LINGER_S = 2.0
CLOSING_S = 0.1
MOST_CONNECTIONS = 256


class Connection(web.RequestHandler):
    """One connection. What is no HTTP is told so, and logged, in one line."""

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Called by aiohttp for requests that it cannot read, and for bugs."""
        if not isinstance(exc, HttpProcessingError):
            return super().handle_error(request, status, exc, message)
        told = problem(exc)
        self.logger.info("no HTTP request from %s: %s", request.remote, told.text)
        text = f"this is no HTTP/1.1 request: {told.text}\n"
        answer = web.Response(status=told.status, text=text, headers={"Server": "loki"})
        answer.force_close()
        return answer


class Refused(asyncio.Protocol):
    """A connection too many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()


class HttpServer:
    """Made and used in the gateway's loop."""

    def __init__(
        self,
        answer: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
        log: logging.Logger,
        most_connections: int = MOST_CONNECTIONS,
    ) -> None:
        """`answer` is cancelled when its client leaves."""
        self._log = log
        self._most_connections = most_connections
        self._server = web.Server(answer, handler_cancellation=True)
        self._options: Mapping[str, Any] = {
            "access_log": None,
            "auto_decompress": False,  # It knows no bound.
            "keepalive_timeout": IDLE_S,
            "lingering_time": LINGER_S,
            "logger": log,
        }
        self._socket: socket.socket | None = None
        self._listening: asyncio.Server | None = None

    async def begin(self, listening: socket.socket, tls: ssl.SSLContext | None) -> None:
        """Serve at a socket that is bound, and from now on is the server's."""
        self._socket = listening
        await self.show(tls)

    async def show(self, tls: ssl.SSLContext | None) -> None:
        """Begin new connections like that; those that are open go on."""
        assert self._socket is not None  # noqa: S101  # It has begun.
        former = self._listening
        self._listening = await asyncio.get_running_loop().create_server(
            self._connect, sock=self._socket.dup(), ssl=tls
        )
        if former is not None:
            await _retire(former)

    async def end(self) -> None:
        """Close every connection; what is still under way is cancelled."""
        if self._listening is not None:
            self._listening.close()
        if self._socket is not None:
            self._socket.close()
        self._server.pre_shutdown()
        await self._server.shutdown(CLOSING_S)

    def _connect(self) -> asyncio.Protocol:
        """Called by asyncio for each connection."""
        if len(self._server.connections) >= self._most_connections:
            self._log.info("there are %d HTTP connections already", self._most_connections)
            return Refused()
        return Connection(self._server, loop=asyncio.get_running_loop(), **self._options)


async def _retire(former: asyncio.Server) -> None:
    """Close a server that has a successor at the same socket.

    What it has accepted joins it a turn of the loop later, and would be dropped if it were closed.
    """
    for listening in former.sockets:
        asyncio.get_running_loop().remove_reader(listening.fileno())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    former.close()
