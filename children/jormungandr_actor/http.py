"""HTTP requests of runs: each hop is checked, sent to a checked address only, and bounded.

The URL that aiohttp gets holds the checked address instead of the name, so that it never looks
a name up itself, and pooled connections belong to addresses: a connection that one run was
allowed to open is of no use for another's name. The name goes into the Host header and into TLS.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TypeAlias
from urllib.parse import urljoin

import aiohttp
import msgspec
from yarl import URL

from jormungandr_actor.body import Body
from jormungandr_actor.policy import Reach, Target, forbidden, matching, target_of
from jormungandr_actor.address import reach
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
            raise IoError(f"{self.target.origin} redirects to where nobody can go: {error}") from error
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
        self._connector = aiohttp.TCPConnector(limit=MAX_CONNECTIONS, ssl=_trust(bounds.ca_file))
        self._session = aiohttp.ClientSession(
            connector=self._connector,
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
        exchange: Exchange | None = Exchange(method, target_of(url), body)
        hosts: list[str] = []
        try:
            async with asyncio.timeout(self._bounds.timeout_s):
                for _ in range(self._bounds.max_redirects + 1):
                    hosts.append(exchange.target.origin)
                    answer = await self._perform(run, exchange)
                    if isinstance(answer, bytes):
                        return answer
                    exchange = answer
        except TimeoutError:
            raise IoError(
                f"{hosts[-1]} did not answer within {self._bounds.timeout_s:g} s",
                details={"host": hosts[-1], "reason": "timeout"},
            ) from None
        raise IoError(
            f"{hosts[0]} redirects more than {self._bounds.max_redirects} times",
            details={"host": hosts[0], "reason": "redirects"},
        )
