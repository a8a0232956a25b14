"""The bounds of the gRPC server, as gRPC's core takes them, and room for its connections."""

import logging
import resource
from collections.abc import Iterator

from loki.core.runner.rlimit import connections
from loki.messages.gateway import GrpcConfig

Option = tuple[str, int]


def options(config: GrpcConfig, most_connections: int) -> tuple[Option, ...]:
    """Source: grpc, grpc_types.h and channel_arg_names.h."""
    return tuple(_options(config, most_connections))


def _options(config: GrpcConfig, most_connections: int) -> Iterator[Option]:
    yield "grpc.so_reuseport", 0  # Else a leftover server would share the port, and calls hang.
    yield "grpc.max_receive_message_length", config.max_message_bytes
    # Between the two it would refuse some calls by chance.
    yield "grpc.max_metadata_size", config.max_metadata_bytes
    yield "grpc.absolute_max_metadata_size", config.max_metadata_bytes
    yield "grpc.max_concurrent_streams", config.max_concurrent_streams
    yield "grpc.max_allowed_incoming_connections", most_connections
    yield "grpc.keepalive_time_ms", config.keepalive_s * 1000
    yield "grpc.keepalive_timeout_ms", config.keepalive_timeout_s * 1000
    yield "grpc.keepalive_permit_without_calls", 1
    yield "grpc.http2.min_ping_interval_without_data_ms", config.min_ping_interval_s * 1000
    if config.max_connection_idle_s:
        yield "grpc.max_connection_idle_ms", config.max_connection_idle_s * 1000
    if config.max_connection_age_s:
        yield "grpc.max_connection_age_ms", config.max_connection_age_s * 1000
        yield "grpc.max_connection_age_grace_ms", config.max_connection_age_grace_s * 1000


def make_room(wanted: int, log: logging.Logger) -> int:
    """How many connections there may be; this process may then open as many files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    files, fit = connections(wanted, soft, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
    if fit < wanted:
        log.warning(
            "the system allows %d open files (ulimit -Hn), so there may be %d connections, "
            "not grpc.max_connections = %d",
            hard,
            fit,
            wanted,
        )
    return fit
