"""What gRPC itself logs: all but that a client left before its answer was sent."""

import logging

import grpc

LOGGER = "grpc._cython.cygrpc"
"""Source: grpc, aio/server.pyx.pxi, which logs whatever leaves a call's handler."""


def leave_out_departures() -> None:
    """Any client could fill the log: by closing, or by taking no message as long as ours."""
    logging.getLogger(LOGGER).addFilter(is_no_departure)


def is_no_departure(record: logging.LogRecord) -> bool:
    kind = record.exc_info[0] if record.exc_info else None
    return kind is None or not issubclass(kind, grpc.aio.InternalError)
