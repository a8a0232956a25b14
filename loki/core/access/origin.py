"""Which web pages may call over HTTP: keeps those of strangers away from this device's own user.

Theory of operation. A browser sends what a page asks for from wherever its user sits, so a call
from this device need not be meant by its user. A browser names the page's origin with every POST,
which tells pages from programs. A page may also call its own name after it has made that name point
here (DNS rebinding); then the name stands in `Host`. So whoever calls without credentials of its
own must call this device by a name that nobody else can give it.
"""

import ipaddress
import re
from collections.abc import Collection

ORIGIN = re.compile(r"https?://(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:[0-9]{1,5})?")
"""As browsers write it: lower case, no path. Source: RFC 6454, 6.2."""
PORT = re.compile(r":[0-9]*$")


def is_origin(text: str) -> bool:
    """Whether a browser might send that as `Origin`."""
    return ORIGIN.fullmatch(text) is not None


def refusal(origin: str | None, host: str, allowed: Collection[str], *, anonymous: bool) -> str:
    """Why a request may not be served; "" where it may.

    `anonymous` is a caller that is believed for its address alone.
    """
    if origin is not None and origin not in allowed:
        return (
            f"pages of '{origin[:100]}' may not call this Loki; "
            "[http] allowed_origins names those that may"
        )
    if anonymous and not names_this_device(host):
        return (
            f"'{host[:100]}' may be anybody's name for this device: call it localhost or "
            "127.0.0.1, or show credentials"
        )
    return ""


def names_this_device(host: str) -> bool:
    """Whether a `Host` header names the loopback, whatever any name server says."""
    name = PORT.sub("", host).lower()
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name.removeprefix("[").removesuffix("]")).is_loopback
    except ValueError:
        return False
