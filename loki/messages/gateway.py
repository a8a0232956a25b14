"""What the gateway is told at boot."""

import msgspec

from loki.messages.access import AccessConfig
from loki.messages.log import LogConfig


class HttpConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The second port."""

    port: int  # 0 is any free one; a restarted gateway keeps it.
    allowed_origins: tuple[str, ...] = ()  # Of web pages that may call.


class GatewayConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The settings that concern the gateway, and what it tells of this Loki."""

    host: str = "127.0.0.1"
    port: int = 50070  # 0 is any free one; a restarted gateway keeps it.
    version: str
    keeper: str = ""  # The child that keeps what Loki must not forget; "" where none does.
    back_ends: dict[str, str] = {}  # Child -> the back end that serves it.
    log: LogConfig = LogConfig(folder="")
    access: AccessConfig = AccessConfig()
    http: HttpConfig | None = None  # None serves gRPC only.


class GatewayReport(msgspec.Struct, frozen=True, kw_only=True):
    """Where it serves: `Role.detail` of the gateway, in JSON."""

    grpc: str = ""  # "host:port"
    http: str = ""  # "http://host:port", or https; "" where it serves no HTTP.

    @classmethod
    def of(cls, detail: str) -> "GatewayReport":
        """An empty one where no gateway has served yet."""
        return msgspec.json.decode(detail, type=cls) if detail else cls()

    @property
    def detail(self) -> str:
        return msgspec.json.encode(self).decode()
