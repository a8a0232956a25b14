"""Every method by its path, for those who call otherwise than by gRPC."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message_factory import GetMessageClass

from loki.core.access.principal import Principal
from loki.grpc_gateway.typed import schema
from loki.grpc_gateway.typed.methods import PREFIX, TypedMethods


@dataclass(frozen=True, slots=True)
class Route:
    """Where a path leads, as far as a caller may know."""

    handler: Any = None  # The Guard's; None where there is nothing at all.
    request: type[Any] | None = None
    """Its message; None where the handler refuses the caller whatever it sends."""
    streams: bool = False
    public: bool = False
    """Whether it answers everybody, also those who show nothing."""

    @property
    def there(self) -> bool:
        """Whether the caller may know that there is such a method."""
        return self.streams or self.request is not None

    async def call(self, data: bytes, context: Any) -> Any:
        """The response message. Raises: what the context's `abort` raises."""
        return await self.handler.unary_unary(data, context)


NOWHERE = Route()
STREAM = Route(streams=True)


class Routes:
    """The methods of one gateway."""

    def __init__(self, typed: TypedMethods) -> None:
        self._typed = typed
        self._static: dict[str, Route] = {}

    def add(
        self,
        service: ServiceDescriptor,
        handlers: Mapping[str, "grpc.RpcMethodHandler[Any, Any]"],
        *,
        public: bool = False,
    ) -> None:
        """Those of a static service, by name; `public` are those that no Guard is before."""
        for method in service.methods:
            streams = method.client_streaming or method.server_streaming
            message = GetMessageClass(method.input_type)
            route = Route(handlers[method.name], message, public=public)
            self._static[f"/{service.full_name}/{method.name}"] = STREAM if streams else route

    def find(self, path: str, principal: Principal | None) -> Route:
        """A `principal` of None is nobody who may call."""
        if not path.startswith(PREFIX):
            return self._static.get(path, NOWHERE)
        if path.endswith(f"/{schema.CALL_STREAM}"):
            return STREAM  # Of whatever script: so it tells nothing of those that are out of reach.
        return Route(self._typed.find(path), self._typed.request_of(path, principal))
