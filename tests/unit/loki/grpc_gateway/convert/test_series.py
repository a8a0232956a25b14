"""Times at the edges of what both sides know."""

import pytest

from loki.grpc_gateway.convert.series import aggregate_request, doubles, integers, span_of
from loki.messages.series import MAX_NS, MIN_NS
from loki.v1 import series_pb2

YEAR_1_S, YEAR_9999_S = -62_135_596_800, 253_402_300_799


@pytest.mark.parametrize(
    ("start_s", "end_s", "span"),
    [
        (None, None, (MIN_NS, MAX_NS)),
        (-1, 1, (-1_000_000_000, 1_000_000_000)),
        (YEAR_1_S, YEAR_9999_S, (MIN_NS, MAX_NS)),
    ],
)
def test_what_is_beyond_the_nanoseconds_is_no_bound(
    start_s: int | None, end_s: int | None, span: tuple[int, int]
) -> None:
    request = series_pb2.ReadSeriesRequest()
    if start_s is not None:
        request.start_time.seconds = start_s
    if end_s is not None:
        request.end_time.seconds = end_s
    assert span_of(request) == span


def test_what_is_unset_is_the_usual() -> None:
    asked = aggregate_request(series_pb2.AggregateSeriesRequest(script="a", name="b"), 3.0)
    assert (asked.statistic, asked.every_s, asked.timeout_s) == ("mean", None, 3.0)


def test_columns_are_little_endian() -> None:
    assert list(integers(b"\x01" + bytes(7) + b"\xff" * 8)) == [1, -1]
    assert list(doubles(bytes(6) + b"\xf0\x3f")) == [1.0]
