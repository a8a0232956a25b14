"""Compressed bodies: read up to a size and no further, written where it is worth it."""

import zlib

from loki.errors import ErrorCode, InvalidArgument, LokiError, ResourceLimitExceeded

GZIP = "gzip"
IDENTITY = "identity"
WINDOW = 31  # zlib's for gzip. Source: zlib.h, inflateInit2.
LEVEL = 1
LEAST_BYTES = 1024
"""What is smaller leaves as it is: it would fit into the same packet."""


def decoded(body: bytes, encoding: str, most_bytes: int) -> bytes:
    """Of at most `most_bytes`, whatever it claims to become.

    Raises: ResourceLimitExceeded; InvalidArgument; LokiError (UNSUPPORTED) for other encodings.
    """
    if encoding in ("", IDENTITY):
        return body
    if encoding != GZIP:
        raise LokiError(
            f"Content-Encoding: '{encoding[:40]}' is neither {GZIP} nor {IDENTITY}",
            code=ErrorCode.UNSUPPORTED,
        )
    stream = zlib.decompressobj(WINDOW)
    try:
        data = stream.decompress(body, most_bytes + 1)
    except zlib.error as error:
        raise InvalidArgument(f"the body is not {GZIP}: {error}") from error
    if len(data) > most_bytes:
        raise too_large(most_bytes)
    if not stream.eof:
        raise InvalidArgument(f"the body is cut short: its {GZIP} does not end")
    return data


def encoded(body: bytes, accepted: str) -> tuple[bytes, str]:
    """The body and its encoding, by what the client accepts; "" is as it was."""
    if len(body) < LEAST_BYTES or not accepts_gzip(accepted):
        return body, ""
    stream = zlib.compressobj(LEVEL, wbits=WINDOW)
    return stream.compress(body) + stream.flush(), GZIP


def accepts_gzip(accepted: str) -> bool:
    """Whether that `Accept-Encoding` has it. Source: RFC 9110, 12.5.3."""
    for offer in accepted.lower().split(","):
        name, _, weight = offer.partition(";")
        if name.strip() == GZIP:
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def too_large(most_bytes: int) -> LokiError:
    return ResourceLimitExceeded(
        f"a request has at most {most_bytes} bytes", code=ErrorCode.QUOTA, details={"field": "body"}
    )
