"""`[http]`: the second port, for programs without gRPC and for web pages."""

from typing import Annotated

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
)

from loki.core.access.origin import is_origin
from loki.messages.gateway import HttpConfig
from loki.tool.problem import Breach, Table, broken


class HttpSettings(Table):
    port: Annotated[int | None, Field(ge=0, le=65535)] = None  # None: no HTTP; 0: any free.
    allowed_origins: tuple[str, ...] = ()  # Of web pages that may call.

    @field_validator("allowed_origins", mode="before")
    @classmethod
    def _listed(cls, origins: object) -> object:
        return tuple(origins) if isinstance(origins, list) else origins

    @field_validator("allowed_origins")
    @classmethod
    def _each_an_origin(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        text = 'must be an origin as browsers write it, such as "https://example.org"'
        found = [Breach((place,), o, text) for place, o in enumerate(origins) if not is_origin(o)]
        if found:
            raise broken(*found)
        return origins

    @model_serializer(mode="wrap")
    def _what_is_set(self, dump: SerializerFunctionWrapHandler) -> dict[str, object]:
        """TOML has no word for what is not there."""
        return {name: value for name, value in dump(self).items() if value is not None}

    def config(self) -> HttpConfig | None:
        """What the gateway is told; None serves no HTTP."""
        if self.port is None:
            return None
        return HttpConfig(port=self.port, allowed_origins=self.allowed_origins)
