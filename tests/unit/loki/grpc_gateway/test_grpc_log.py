"""Which records of gRPC's own are left out."""

import logging
from collections.abc import Iterator

import grpc
import pytest

from loki.grpc_gateway.grpc_log import LOGGER, is_no_departure, leave_out_departures


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    yield
    logging.getLogger(LOGGER).removeFilter(is_no_departure)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (grpc.aio.InternalError("cannot send"), False),
        (grpc.aio.UsageError("finished already"), True),
        (KeyError("a bug"), True),
    ],
)
def test_a_client_that_left_is_no_error(
    caplog: pytest.LogCaptureFixture, error: Exception, told: bool
) -> None:
    for _ in range(2):  # Of each gateway that begins here.
        leave_out_departures()
    logging.getLogger(LOGGER).error("raised by a method", exc_info=error)
    logging.getLogger(LOGGER).error("in words only")
    expected = ["raised by a method", "in words only"] if told else ["in words only"]
    assert [record.message for record in caplog.records] == expected
