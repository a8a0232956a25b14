"""The calls about time series: checked here, journalled by the database, the rest in a thread."""

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future
from threading import Event, Lock
from typing import TypeVar

from hel_actor import catalogue, journal, series
from hel_actor.answer import following, raised
from hel_actor.database import Database
from hel_actor.messages import (
    Aggregated,
    AggregateSeries,
    AppendOptions,
    AppendSample,
    AppendSamples,
    DescribeSeries,
    ListSeries,
    ReadOptions,
    ReadSeries,
    Sample,
    SampleAppended,
    SamplesAppended,
    SamplesRead,
    SeriesAggregated,
    SeriesListed,
    SeriesSummary,
    SummarizeSeries,
)
from hel_actor.namespace import space
from hel_actor.query import Queries, Steps
from hel_actor.series_api import SERIES
from hel_actor.series_store import Reading, SeriesStore, existing
from hel_actor.tally import Tally
from hel_actor.turns import Turns
from hel_actor.viewer import require_zarr
from loki.child import Run, RunHandler, Shell, run_over
from loki.errors import InvalidArgument, LokiError, ResourceLimitExceeded
from loki.messages.envelope import Done, Message
from loki.messages.value import pack

T = TypeVar("T")

RETRY_AFTER_S = 5.0
"""A full disk is not asked, and complained of, with every row."""

NO_OPTIONS = AppendOptions()
ALL_ROWS = ReadOptions()


class Recorder:
    """An append is answered by the database's thread; all else happens in the series' own."""

    def __init__(
        self,
        shell: Shell,
        database: Database,
        store: SeriesStore,
        worker: Executor,
        turns: Turns,
        quota: journal.Quota,
        tally: Tally,
    ) -> None:
        """`worker` is the series' own thread, in which `turns` are taken."""
        self._clock = shell.clock
        self._log = shell.log
        self._worker = worker
        self._database = database
        self._store = store
        self._turns = turns
        self._queries = Queries(store)
        self._quota = quota
        self._over: dict[str, Event] = {}  # Of runs with queries; set when the run is over.
        self._due: set[int] = set()  # Series that are looked at soon.
        self._lock = Lock()
        self._tally = tally
        self._again_s = 0.0  # When to try files again, on the monotonic clock.

    def calls(self) -> Mapping[type[Message], RunHandler]:
        return {
            AppendSample: self._append_one,
            AppendSamples: self._append_many,
            ReadSeries: self._read,
            AggregateSeries: self._aggregate,
            DescribeSeries: self._describe,
            SummarizeSeries: self._summarize,
            ListSeries: self._list,
        }

    def release(self, run: Run) -> None:
        """Nobody waits for its queries any more."""
        over = self._over.pop(run.id, None)
        if over is not None:
            over.set()

    def close(self) -> "Future[None]":
        """What is under way is finished or given up, and the database closed after it."""
        self._store.stop()

        def closed() -> None:
            self._database.close().result()

        return self._worker.submit(closed)

    def alone(self, act: Callable[[], T]) -> "Future[T]":
        """Do something while no file of any series changes."""
        return self._worker.submit(act)

    def _append_one(self, request: AppendSample, run: Run) -> "Future[SampleAppended]":
        appended = self._append(
            run, request.name, (request.value,), (request.time,), request.options
        )
        return following(appended, lambda rows: SampleAppended(appended=rows == 1))

    def _append_many(self, request: AppendSamples, run: Run) -> "Future[SamplesAppended]":
        appended = self._append(run, request.name, request.values, request.times, request.options)
        return following(appended, lambda rows: SamplesAppended(appended=rows))

    def _append(
        self,
        run: Run,
        name: str,
        values: Sequence[float],
        times: Sequence[float | None],
        options: AppendOptions | None,
    ) -> "Future[int]":
        place = _place(run, name)
        batch = self._batch(values, times, options or NO_OPTIONS)
        append = self._tally.within(
            run,
            lambda database: journal.append(database, *place, batch, self._quota),
        )
        return following(self._database.submit(append), self._appended)

    def _batch(
        self, values: Sequence[float], times: Sequence[float | None], options: AppendOptions
    ) -> journal.Batch:
        if len(values) != len(times):
            raise InvalidArgument(
                f"there are {len(values)} values and {len(times)} times",
                details={"field": "times"},
            )
        if len(values) > series.MAX_APPENDED:
            raise InvalidArgument(
                f"there are {len(values)} values; {series.MAX_APPENDED} are allowed at once",
                details={"field": "values"},
            )
        now_ns, quality = self._clock.now_ns(), series.checked_quality(options.quality)
        rows = [
            (series.row_time_ns(time_s, now_ns), series.checked_value(value), quality)
            for time_s, value in zip(times, values, strict=True)
        ]
        return journal.Batch(rows, options.sequence)

    def _appended(self, appended: journal.Appended | LokiError) -> int:
        result = raised(appended)
        rested = self._clock.monotonic_s() >= self._again_s
        if rested and series.worth_a_look(result.before, result.after, result.chunk_rows):
            self._look(result.series)
        return result.rows

    def _look(self, series_id: int) -> None:
        """Let its rows become files, if they may. The database's thread asks for it, too."""
        with self._lock:
            due = series_id in self._due
            self._due.add(series_id)
        if not due:
            self._worker.submit(self._checkpoint, series_id)

    def _checkpoint(self, series_id: int) -> None:
        with self._lock:
            self._due.discard(series_id)  # Rows that come from now on may not be seen.
        if self._logged(lambda: self._store.checkpoint(series_id)):
            self._look(series_id)  # Behind all who wait.

    def _logged(self, act: Callable[[], T]) -> T | None:
        """What nobody waits for; None where it failed."""
        try:
            return act()
        except LokiError:
            self._again_s = self._clock.monotonic_s() + RETRY_AFTER_S
            self._log.warning("rows that come in %g s or later try again", RETRY_AFTER_S)
        except Exception:  # noqa: BLE001  # Nobody waits for it: only the log can tell.
            self._log.exception("the files of a time series could not be written")
        return None

    def _read(self, request: ReadSeries, run: Run) -> "Future[SamplesRead]":
        place = _place(run, request.name)
        options = request.options or ALL_ROWS
        reading = Reading(
            series.span(request.from_, request.to), _checked_limit(options.limit), options.newest
        )
        return self._ask(self._samples(*place, reading), run)

    def _samples(self, namespace: str, name: str, reading: Reading) -> Steps[SamplesRead]:
        rows = yield from self._queries.read(namespace, name, reading)
        if reading.limit is None and len(rows) > series.MAX_ROWS:
            raise ResourceLimitExceeded(
                f"'{name}' has more than {series.MAX_ROWS} rows there; ask for a shorter time, "
                "give a limit, or let series_aggregate make fewer numbers of them"
            )
        columns = (rows.times.tolist(), rows.values.tolist(), rows.qualities.tolist())
        return SamplesRead(
            samples=tuple(
                Sample(time=series.seconds(time_ns), value=value, quality=quality)
                for time_ns, value, quality in zip(*columns, strict=True)
            )
        )

    def _aggregate(self, request: AggregateSeries, run: Run) -> "Future[SeriesAggregated]":
        place = _place(run, request.name)
        within = series.span(request.from_, request.to)
        statistic = series.checked_statistic(request.statistic or "mean")

        def aggregated() -> Steps[SeriesAggregated]:
            results = yield from self._queries.aggregate(*place, within, statistic, request.every_s)
            return SeriesAggregated(
                windows=tuple(
                    Aggregated(
                        time=series.seconds(each.start_ns), value=each.value, count=each.count
                    )
                    for each in results
                )
            )

        return self._ask(aggregated(), run)

    def _ask(self, steps: Steps[T], run: Run) -> "Future[T]":
        over = self._over.setdefault(run.id, Event())
        return self._turns.ask(steps, lambda: run_over() if over.is_set() else None)

    def _describe(self, request: DescribeSeries, run: Run) -> "Future[Done]":
        place = _place(run, request.name)
        attributes = series.checked_attributes(request.attributes)

        def described(result: journal.Series | LokiError) -> Done:
            known = raised(result)
            self._worker.submit(self._logged, lambda: self._store.describe(known.id))
            return Done()

        promise = self._database.submit(
            lambda database: journal.describe(database, *place, attributes, self._quota)
        )
        return following(promise, described)

    def _summarize(self, request: SummarizeSeries, run: Run) -> "Future[SeriesSummary]":
        place = _place(run, request.name)

        def summarized() -> SeriesSummary:
            found = self._store.look(
                lambda reader: catalogue.entry(reader, existing(reader, *place))
            )
            return SeriesSummary(
                rows=found.rows,
                oldest=None if found.oldest_ns is None else series.seconds(found.oldest_ns),
                newest=None if found.newest_ns is None else series.seconds(found.newest_ns),
                size_bytes=found.size_bytes,
                attributes=pack(json.loads(found.attributes)),
            )

        return self._worker.submit(summarized)

    def _list(self, _: ListSeries, run: Run) -> "Future[SeriesListed]":
        namespace = _permitted(run)
        return self._database.submit(
            lambda database: SeriesListed(names=journal.names(database, namespace))
        )


def _permitted(run: Run) -> str:
    """The run's namespace. Raises: PermissionRefused; ServiceUnavailable without zarr."""
    run.require(SERIES, "time series", "series = true")
    require_zarr()
    return space(run)


def _place(run: Run, name: str) -> tuple[str, str]:
    return _permitted(run), series.checked_name(name)


def _checked_limit(limit: int | None) -> int | None:
    if limit is not None and not 1 <= limit <= series.MAX_ROWS:
        raise InvalidArgument(
            f"limit is {limit}; 1 to {series.MAX_ROWS} are allowed", details={"field": "limit"}
        )
    return limit
