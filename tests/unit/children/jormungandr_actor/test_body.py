"""Bodies within their bound, plain and packed."""

import gzip
import zlib

import pytest
from jormungandr_actor.body import Body

from loki.errors import IoError, ResourceLimitExceeded

LIMIT = 1000


def collect(encoding, wire, chunk=7):
    body = Body("http://a", encoding, LIMIT)
    for start in range(0, len(wire), chunk):
        body.feed(wire[start : start + chunk])
    return body.whole()


@pytest.mark.parametrize("size", [0, 1, 999, 1000])
@pytest.mark.parametrize("encoding", ["", "identity", "gzip", "x-gzip"])
def test_a_body_up_to_the_limit_arrives_whole(size, encoding):
    data = bytes(range(250)) * 4
    wire = gzip.compress(data[:size], mtime=0) if "gzip" in encoding else data[:size]
    assert collect(encoding, wire) == data[:size]


def test_one_byte_more_is_refused():
    with pytest.raises(ResourceLimitExceeded, match=r"1000 bytes.*max_response_mb"):
        collect("", b"x" * 1001)
    with pytest.raises(ResourceLimitExceeded):
        collect("gzip", gzip.compress(b"x" * 1001, mtime=0))


def test_a_bomb_never_unfolds(monkeypatch):
    made = []
    real = zlib.decompressobj

    class Watched:
        def __init__(self, wbits):
            self._inner = real(wbits)

        def decompress(self, chunk, limit):
            made.append(self._inner.decompress(chunk, limit))
            return made[-1]

        def __getattr__(self, name):
            return getattr(self._inner, name)

    monkeypatch.setattr(zlib, "decompressobj", Watched)
    bomb = gzip.compress(bytes(500_000))
    assert len(bomb) < LIMIT
    with pytest.raises(ResourceLimitExceeded):
        collect("gzip", bomb, chunk=len(bomb))
    assert sum(map(len, made)) == LIMIT + 1


def test_a_length_that_is_announced_is_refused_before_it_comes():
    body = Body("http://a", "", LIMIT)
    body.expect(None)
    body.expect(LIMIT)
    with pytest.raises(ResourceLimitExceeded):
        body.expect(LIMIT + 1)


@pytest.mark.parametrize(
    ("encoding", "wire", "text"),
    [
        ("gzip", b"plain text", "bad gzip"),
        ("gzip", gzip.compress(b"hello", mtime=0)[:-3], "breaks off"),
        ("gzip", gzip.compress(b"hello", mtime=0) + b"more", "behind the end"),
        ("br", b"", "nobody asked for: br"),
        ("gzip, gzip", b"", "nobody asked for"),
    ],
)
def test_what_cannot_be_unpacked_is_an_error(encoding, wire, text):
    with pytest.raises(IoError, match=text):
        collect(encoding, wire)


def test_an_empty_answer_may_call_itself_gzip():
    assert collect("gzip", b"") == b""
