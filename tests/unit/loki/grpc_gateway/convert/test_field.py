"""What fields can hold that is no value of theirs: refused by the field's name, with a remedy."""

from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from loki.errors import InvalidArgument
from loki.grpc_gateway.convert.field import count_of, enum_of, enums_of, page_size, time_ns
from loki.v1 import series_pb2, service_pb2

LEVELS = {1: "DEBUG", 2: "INFO"}
YEAR_1_S, YEAR_9999_S = -62_135_596_800, 253_402_300_799


@pytest.mark.parametrize(
    ("seconds", "nanos", "ns"),
    [
        (0, 0, 0),
        (-1, 999_999_999, -1),
        (YEAR_1_S, 0, YEAR_1_S * 10**9),
        (YEAR_9999_S, 999_999_999, (YEAR_9999_S + 1) * 10**9 - 1),
    ],
)
def test_times_from_the_year_1_to_9999(seconds: int, nanos: int, ns: int) -> None:
    request = series_pb2.ReadSeriesRequest(start_time=Timestamp(seconds=seconds, nanos=nanos))
    assert time_ns(request, "start_time") == ns
    assert time_ns(request, "end_time") is None


@pytest.mark.parametrize(
    ("seconds", "nanos"),
    [
        (0, -1),
        (0, 10**9),
        (0, -(2**31)),
        (YEAR_1_S - 1, 0),
        (YEAR_9999_S + 1, 0),
        (2**63 - 1, 0),
        (-(2**63), 0),
    ],
)
def test_what_is_no_time(seconds: int, nanos: int) -> None:
    request = series_pb2.ReadSeriesRequest(end_time=Timestamp(seconds=seconds, nanos=nanos))
    refuses("end_time", "years 1 to 9999", lambda: time_ns(request, "end_time"))


def test_enums_that_are_known() -> None:
    assert enum_of(service_pb2.WatchLogsRequest(), "minimum_level", LEVELS) is None
    request = service_pb2.WatchLogsRequest(minimum_level=2)  # type: ignore[arg-type]  # Any number.
    assert enum_of(request, "minimum_level", LEVELS) == "INFO"
    many = service_pb2.WatchEventsRequest(kinds=[1, 2, 1])  # type: ignore[list-item]  # As above.
    assert enums_of(many, "kinds", {1: "a", 2: "b"}) == {"a", "b"}


@pytest.mark.parametrize("number", [-1, -7, 6, 2**31 - 1, -(2**31)])
def test_enums_that_nobody_knows(number: Any) -> None:
    one = service_pb2.WatchLogsRequest(minimum_level=number)
    refuses("minimum_level", "LOG_LEVEL_INFO", lambda: enum_of(one, "minimum_level", LEVELS))
    many = service_pb2.WatchEventsRequest(kinds=[1, number])
    refuses("kinds", "EVENT_KIND_CHILD_CHANGED", lambda: enums_of(many, "kinds", {1: "a"}))


def test_numbers_of_things() -> None:
    assert count_of(service_pb2.WatchLogsRequest(lines=3), "lines") == 3
    less = service_pb2.WatchLogsRequest(lines=-1)
    refuses("lines", "0 or more", lambda: count_of(less, "lines"))


@pytest.mark.parametrize(("asked", "size"), [(0, 100), (1, 1), (1000, 1000), (2**31 - 1, 1000)])
def test_pages_have_a_length(asked: int, size: int) -> None:
    assert page_size(service_pb2.ListScriptsRequest(page_size=asked)) == size


def refuses(field: str, remedy: str, read: Any) -> None:
    with pytest.raises(InvalidArgument, match=f"^{field}") as raised:
        read()
    assert raised.value.details == {"field": field}
    assert remedy in raised.value.message
