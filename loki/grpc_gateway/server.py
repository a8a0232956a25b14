"""The actor that serves gRPC: binds the port, wires the services, drains before it ends."""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import grpc
import msgspec
from google.protobuf.descriptor import ServiceDescriptor
from grpc_health.v1 import health_pb2

from loki.actors.door.role import Context, Handler, Role, Shell
from loki.core.address import keep_ports
from loki.grpc_gateway.address import bind
from loki.grpc_gateway.call.bulk import Bulk
from loki.grpc_gateway.call.execution import Executor
from loki.grpc_gateway.call.guard import Guard, Handlers
from loki.grpc_gateway.call.run_table import DISPATCHER, RunTable
from loki.grpc_gateway.http.routes import Routes
from loki.grpc_gateway.option import make_room, options
from loki.grpc_gateway.security.access import Access
from loki.grpc_gateway.security.renewal import Renewal
from loki.grpc_gateway.service.backup import BackupServicer
from loki.grpc_gateway.service.event_hub import EventHub
from loki.grpc_gateway.service.health import Health
from loki.grpc_gateway.service.log import Log
from loki.grpc_gateway.service.reflection import Reflection
from loki.grpc_gateway.service.series import SeriesServicer
from loki.grpc_gateway.service.servicers import LokiServicer
from loki.grpc_gateway.service.settings import SettingsServicer
from loki.grpc_gateway.typed.directory import Directory
from loki.grpc_gateway.typed.methods import TypedMethods
from loki.messages.envelope import Done, Message
from loki.messages.gateway import GatewayConfig, GatewayReport
from loki.messages.lifecycle import ChangeConfig
from loki.v1 import backup_pb2, series_pb2, service_pb2, settings_pb2

if TYPE_CHECKING:
    from loki.grpc_gateway.http.gateway import HttpGateway

SERVICE = service_pb2.DESCRIPTOR.services_by_name["LokiService"]
BACKUPS = backup_pb2.DESCRIPTOR.services_by_name["BackupService"]
SERIES = series_pb2.DESCRIPTOR.services_by_name["SeriesService"]
SETTINGS = settings_pb2.DESCRIPTOR.services_by_name["SettingsService"]
SERVICES = (SERVICE, BACKUPS, SERIES, SETTINGS)
HEALTH = health_pb2.DESCRIPTOR.services_by_name["Health"]
CLOSING_S = 0.1
"""Of the grace, kept for closing what did not end by itself."""
PATIENCE_S = 5.0
"""So long the gateway waits for the Library, to offer everything from the first call on."""


class Gateway(Role):
    """`detail` is a GatewayReport; a restarted gateway binds the same addresses again."""

    asynchronous: ClassVar[bool] = True
    ready_by_itself: ClassVar[bool] = True

    def __init__(self, shell: Shell, config: bytes) -> None:
        super().__init__(shell, config)
        settings = msgspec.msgpack.decode(config, type=GatewayConfig)
        self._settings = keep_ports(settings, GatewayReport.of(shell.previous))
        self._runs = RunTable(shell)
        self._log = Log(shell, self._settings.log)
        self._directory = Directory(shell)
        self._serving = False
        self._http: HttpGateway | None = None
        self._health = Health()
        self._directory.watch(self._health.publish)
        self._events = EventHub(shell, self._health, whole=("", *(s.full_name for s in SERVICES)))

    def handlers(self) -> Mapping[type[Message], Handler]:
        return {
            **self._runs.handlers(),
            **self._events.handlers(),
            **self._directory.handlers(),
            ChangeConfig: self._change_config,
        }

    async def begin(self) -> None:
        """Raises: ConfigurationError when the address cannot be bound."""
        self._access = Access(self.shell.log, self.shell.later)
        self._health.begin(self._access.known)
        self._access.on_change(self._health.wake)
        self._renewal = Renewal(self.shell, self._settings.access, self._access)
        self._bulk = Bulk(self.shell)
        self._guard = Guard(self.shell.log, self._access, self._bulk)
        most = make_room(self._settings.grpc.max_connections, self.shell.log)
        self._server = grpc.aio.server(options=options(self._settings.grpc, most))
        self._add_services()
        address = bind(self._server, self._settings, self._renewal.tls)
        await self._server.start()
        http = await self._begin_http(address)
        self.detail = GatewayReport(grpc=address, http=http).detail
        await self._events.begin()
        self._renewal.begin()
        self.shell.later(0, lambda: self._directory.begin(self._ready))  # When news are let in.
        self.shell.later(PATIENCE_S, self._ready)

    async def _change_config(self, message: ChangeConfig, context: Context) -> Done:
        """Who may call; all else waits for the next start."""
        context.require_kin("only the root configures it")
        settings = msgspec.msgpack.decode(message.config, type=GatewayConfig)
        await self._renewal.change(settings.access)
        return Done()

    async def _begin_http(self, grpc_address: str) -> str:
        """Its address; "" where the settings have none. Raises: ConfigurationError."""
        config = self._settings.http
        if config is None:
            return ""
        from loki.grpc_gateway.http.gateway import HttpGateway  # MiBs that few need.

        self._http = HttpGateway(
            self.shell, self._settings, self._routes, self._access, self._renewal.tls
        )
        return await self._http.begin(config, grpc_address)

    def _ready(self) -> None:
        if not self._serving:
            self._serving = True
            self.shell.ready()

    def _add_services(self) -> None:
        executor = Executor(self.shell, self._runs, self._bulk)
        servicer = LokiServicer(
            self.shell, self._settings, executor, self._events, self._log, self._directory
        )
        served = {
            SERVICE: servicer,
            BACKUPS: BackupServicer(self.shell, self._settings),
            SERIES: SeriesServicer(self.shell, self._settings.keeper),
            SETTINGS: SettingsServicer(self.shell, self._settings.keeper),
        }
        typed = TypedMethods(self._guard, executor, self._directory)
        self._routes = Routes(typed)
        for service, behaviours in served.items():
            self._add(service, self._guard.handlers(service, behaviours))
        self._server.add_generic_rpc_handlers((typed,))
        self._add(HEALTH, self._guard.open_handlers(HEALTH, self._health), public=True)
        reflection = Reflection((*served, HEALTH), self._directory)
        self._server.add_generic_rpc_handlers(tuple(reflection.handlers(self._guard)))

    def _add(self, service: ServiceDescriptor, handlers: Handlers, *, public: bool = False) -> None:
        generic = grpc.method_handlers_generic_handler(service.full_name, handlers)
        self._server.add_generic_rpc_handlers((generic,))
        self._routes.add(service, handlers, public=public)

    def lost(self, peer: str, pid: int) -> None:  # noqa: ARG002
        if peer == DISPATCHER:
            self._runs.dispatcher_lost()
        self._events.lost(peer)
        self._directory.lost(peer)

    async def drain(self, grace_s: float) -> None:
        """Say NOT_SERVING, start nothing more, let calls end, end those that do not in time.

        They have what the settings grant them, within `grace_s`.
        """
        self._runs.refuse_more()
        self._events.close()
        self._log.close()
        self._health.drain()
        patience_s = max(0.0, min(self._settings.grpc.drain_s, grace_s - CLOSING_S))
        closing_s = min(CLOSING_S, grace_s)
        over, _ = await asyncio.gather(
            self._guard.drain(patience_s, closing_s), self._health.told(closing_s)
        )
        if not over:
            self.shell.log.warning("calls were still under way after %.3g s", patience_s)
            self._runs.end_all()
            await self._guard.drain(CLOSING_S, 0)
        if self._http is not None:
            await self._http.end()
        await self._server.stop(0)
