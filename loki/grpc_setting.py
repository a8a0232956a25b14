"""`[grpc]`: how much clients may ask of the gRPC server, and for how long."""

from typing import Annotated

from pydantic import Field

from loki.messages.gateway import GrpcConfig
from loki.tool.problem import Table

Seconds = Annotated[int, Field(ge=0, le=7 * 24 * 3600)]
MIB, KIB = 1024 * 1024, 1024


class GrpcSettings(Table):
    max_message_mb: Annotated[int, Field(ge=1, le=64)] = 4  # MiB of one request.
    max_metadata_kb: Annotated[int, Field(ge=8, le=1024)] = 16  # KiB of one call's headers.
    max_concurrent_streams: Annotated[int, Field(ge=1, le=100_000)] = 1000  # Of a connection.
    max_connections: Annotated[int, Field(ge=1, le=100_000)] = 1000  # Of all clients together.
    max_connection_idle_s: Seconds = 3600  # Without a call; 0 is for ever.
    max_connection_age_s: Seconds = 0  # Then it is to be opened anew; 0 is never.
    max_connection_age_grace_s: Seconds = 60  # Of the calls that are under way then.
    keepalive_s: Annotated[int, Field(ge=1, le=7200)] = 60  # Between pings; few enough for NAT.
    keepalive_timeout_s: Annotated[int, Field(ge=1, le=600)] = 20  # For the answer to a ping.
    min_ping_interval_s: Annotated[int, Field(ge=0, le=3600)] = 10
    """Of clients' pings; who sends more is cut off."""
    drain_s: Annotated[float, Field(ge=0, le=3600)] = 5.0
    """When Loki stops, calls that are under way may take so long to end; 0 ends them at once."""

    def config(self) -> GrpcConfig:
        """What the gateway is told."""
        return GrpcConfig(
            max_message_bytes=self.max_message_mb * MIB,
            max_metadata_bytes=self.max_metadata_kb * KIB,
            max_concurrent_streams=self.max_concurrent_streams,
            max_connections=self.max_connections,
            max_connection_idle_s=self.max_connection_idle_s,
            max_connection_age_s=self.max_connection_age_s,
            max_connection_age_grace_s=self.max_connection_age_grace_s,
            keepalive_s=self.keepalive_s,
            keepalive_timeout_s=self.keepalive_timeout_s,
            min_ping_interval_s=self.min_ping_interval_s,
            drain_s=self.drain_s,
        )
