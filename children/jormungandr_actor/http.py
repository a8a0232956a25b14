"""HTTP requests of runs: each hop is checked, sent to a checked address only, and bounded.

The URL that aiohttp gets holds the checked address instead of the name, so that it never looks
a name up itself, and pooled connections belong to addresses: a connection that one run was
allowed to open is of no use for another's name. The name goes into the Host header and into TLS.
"""

import asyncio
import os
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TypeAlias
from urllib.parse import urljoin

import aiohttp
import msgspec
from yarl import URL

from jormungandr_actor.address import Reach, reach
from jormungandr_actor.body import Body
from jormungandr_actor.policy import Target, forbidden, matching, target_of
from loki.child import Run
from loki.errors import InvalidArgument, IoError, PermissionRefused

MIB = 1024 * 1024
MAX_CONNECTIONS = 32
REDIRECTS = frozenset({301, 302, 303, 307, 308})

Resolve: TypeAlias = Callable[[str, int], Awaitable[list[str]]]
"""Host and port -> addresses, best first. Raises: OSError when there is none."""


class Bounds(msgspec.Struct, frozen=True):
    """Mirrors `JormungandrConfig`; keys that are not Jörmungandr's own are passed over."""

    timeout_s: float
    max_response_mb: int  # MiB
    max_redirects: int
    ca_file: str


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request to be sent, and one answer to be had."""

    method: str
    target: Target
    body: str | bytes | None = None

    def redirected(self, status: int, location: str) -> "Exchange":
        """The next request. Source: RFC 9110, 15.4, with POST becoming GET as browsers do.

        Raises: IoError when `location` is no URL that may be asked for.
        """
        try:
            target = target_of(urljoin(self.target.url, location))
        except (InvalidArgument, ValueError) as error:
            raise _failed(self.target.origin, "redirects", f"redirects badly: {error}") from error
        if status == 303 or (status in (301, 302) and self.method == "POST"):
            return Exchange("GET", target)
        return replace(self, target=target)


async def look_up(host: str, port: int) -> list[str]:
    """`Resolve` as the device's own name service answers."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(info[4][0]) for info in found))


class HttpClient:
    """One pool of connections for all runs. Lives in the loop that created it."""

    def __init__(self, bounds: Bounds, resolve: Resolve = look_up) -> None:
        self._bounds = bounds
        self._resolve = resolve
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=MAX_CONNECTIONS, ssl=_trust(bounds.ca_file)),
            cookie_jar=aiohttp.DummyCookieJar(),  # Runs do not share logins.
            auto_decompress=False,
            headers={"User-Agent": "Loki", "Accept-Encoding": "gzip"},
        )

    async def close(self) -> None:
        """Close every connection."""
        await self._session.close()

    async def request(
        self, run: Run, method: str, url: str, body: str | bytes | None = None
    ) -> bytes:
        """The body of the last answer after redirects.

        Raises: PermissionRefused or InvalidArgument before anything is sent there; IoError with
        `details["status"]` for a status of 400 or above, and without for a host that cannot be
        reached, does not answer in time or answers nonsense; ResourceLimitExceeded for a body
        above the bound.
        """
        exchange = Exchange(method, target_of(url), body)
        first = exchange.target.origin
        deadline_s = asyncio.get_running_loop().time() + self._bounds.timeout_s
        for _ in range(self._bounds.max_redirects + 1):
            answer = await self._hop(run, exchange, deadline_s)
            if isinstance(answer, bytes):
                return answer
            exchange = answer
        raise _failed(first, "redirects", f"redirects more than {self._bounds.max_redirects} times")

    async def _hop(self, run: Run, exchange: Exchange, deadline_s: float) -> bytes | Exchange:
        """One body, or where to go for it."""
        origin = exchange.target.origin
        try:
            async with asyncio.timeout_at(deadline_s):
                addresses = await self._admitted(run, exchange.target)
                return await self._send(exchange, addresses)
        except TimeoutError:
            in_time = f"did not answer within {self._bounds.timeout_s:g} s"
            raise _failed(origin, "timeout", in_time) from None
        except aiohttp.ClientSSLError as error:
            raise _failed(origin, "tls", f"cannot be trusted: {error}") from error
        except aiohttp.ClientConnectorError as error:
            why = os.strerror(error.errno) if error.errno else str(error)
            raise _failed(origin, "connect", f"cannot be reached: {why}") from error
        except aiohttp.ClientError as error:
            why = str(error) or type(error).__name__
            raise _failed(origin, "protocol", f"did not answer properly: {why}") from error

    async def _admitted(self, run: Run, target: Target) -> list[str]:
        """The addresses to connect to. All must be admitted: one bad one spoils the name."""
        patterns = matching(target, run.allowed("http"))
        if not patterns:
            raise run.refusal("http", target.url[:200], _line(target))
        addresses = await self._addresses(target)
        bad = forbidden(target, patterns, addresses)
        if bad is not None:
            raise _refused_address(run, target, bad)
        return addresses

    async def _addresses(self, target: Target) -> list[str]:
        if target.is_address:
            return [target.host]
        try:
            return await self._resolve(target.host, target.port)
        except OSError as error:
            why = f"has no address: {error.strerror}"
            raise _failed(target.origin, "name", why) from error

    async def _send(self, exchange: Exchange, addresses: list[str]) -> bytes | Exchange:
        """Try the addresses in turn until one takes the connection."""
        share = aiohttp.ClientTimeout(sock_connect=self._bounds.timeout_s / len(addresses))
        for address in addresses[:-1]:
            try:
                return await self._exchange(exchange, address, share)
            except aiohttp.ClientSSLError:
                raise
            except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
                continue
        return await self._exchange(exchange, addresses[-1], share)

    async def _exchange(
        self, exchange: Exchange, address: str, timeout: aiohttp.ClientTimeout
    ) -> bytes | Exchange:
        target = exchange.target
        async with self._session.request(
            exchange.method,
            _url(target, address),
            headers={"Host": target.authority},
            data=exchange.body,
            allow_redirects=False,
            server_hostname=target.host if target.scheme == "https" else None,
            timeout=timeout,
        ) as answer:
            location = answer.headers.get("Location")
            if answer.status in REDIRECTS and location is not None:
                return exchange.redirected(answer.status, location)
            if answer.status >= 400:
                raise _bad_status(target, answer)
            return await self._body(target, answer)

    async def _body(self, target: Target, answer: aiohttp.ClientResponse) -> bytes:
        encoding = answer.headers.get("Content-Encoding", "").strip().lower()
        body = Body(target.origin, encoding, self._bounds.max_response_mb * MIB)
        body.expect(answer.content_length)
        async for chunk in answer.content.iter_any():
            body.feed(chunk)
        return body.whole()


def _url(target: Target, address: str) -> URL:
    return URL.build(
        scheme=target.scheme,
        host=address,
        port=target.port,
        path=target.path,
        query_string=target.query,
        encoded=True,
    )


def _trust(ca_file: str) -> ssl.SSLContext | bool:
    if not ca_file:
        return True
    context = ssl.create_default_context()
    context.load_verify_locations(ca_file)
    return context


def _bad_status(target: Target, answer: aiohttp.ClientResponse) -> IoError:
    return IoError(
        f"{target.origin} answered {answer.status} {answer.reason or ''}".rstrip()[:200],
        details={"host": target.origin, "status": str(answer.status)},
    )


def _failed(origin: str, reason: str, text: str) -> IoError:
    return IoError(f"{origin} {text}"[:400], details={"host": origin, "reason": reason})


def _line(target: Target) -> str:
    return f'http = ["{target.origin}/"]'


def _refused_address(run: Run, target: Target, address: str) -> PermissionRefused:
    """Its line names the host outright or, where no name will do, the address."""
    where = reach(address)
    wanted = f"{target.origin} at {address}, which is {where.value}"
    if where is Reach.LOCAL:
        return run.refusal("http", wanted, _line(target))
    return run.refusal("http", wanted, _line(replace(target, host=address.partition("%")[0])))
