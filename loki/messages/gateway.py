"""What the gateway is told at boot."""

import msgspec

from loki.messages.access import AccessConfig
from loki.messages.log import LogConfig


class GatewayConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The settings that concern the gateway, and what it tells of this Loki."""

    host: str = "127.0.0.1"
    port: int = 50070  # 0 is any free one; a restarted gateway keeps it.
    version: str
    keeper: str = ""  # The child that keeps what Loki must not forget; "" where none does.
    back_ends: dict[str, str] = {}  # Child -> the back end that serves it.
    log: LogConfig = LogConfig(folder="")
    access: AccessConfig = AccessConfig()
