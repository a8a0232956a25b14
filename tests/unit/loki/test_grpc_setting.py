"""[grpc] in the settings."""

import pytest

from loki.config import Settings
from loki.errors import ConfigurationError
from loki.grpc_setting import GrpcSettings
from loki.messages.gateway import GrpcConfig


def test_the_defaults_are_those_of_the_gateway() -> None:
    assert GrpcSettings().config() == GrpcConfig()


def test_units_are_those_of_the_names() -> None:
    config = Settings.from_toml("[grpc]\nmax_message_mb = 2\nmax_metadata_kb = 32").grpc.config()
    assert (config.max_message_bytes, config.max_metadata_bytes) == (2 * 2**20, 32 * 2**10)
    assert Settings.from_toml("[grpc]\ndrain_s = 0.5").grpc.config().drain_s == 0.5


@pytest.mark.parametrize(
    "text",
    [
        "max_message_mb = 0",
        "max_metadata_kb = 1",
        "max_connections = 0",
        "keepalive_s = 0",
        "drain_s = -1",
    ],
)
def test_what_would_serve_nobody_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match=f"grpc.{text.split()[0]}"):
        Settings.from_toml(f"[grpc]\n{text}")
