"""What is said of bytes that are no HTTP request: a table, by what aiohttp's parsers raise."""

import pytest
from aiohttp.http_exceptions import (
    BadHttpMessage,
    BadHttpMethod,
    BadStatusLine,
    HttpProcessingError,
    InvalidHeader,
    InvalidURLError,
    LineTooLong,
)

from loki.grpc_gateway.http.problem import problem

SECRET = "s3cret"


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (LineTooLong(b"s3cret...", 8190), 431, "a header, or the path, is longer than 8190 bytes"),
        (BadHttpMessage("Too many headers received"), 431, "there are too many headers"),
        (BadHttpMessage("Duplicate 'Host' header found."), 400, "the header Host is there twice"),
        (BadHttpMessage("Missing 'Host' header in request."), 400, "there is no header Host"),
        (
            BadHttpMessage("Duplicate Content-Length:\n\n  b'Content-Length: 0'\n      ^"),
            400,
            "duplicate Content-Length",
        ),
        (
            BadHttpMessage("Transfer-Encoding can't be present with Content-Length:\n\n  b'a'"),
            400,
            "transfer-Encoding can't be present with Content-Length",
        ),
        (
            BadHttpMessage("Invalid header value char:\n\n  b'Authorization: s3cret\\x01'"),
            400,
            "invalid header value char",
        ),
        (InvalidHeader(b"Authorization s3cret"), 400, "invalid HTTP header"),
        (BadStatusLine("GET /s3cret"), 400, "bad status line"),
        (BadHttpMethod("s3cret"), 400, "bad HTTP method in status line"),
        (BadHttpMethod("\x16\x03\x01"), 400, "this port takes no TLS: call it with http://"),
        (InvalidURLError("http://s3cret["), 400, "the path is no URL"),
        (
            BadHttpMessage("Pause on PRI/Upgrade:\n\n  b''"),
            400,
            "this is HTTP/2, as gRPC speaks it",
        ),
        (BadHttpMessage("\x1b[31m"), 400, "[31m"),
        (BadHttpMessage(""), 400, "it is not understood"),
        (BadHttpMessage("x" * 5000), 400, "x" * 100),
    ],
)
def test_what_is_said(error: HttpProcessingError, status: int, text: str) -> None:
    told = problem(error)
    assert (told.status, told.text[: len(text)]) == (status, text)
    assert len(told.text) <= 100
    assert SECRET not in told.text
