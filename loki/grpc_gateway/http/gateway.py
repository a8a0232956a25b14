"""The HTTP side of the gateway, put together; imported only where it is switched on."""

from loki.actors.door.role import Shell
from loki.core.address import http_host, in_brackets
from loki.grpc_gateway.address import listen
from loki.grpc_gateway.http.call import HttpCalls
from loki.grpc_gateway.http.routes import Routes
from loki.grpc_gateway.http.server import HttpServer
from loki.grpc_gateway.security.access import Access
from loki.grpc_gateway.security.tls import Tls
from loki.messages.gateway import GatewayConfig, HttpConfig


class HttpGateway:
    """What serves HTTP beside a gRPC server."""

    def __init__(
        self, shell: Shell, settings: GatewayConfig, routes: Routes, access: Access, tls: Tls | None
    ) -> None:
        self._shell = shell
        self._settings = settings
        self._routes = routes
        self._access = access
        self._tls = tls
        self._server: HttpServer | None = None

    async def begin(self, config: HttpConfig, grpc_address: str) -> str:
        """Such as "http://127.0.0.1:50071". Raises: ConfigurationError."""
        host = http_host(self._settings.host)
        calls = HttpCalls(
            self._routes,
            self._access,
            self._shell.worker("http"),
            grpc_address=grpc_address,
            allowed_origins=config.allowed_origins,
            most_bytes=self._settings.grpc.max_message_bytes,
        )
        listening = listen(host, config.port, self._tls)
        bound = listening.getsockname()[1]
        server = self._server = HttpServer(calls.answer, self._shell.log)
        tls = self._tls.context() if self._tls else None
        self._shell.mind(server.begin(listening, tls))
        if self._tls is None:
            return f"http://{in_brackets(host)}:{bound}"
        self._tls.watch(self._renew)
        return f"https://{in_brackets(host)}:{bound}"

    def _renew(self) -> None:
        """Called by `Tls`, in the gateway's loop, when it shows another certificate."""
        if self._server is not None and self._tls is not None:
            self._server.show(self._tls.context())

    async def end(self) -> None:
        """Close every connection; what is still under way is cancelled."""
        if self._server is not None:
            await self._server.end()
            self._server = None
