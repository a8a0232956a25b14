"""Time series of all scripts: what clients ask is asked of the child that keeps them."""

from typing import TypeVar

from loki.actors.door.role import Shell
from loki.core.access.principal import require_overview
from loki.errors import ErrorCode, ServiceUnavailable
from loki.grpc_gateway.call.guard import Call, needs
from loki.grpc_gateway.convert.series import (
    aggregate_request,
    list_request,
    read_request,
    rows_to_proto,
    series_to_proto,
    windows_to_proto,
)
from loki.messages.access import ClientRole
from loki.messages.envelope import Message, Request
from loki.messages.series import EraseSeries, ReadRows
from loki.v1 import series_pb2

R = TypeVar("R", bound=Message)

LIST_TIMEOUT_S = 10.0
QUERY_TIMEOUT_S = 120.0
"""For one block of rows, or for an aggregate of all; a removal waits for such blocks."""


class SeriesServicer:
    """`loki.v1.SeriesService`."""

    def __init__(self, shell: Shell, keeper: str) -> None:
        """`keeper` is the child that keeps data, "" where none is switched on."""
        self._shell = shell
        self._keeper = keeper

    @needs(ClientRole.VIEW)
    async def ListSeries(  # noqa: N802
        self, request: series_pb2.ListSeriesRequest, call: Call
    ) -> series_pb2.ListSeriesResponse:
        require_overview(call.principal)
        listing = list_request(request)
        page = await self._ask(listing, call.timeout_s(LIST_TIMEOUT_S))
        return series_pb2.ListSeriesResponse(
            series=map(series_to_proto, page.series), next_page_token=page.next_page
        )

    @needs(ClientRole.DATA)
    async def ReadSeries(  # noqa: N802
        self, request: series_pb2.ReadSeriesRequest, call: Call
    ) -> None:
        timeout_s = call.timeout_s(QUERY_TIMEOUT_S)
        following: ReadRows | None = read_request(request, timeout_s)
        while following is not None:
            block = await self._ask(following, call.timeout_s(QUERY_TIMEOUT_S))
            await call.context.write(rows_to_proto(block))
            following = block.next

    @needs(ClientRole.DATA)
    async def AggregateSeries(  # noqa: N802
        self, request: series_pb2.AggregateSeriesRequest, call: Call
    ) -> series_pb2.AggregateSeriesResponse:
        timeout_s = call.timeout_s(QUERY_TIMEOUT_S)
        aggregate = aggregate_request(request, timeout_s)
        return windows_to_proto(await self._ask(aggregate, timeout_s))

    @needs(ClientRole.ADMIN)
    async def RemoveSeries(  # noqa: N802
        self, request: series_pb2.RemoveSeriesRequest, call: Call
    ) -> series_pb2.RemoveSeriesResponse:
        removal = EraseSeries(
            script=request.script, name=request.name, principal=call.principal.name
        )
        removed = await self._ask(removal, call.timeout_s(QUERY_TIMEOUT_S))
        return series_pb2.RemoveSeriesResponse(rows=removed.rows)

    async def _ask(self, request: Request[R], timeout_s: float) -> R:
        if not self._keeper:
            raise ServiceUnavailable(
                "time series need the child that keeps data, which the settings switch off",
                code=ErrorCode.CHILD_DISABLED,
            )
        return await self._shell.ask(self._keeper, request, timeout_s=timeout_s)
