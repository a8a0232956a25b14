"""What Loki's own parts ask about time series: those of all scripts, in blocks and columns."""

import json
from collections.abc import Mapping
from concurrent.futures import Future
from typing import TYPE_CHECKING

from hel_actor.namespace import require_zarr
from hel_actor.series import catalogue, journal, series, window
from hel_actor.series.catalogue import PlaceName
from hel_actor.series.query import Block, Cursor, Queries
from hel_actor.series.series import Span
from hel_actor.series.store import SeriesStore, existing
from hel_actor.turns import Refusal, Steps, Turns
from loki.child import Clock, ServiceHandler
from loki.errors import ErrorCode, InvalidArgument, LokiError, ServiceUnavailable
from loki.messages.envelope import Message
from loki.messages.series import (
    AggregateRows,
    ListAllSeries,
    ReadRows,
    RowsRead,
    SeriesEntry,
    SeriesPage,
    WindowsAggregated,
)

if TYPE_CHECKING:
    from hel_actor.series.aggregation import Result

BLOCK_ROWS = 32_768
"""Of one message: half a megabyte, which the gateway makes a response of in milliseconds."""
MAX_NEWEST = 1_000_000
"""To find where they begin, their times are kept in memory."""
LIST_TIMEOUT_S = 60.0


class Viewer:
    """Changes nothing. What its caller no longer waits for is given up."""

    def __init__(self, clock: Clock, store: SeriesStore, turns: Turns) -> None:
        self._clock = clock
        self._store = store
        self._turns = turns
        self._queries = Queries(store)

    def services(self) -> Mapping[type[Message], ServiceHandler]:
        return {
            ListAllSeries: self._list,
            ReadRows: self._read,
            AggregateRows: self._aggregate,
        }

    def _list(self, request: ListAllSeries) -> "Future[SeriesPage]":
        after = _place_of(request.page)

        def listed() -> Steps[SeriesPage]:
            yield
            entries, following = self._store.look(
                lambda reader: catalogue.page(
                    reader, request.script, request.name, after, request.page_size
                )
            )
            return SeriesPage(
                series=tuple(map(_entry, entries)),
                next_page="/".join(following) if following else "",
            )

        return self._turns.ask(listed(), self._late(LIST_TIMEOUT_S))

    def _read(self, request: ReadRows) -> "Future[RowsRead]":
        require_zarr()
        _span(request)
        _check_limit(request)
        return self._turns.ask(self._rows(request), self._late(request.timeout_s))

    def _rows(self, request: ReadRows) -> Steps[RowsRead]:
        place, limit = (request.script, request.name), request.limit
        cursor = Cursor(request.start_ns, request.skip)
        if request.newest and limit is not None:
            cursor = yield from self._queries.newest(*place, _span(request), limit)
        mark = self._mark(request)
        rows = BLOCK_ROWS if limit is None else min(limit, BLOCK_ROWS)
        block = yield from self._queries.block(*place, cursor, request.end_ns, rows)
        return RowsRead(
            times_ns=block.rows.times.astype("<i8").tobytes(),
            values=block.rows.values.astype("<f8").tobytes(),
            qualities=block.rows.qualities.tobytes(),
            next=_following(request, block, mark),
        )

    def _mark(self, request: ReadRows) -> str:
        """Of the series that is read. Raises: IoError (NOT_FOUND), also for another than before."""
        place = request.script, request.name
        mark = self._store.look(lambda reader: existing(reader, *place)).mark
        if request.mark and mark != request.mark:
            raise journal.removed_meanwhile()
        return mark

    def _aggregate(self, request: AggregateRows) -> "Future[WindowsAggregated]":
        require_zarr()
        statistic = window.checked_statistic(request.statistic)
        within, every_ns = _span(request), window.checked_length(request.every_s)

        def aggregated() -> Steps[WindowsAggregated]:
            results = yield from self._queries.aggregate(
                request.script, request.name, within, statistic, every_ns
            )
            return _packed(results)

        return self._turns.ask(aggregated(), self._late(request.timeout_s))

    def _late(self, timeout_s: float) -> Refusal:
        end_s = self._clock.monotonic_s() + timeout_s

        def refusal() -> LokiError | None:
            if self._clock.monotonic_s() < end_s:
                return None
            return ServiceUnavailable("the caller's time is over", code=ErrorCode.CLIENT_DEADLINE)

        return refusal


def _place_of(page: str) -> PlaceName:
    """Behind which a page begins. Raises: InvalidArgument."""
    script, slash, name = page.rpartition("/")
    if page and not slash:
        raise InvalidArgument(
            f"page_token '{page[:80]}' is none that this server gave",
            details={"field": "page_token"},
        )
    return script, name


def _span(request: ReadRows | AggregateRows) -> Span:
    """Raises: InvalidArgument."""
    if request.end_ns < request.start_ns:
        raise InvalidArgument("end_time is before start_time", details={"field": "end_time"})
    return Span(request.start_ns, request.end_ns)


def _check_limit(request: ReadRows) -> None:
    most = MAX_NEWEST if request.newest else series.MAX_NS
    if request.newest and request.limit is None:
        raise InvalidArgument("newest needs a limit", details={"field": "limit"})
    if request.limit is not None and not 1 <= request.limit <= most:
        raise InvalidArgument(
            f"limit is {request.limit}; 1 to {most} are allowed", details={"field": "limit"}
        )


def _following(request: ReadRows, block: Block, mark: str) -> ReadRows | None:
    """What asks for the rows behind this block, or None where all that was wanted is there."""
    left = None if request.limit is None else request.limit - len(block.rows)
    if block.following is None or left == 0:
        return None
    return ReadRows(
        script=request.script,
        name=request.name,
        start_ns=block.following.time_ns,
        end_ns=request.end_ns,
        limit=left,
        skip=block.following.skip,
        mark=mark,
        timeout_s=request.timeout_s,
    )


def _entry(found: catalogue.Entry) -> SeriesEntry:
    return SeriesEntry(
        script=found.namespace,
        name=found.name,
        rows=found.rows,
        oldest_ns=found.oldest_ns,
        newest_ns=found.newest_ns,
        size_bytes=found.size_bytes,
        attributes=json.loads(found.attributes),
    )


def _packed(results: "list[Result]") -> WindowsAggregated:
    import numpy as np

    return WindowsAggregated(
        starts_ns=np.array([each.start_ns for each in results], "<i8").tobytes(),
        values=np.array([each.value for each in results], "<f8").tobytes(),
        counts=np.array([each.count for each in results], "<i8").tobytes(),
    )
