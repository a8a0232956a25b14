"""The second port: connections over HTTP, how many, how long, and their end.

Theory of operation. asyncio's own server would take any number of connections that have not begun
TLS yet, each for a minute. So sockets are accepted here, and a connection counts from then on.
"""

import asyncio
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from loki.grpc_gateway.http.problem import problem

IDLE_S = 75.0
"""From the begin of a connection, or its last answer, to the end of the next request's head."""
HANDSHAKE_S = 10.0
PAUSE_S = 0.5
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
        self._tls: ssl.SSLContext | None = None
        self._socket: socket.socket | None = None
        self._accepting: asyncio.Task[None] | None = None
        self._beginning: set[asyncio.Task[None]] = set()

    def begin(self, listening: socket.socket, tls: ssl.SSLContext | None) -> "asyncio.Task[None]":
        """Serve at a socket that is bound, and from now on is the server's.

        The task ends with the server; what it raises is a bug.
        """
        listening.setblocking(False)
        self._socket = listening
        self._tls = tls
        self._accepting = asyncio.create_task(self._accept(listening))
        return self._accepting

    def show(self, tls: ssl.SSLContext) -> None:
        """Begin new connections like that; those that are open go on."""
        self._tls = tls

    async def end(self) -> None:
        """Close every connection; what is still under way is cancelled."""
        ending = [*self._beginning, *filter(None, (self._accepting,))]
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        if self._socket is not None:
            self._socket.close()
        self._server.pre_shutdown()
        await self._server.shutdown(CLOSING_S)

    async def _accept(self, listening: socket.socket) -> None:
        with suppress(asyncio.CancelledError):  # By `end`.
            while True:
                try:
                    connection, _ = await asyncio.get_running_loop().sock_accept(listening)
                except OSError as error:  # Such as too many open files, which others close.
                    self._log.warning("no HTTP connection can be taken: %s", error.strerror)
                    await asyncio.sleep(PAUSE_S)
                else:
                    self._take(connection)

    def _take(self, connection: socket.socket) -> None:
        if len(self._server.connections) + len(self._beginning) >= self._most_connections:
            self._log.info("there are %d HTTP connections already", self._most_connections)
            connection.close()
            return
        task = asyncio.create_task(self._begin(connection))
        self._beginning.add(task)
        task.add_done_callback(self._beginning.discard)

    async def _begin(self, connection: socket.socket) -> None:
        """Until TLS has shaken hands; from then on aiohttp knows of it."""
        loop = asyncio.get_running_loop()
        tls = self._tls
        try:
            await loop.connect_accepted_socket(
                lambda: Connection(self._server, loop=loop, **self._options),
                connection,
                ssl=tls,
                ssl_handshake_timeout=HANDSHAKE_S if tls else None,
            )
        except OSError as error:  # TLS's errors are some, and so is being too slow.
            self._log.info("an HTTP connection did not begin: %s", reason_of(error))


def reason_of(error: OSError) -> str:
    return str(getattr(error, "reason", None) or error.strerror or error)[:100]
