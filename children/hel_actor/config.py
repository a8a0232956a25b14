"""Hel's own settings, `[children_config.hel]`, as people write them."""

from pydantic import BaseModel, ConfigDict, Field


class HelConfig(BaseModel):
    """Bounds of what scripts may keep. A message carries 8 MiB at most."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    quota_mb: int = Field(default=256, ge=0, le=1_048_576)
    """MiB that a script may keep in files, stored values and series together, and any number of
    scripts that share them; a tool's max_disk_mb holds in its place. 0 is no limit."""
    max_file_kb: int = Field(default=1024, ge=1, le=8192)  # KiB of one file.
    max_value_kb: int = Field(
        default=64, ge=1, le=8192
    )  # KiB of one packed value, stored or cached.
    cache_entries: int = Field(default=10_000, ge=1, le=100_000)  # Of all scripts together.
    cache_mb: int = Field(default=8, ge=1, le=1024)  # MiB of keys and values together.
    series_per_script: int = Field(default=100, ge=1, le=10_000)  # Time series.
    series_chunk_rows: int = Field(default=8192, ge=16, le=1_048_576)
    """Rows that become files at once, of series that are made from now on."""
    series_late_s: int = Field(default=60, ge=1, le=86_400)
    """Rows that come later than newer ones by no more than that are sorted into the files."""
    series_keep_days: int = Field(default=3650, ge=1, le=100_000)  # Older rows go.
    series_keep_rows: int = Field(default=100_000_000, ge=1, le=500_000_000)  # Older ones go.
    series_keep_mb: int = Field(default=1024, ge=1, le=1_048_576)  # MiB of files of each series.
    revisions_per_script: int = Field(default=100, ge=1, le=10_000)
    """Of each registered script; the current one stays in any case."""
    removed_revisions: int = Field(default=1000, ge=1, le=100_000)
    """Of all scripts together that were removed; those go first whose removal is the oldest."""
    history_rows: int = Field(default=100_000, ge=1, le=10_000_000)  # Executions.
    history_days: int = Field(default=30, ge=1, le=36_500)  # Older executions go.
    history_mb: int = Field(default=64, ge=1, le=65_536)
    """MiB of long results: of those beyond, value and output go, the oldest first."""
