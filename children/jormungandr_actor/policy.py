"""Which URLs a permission allows, and which addresses they may lead to. Pure: nothing is sent."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from ipaddress import ip_address
from typing import Self
from urllib.parse import quote, unquote, urlsplit

from jormungandr_actor.address import Reach, reach
from loki.errors import InvalidArgument

PORTS = {"http": 80, "https": 443}
MAX_URL_LETTERS = 8192

_UNSAFE = re.compile(r"[\x00-\x20\x7f\\\ud800-\udfff]")
_UPWARDS = re.compile(r"(^|[/\\])\.\.?($|[/\\;])")  # "..;" is ".." to some servers.
_HOST_NAME = re.compile(r"[a-z0-9_]([a-z0-9_.-]{0,252})")
_PATTERN = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]+\]|[^/:@\[\]?#]+)"
    r"(:(?P<port>\d{1,5}|\*))?(?P<path>/[^?#]*)?"
)


@dataclass(frozen=True, slots=True)
class Target:
    """A URL taken apart once. What was checked here is what will be sent."""

    scheme: str
    host: str  # Lower case ASCII; an IPv6 address without brackets.
    port: int
    path: str  # Percent-encoded, starts with "/".
    query: str  # Percent-encoded, without "?".

    @property
    def is_address(self) -> bool:
        return is_address(self.host)

    @property
    def origin(self) -> str:
        """Scheme, host, and the port where it is not the scheme's own."""
        return f"{self.scheme}://{self.authority}"

    @property
    def authority(self) -> str:
        """As in the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.origin}{self.path}" + (f"?{self.query}" if self.query else "")


def target_of(url: str) -> Target:
    """Take a script's or a redirect's URL apart.

    Raises: InvalidArgument for what could be read in two ways or smuggle something: control
    characters, spaces, backslashes, a user, "." or ".." in the path, a host that is no name.
    """
    if len(url) > MAX_URL_LETTERS:
        raise _invalid(url, f"it is longer than {MAX_URL_LETTERS} letters")
    if _UNSAFE.search(url):  # Before urlsplit, which drops some of these silently.
        raise _invalid(url, "it holds a control character, a space or a backslash")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise _invalid(url, str(error)) from None
    if parts.scheme not in PORTS:
        raise _invalid(url, "it must start with http:// or https://")
    if "@" in parts.netloc:
        raise _invalid(url, "it names a user; send credentials another way")
    if _UPWARDS.search(unquote(parts.path)):
        raise _invalid(url, "its path holds '.' or '..'; write out where it leads")
    return Target(
        scheme=parts.scheme,
        host=_host(url, parts.hostname or ""),
        port=PORTS[parts.scheme] if port is None else port,
        path=quote(parts.path, safe="/%:@!$&'()*+,;=~") or "/",
        query=quote(parts.query, safe="/?%:@!$&'()*+,;=~"),
    )


def _host(url: str, host: str) -> str:
    if ":" in host:
        try:
            return str(ip_address(host)) if "%" not in host else _no_host(url)
        except ValueError:
            return _no_host(url)
    try:
        name = host.encode("idna").decode().lower().removesuffix(".")
    except UnicodeError:
        return _no_host(url)
    return name if _HOST_NAME.fullmatch(name) else _no_host(url)


def _no_host(url: str) -> str:
    raise _invalid(url, "its host is neither a name nor an address")


def _invalid(url: str, why: str) -> InvalidArgument:
    return InvalidArgument(f"url {url[:200]!r}: {why}", details={"field": "url"})


@dataclass(frozen=True, slots=True)
class Pattern:
    """One entry of the permission `http`: a scheme, a host, a port, and a path with all below."""

    scheme: str
    host: str  # "*" stands for any part of a name.
    port: int | None  # None is any.
    path: str  # What the path starts with; one without "/" at the end ends at a segment.

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """None for what is no pattern: it allows nothing. "*" alone is any URL."""
        if text == "*":
            return cls(scheme="*", host="*", port=None, path="/")
        match = _PATTERN.fullmatch(text)
        if match is None:
            return None
        scheme, port = match["scheme"], match["port"]
        return cls(
            scheme=scheme,
            host=match["host"].lower().strip("[]").removesuffix("."),
            port=None if port == "*" else int(port) if port else PORTS[scheme],
            path=match["path"] or "/",
        )

    def matches(self, target: Target) -> bool:
        return (
            self.scheme in ("*", target.scheme)
            and self.port in (None, target.port)
            and fnmatchcase(target.host, self.host)
            and self._covers(target.path)
        )

    def _covers(self, path: str) -> bool:
        prefix = self.path.removesuffix("*")
        if prefix.endswith("/") or prefix != self.path:
            return path.startswith(prefix)
        return path == prefix or path.startswith(f"{prefix}/")

    def admits(self, target: Target, where: Reach) -> bool:
        """Whether a URL that matches may lead to such an address.

        The public network always; the local one where the host is named outright; this device
        only by address or as localhost, so that no foreign name server can point a name at it.
        """
        match where:
            case Reach.PUBLIC:
                return True
            case Reach.LOCAL:
                return self.host == target.host
            case Reach.SPECIAL:
                return self.host == target.host and _is_fixed(target.host)


def _is_fixed(host: str) -> bool:
    """Whether nobody outside decides where the name leads."""
    return host == "localhost" or is_address(host)


def is_address(host: str) -> bool:
    """Whether `host` is an IP address rather than a name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def matching(target: Target, permission: Iterable[str]) -> tuple[Pattern, ...]:
    """The patterns that allow this URL, apart from where its host leads."""
    patterns = (Pattern.parse(text) for text in permission)
    return tuple(pattern for pattern in patterns if pattern and pattern.matches(target))


def forbidden(
    target: Target, patterns: tuple[Pattern, ...], addresses: Iterable[str]
) -> str | None:
    """The first address that none of the matching `patterns` admits; one is enough to refuse."""
    for address in addresses:
        where = reach(address)
        if not any(pattern.admits(target, where) for pattern in patterns):
            return address
    return None
