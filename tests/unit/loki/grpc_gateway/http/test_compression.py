"""Compressed bodies, honest ones and bombs."""

import gzip

import pytest

from loki.errors import ErrorCode, LokiError
from loki.grpc_gateway.http.compression import accepts_gzip, decoded, encoded

MOST = 1000


@pytest.mark.parametrize("encoding", ["", "identity", "gzip"])
def test_a_body_is_read_as_it_was_meant(encoding: str) -> None:
    body = b"x" * MOST
    sent = gzip.compress(body) if encoding == "gzip" else body
    assert decoded(sent, encoding, MOST) == body


@pytest.mark.parametrize(
    ("body", "encoding", "code"),
    [
        (gzip.compress(b"x" * (MOST + 1)), "gzip", ErrorCode.QUOTA),
        (gzip.compress(bytes(50_000_000)), "gzip", ErrorCode.QUOTA),
        (gzip.compress(b"text")[:-1], "gzip", ErrorCode.ARGUMENT_INVALID),
        (b"no gzip", "gzip", ErrorCode.ARGUMENT_INVALID),
        (b"", "gzip", ErrorCode.ARGUMENT_INVALID),
        (b"x", "br", ErrorCode.UNSUPPORTED),
    ],
)
def test_what_cannot_be_read_is_refused(body: bytes, encoding: str, code: ErrorCode) -> None:
    with pytest.raises(LokiError) as raised:
        decoded(body, encoding, MOST)
    assert raised.value.code is code


def test_a_large_answer_is_compressed_for_who_accepts_it() -> None:
    body = b"x" * 5000
    compressed, encoding = encoded(body, "gzip, deflate")
    assert (gzip.decompress(compressed), encoding) == (body, "gzip")
    assert encoded(body, "") == (body, "")
    assert encoded(b"small", "gzip") == (b"small", "")


@pytest.mark.parametrize(
    ("accepted", "gzip_too"),
    [
        ("gzip", True),
        ("br, GZIP;q=0.5", True),
        ("gzip; q=1", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("br", False),
        ("", False),
    ],
)
def test_what_a_client_accepts(accepted: str, gzip_too: bool) -> None:
    assert accepts_gzip(accepted) is gzip_too
