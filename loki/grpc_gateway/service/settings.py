"""The settings as clients see them: the starter has those that hold, the keeper the versions."""

import tomli

from loki.actors.door.role import Shell
from loki.core.settings.change import key_text, leaves
from loki.errors import ErrorCode, ServiceUnavailable
from loki.grpc_gateway.call.guard import Call, needs
from loki.grpc_gateway.convert.field import count_of
from loki.grpc_gateway.convert.settings import (
    change_of,
    changed,
    described,
    setting_of,
    versions,
)
from loki.messages.access import ClientRole
from loki.messages.configuration import DescribeSettings
from loki.messages.lifecycle import STARTER
from loki.messages.settings import ListSettings, ReadSettings
from loki.v1 import settings_pb2

ANSWER_TIMEOUT_S = 10.0


class SettingsServicer:
    """`loki.v1.SettingsService`."""

    def __init__(self, shell: Shell, keeper: str) -> None:
        """`keeper` is the child that keeps versions, "" where none is switched on."""
        self._shell = shell
        self._keeper = keeper

    @needs(ClientRole.ADMIN)
    async def GetSettings(  # noqa: N802
        self, request: settings_pb2.GetSettingsRequest, call: Call
    ) -> settings_pb2.GetSettingsResponse:
        if number := count_of(request, "version"):
            return await self._version(number, call)
        timeout_s = call.timeout_s(ANSWER_TIMEOUT_S)
        return described(await self._shell.ask(STARTER, DescribeSettings(), timeout_s=timeout_s))

    async def _version(self, number: int, call: Call) -> settings_pb2.GetSettingsResponse:
        read = ReadSettings(number=number)
        timeout_s = call.timeout_s(ANSWER_TIMEOUT_S)
        found = await self._shell.ask(self._required_keeper(), read, timeout_s=timeout_s)
        values = leaves(tomli.loads(found.text))
        response = settings_pb2.GetSettingsResponse(
            version=found.version.number,
            settings=(setting_of(key_text(at), value) for at, value in values),
        )
        response.time.FromNanoseconds(found.version.time_ns)
        return response

    @needs(ClientRole.ADMIN)
    async def UpdateSettings(  # noqa: N802
        self, request: settings_pb2.UpdateSettingsRequest, call: Call
    ) -> settings_pb2.UpdateSettingsResponse:
        change = change_of(request, call.principal.name)
        timeout_s = call.timeout_s(ANSWER_TIMEOUT_S)
        return changed(await self._shell.ask(STARTER, change, timeout_s=timeout_s))

    @needs(ClientRole.ADMIN)
    async def ListSettingsVersions(  # noqa: N802
        self, _request: settings_pb2.ListSettingsVersionsRequest, call: Call
    ) -> settings_pb2.ListSettingsVersionsResponse:
        timeout_s = call.timeout_s(ANSWER_TIMEOUT_S)
        return versions(
            await self._shell.ask(self._required_keeper(), ListSettings(), timeout_s=timeout_s)
        )

    def _required_keeper(self) -> str:
        """Raises: ServiceUnavailable."""
        if not self._keeper:
            raise ServiceUnavailable(
                "versions need the child that keeps data, which the settings switch off",
                code=ErrorCode.CHILD_DISABLED,
            )
        return self._keeper
