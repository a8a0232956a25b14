"""Jörmungandr's own settings, `[children_config.jormungandr]`, as people write them."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, field_validator


class JormungandrConfig(BaseModel):
    """Bounds of every request."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    timeout_s: float = Field(default=10.0, gt=0, le=300)  # From name look-up to last byte.
    max_response_mb: int = Field(default=4, ge=1, le=8)  # MiB, after decompression.
    max_redirects: int = Field(default=5, ge=0, le=20)  # That a request follows.
    ca_file: str = ""  # PEM file of certificate authorities to trust beside the system's.

    @field_validator("ca_file")
    @classmethod
    def _ca_file_is_there(cls, ca_file: str) -> str:
        if ca_file and not Path(ca_file).is_file():
            raise ValueError(f"there is no file {ca_file}")
        return ca_file
