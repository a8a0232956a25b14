"""What the gateway is told at boot."""

import msgspec

from loki.messages.access import AccessConfig
from loki.messages.log import LogConfig


class HttpConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The second port."""

    port: int  # 0 is any free one; a restarted gateway keeps it.
    allowed_origins: tuple[str, ...] = ()  # Of web pages that may call.


class GrpcConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How much clients may ask of the gRPC server, and for how long; 0 seconds are for ever."""

    max_message_bytes: int = 4 * 1024 * 1024  # Of a request, by HTTP too.
    max_metadata_bytes: int = 16 * 1024
    max_concurrent_streams: int = 1000  # Of each connection.
    max_connections: int = 1000
    max_connection_idle_s: int = 3600
    max_connection_age_s: int = 0
    max_connection_age_grace_s: int = 60
    keepalive_s: int = 60
    keepalive_timeout_s: int = 20
    min_ping_interval_s: int = 10
    drain_s: float = 5.0  # 0 is not for ever, but not at all.


class GatewayConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The settings that concern the gateway, and what it tells of this Loki."""

    host: str = "127.0.0.1"  # Or "unix:PATH".
    port: int = 50070  # 0 is any free one; a restarted gateway keeps it.
    version: str
    keeper: str = ""  # The child that keeps what Loki must not forget; "" where none does.
    back_ends: dict[str, str] = {}  # Child -> the back end that serves it.
    log: LogConfig = LogConfig(folder="")
    access: AccessConfig = AccessConfig()
    grpc: GrpcConfig = GrpcConfig()
    http: HttpConfig | None = None  # None serves gRPC only.


class GatewayReport(msgspec.Struct, frozen=True, kw_only=True):
    """Where it serves: `Role.detail` of the gateway, in JSON."""

    grpc: str = ""  # "host:port", or "unix:PATH"
    http: str = ""  # "http://host:port", or https; "" where it serves no HTTP.

    @classmethod
    def of(cls, detail: str) -> "GatewayReport":
        """An empty one where no gateway has served yet."""
        return msgspec.json.decode(detail, type=cls) if detail else cls()

    @property
    def detail(self) -> str:
        return msgspec.json.encode(self).decode()
