"""Time series of a device from asyncio: which there are, their rows, and numbers of them."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from typing import Any

import grpc

from loki.client.async_stream import AsyncEvents
from loki.client.series import (
    EVERYTHING,
    Series,
    SeriesQuery,
    Window,
    aggregate_request,
    read_request,
    series_of,
    windows_of,
)
from loki.client.series_rows import Rows
from loki.v1 import series_pb2, series_pb2_grpc


class AsyncSeriesClient:
    """As SeriesClient, but for rows after a restart; an `AsyncLokiClient` has one."""

    def __init__(
        self,
        channel: grpc.aio.Channel,
        call: Callable[[Any, Any], Awaitable[Any]],
        metadata: tuple[tuple[str, str], ...],
    ) -> None:
        """`call` makes a call with a request, and raises LokiClientError."""
        stub = series_pb2_grpc.SeriesServiceStub
        self._stub: Any = stub(channel)  # type: ignore[no-untyped-call]  # Generated so.
        self._call = call
        self._metadata = metadata

    async def find(self, script: str = "*", name: str = "*") -> AsyncIterator[Series]:
        """As SeriesClient.find. Raises: LokiClientError, as all methods here."""
        request = series_pb2.ListSeriesRequest(script=script, name=name)
        while True:
            page = await self._call(self._stub.ListSeries, request)
            for each in page.series:
                yield series_of(each)
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def read(self, script: str, name: str, query: SeriesQuery = EVERYTHING) -> AsyncEvents[Rows]:
        """The rows of a series, batch by batch: however many, they need little memory.

        Where the server, or the child that keeps the rows, goes away meanwhile, iterating raises.
        """
        request = read_request(script, name, query)
        return AsyncEvents(self._stub.ReadSeries(request, metadata=self._metadata), _rows)

    async def aggregate(
        self,
        script: str,
        name: str,
        statistic: str = "mean",
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        every_s: float = 0,
    ) -> list[Window]:
        """As SeriesClient.aggregate."""
        query = SeriesQuery(start=start, end=end)
        request = aggregate_request(script, name, statistic, query, every_s)
        return windows_of(await self._call(self._stub.AggregateSeries, request))

    async def remove(self, script: str, name: str) -> int:
        """As SeriesClient.remove."""
        request = series_pb2.RemoveSeriesRequest(script=script, name=name)
        rows: int = (await self._call(self._stub.RemoveSeries, request)).rows
        return rows


def _rows(response: series_pb2.ReadSeriesResponse) -> Rows:
    return Rows(response.times_ns, response.values, response.qualities)
