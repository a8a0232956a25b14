"""Hel's own settings, `[children_config.hel]`, as people write them."""

from pydantic import BaseModel, ConfigDict, Field


class HelConfig(BaseModel):
    """Bounds of what scripts may keep. A message carries 8 MiB at most."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_file_kb: int = Field(default=1024, ge=1, le=8192)  # KiB of one file.
    max_value_kb: int = Field(
        default=64, ge=1, le=8192
    )  # KiB of one packed value, stored or cached.
    cache_entries: int = Field(default=10_000, ge=1, le=100_000)  # Of all scripts together.
    cache_mb: int = Field(default=8, ge=1, le=1024)  # MiB of keys and values together.
