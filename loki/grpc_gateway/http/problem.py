"""What is wrong with bytes that are no HTTP request, for whoever sent them.

Theory of operation. The parser's texts quote what came, which may be a token; of them only the
words before that are used. They are also all that is logged.
"""

import re
from dataclasses import dataclass

from aiohttp.http_exceptions import HttpProcessingError, InvalidURLError, LineTooLong

BAD, TOO_LARGE = 400, 431
"""Source: RFC 9110, 15.5.1, and RFC 6585, 5."""
HEADER = re.compile(r"(Duplicate|Missing) '([A-Za-z-]+)' header")
QUOTE = re.compile(r"[:\n]|\s(b|bytearray\(b)?['\"]")
LONGEST = 100
MEANT = {"Duplicate": "the header {} is there twice", "Missing": "there is no header {}"}
KNOWN = (
    ("Too many headers", TOO_LARGE, "there are too many headers"),
    ("Received HTTPS", BAD, "this port takes no TLS: call it with http://"),
    ("Pause on PRI", BAD, "this is HTTP/2, as gRPC speaks it; gRPC has a port of its own"),
)


@dataclass(frozen=True, slots=True)
class HttpProblem:
    """The status that it is answered with, and why."""

    status: int
    text: str


def problem(error: HttpProcessingError) -> HttpProblem:
    """Of a request that the parser refused."""
    if isinstance(error, LineTooLong):
        most = error.args[1]
        return HttpProblem(TOO_LARGE, f"a header, or the path, is longer than {most} bytes")
    if isinstance(error, InvalidURLError):
        return HttpProblem(BAD, "the path is no URL")
    for begin, status, text in KNOWN:
        if error.message.startswith(begin):
            return HttpProblem(status, text)
    if found := HEADER.match(error.message):
        return HttpProblem(BAD, MEANT[found[1]].format(found[2]))
    words = QUOTE.split(error.message, maxsplit=1)[0].strip()[:LONGEST]
    plain = "".join(character for character in words if character.isprintable())
    return HttpProblem(BAD, plain[:1].lower() + plain[1:] or "it is not understood")
