"""The calls about time series: checked here, journalled by the database, the rest in a thread."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future
from threading import Event
from typing import TypeVar

from hel_actor.budgeted import Budgeted
from hel_actor.database.answer import following, raised
from hel_actor.database.database import Database
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
    SeriesTrimmed,
    SummarizeSeries,
    TrimSeries,
)
from hel_actor.namespace import may_record, series_place
from hel_actor.quota import usage
from hel_actor.series import journal, series, summary, window
from hel_actor.series.custodian import Custodian
from hel_actor.series.query import Queries
from hel_actor.series.reading import Reading
from hel_actor.series.store import SeriesStore
from hel_actor.turns import Steps, Turns
from loki.child import Clock, Run, RunHandler, run_over
from loki.errors import InvalidArgument, LokiError, ResourceLimitExceeded
from loki.messages.envelope import Done, Message

T = TypeVar("T")

NO_OPTIONS = AppendOptions()
ALL_ROWS = ReadOptions()


class Recorder:
    """An append is answered by the database's thread; all else happens in the series' own."""

    def __init__(
        self,
        clock: Clock,
        database: Database,
        store: SeriesStore,
        worker: Executor,
        turns: Turns,
        custodian: Custodian,
        quota: journal.Quota,
        budgeted: Budgeted,
    ) -> None:
        """`worker` is the series' own thread, in which `turns` are taken."""
        self._clock = clock
        self._custodian = custodian
        self._worker = worker
        self._database = database
        self._store = store
        self._turns = turns
        self._queries = Queries(store)
        self._quota = quota
        self._over: dict[str, Event] = {}  # Of runs with queries; set when the run is over.
        self._budgeted = budgeted

    def calls(self) -> Mapping[type[Message], RunHandler]:
        return {
            AppendSample: self._append_one,
            AppendSamples: self._append_many,
            ReadSeries: self._read,
            AggregateSeries: self._aggregate,
            DescribeSeries: self._describe,
            SummarizeSeries: self._summarize,
            TrimSeries: self._trim,
            ListSeries: self._list,
        }

    def release(self, run: Run) -> None:
        """Nobody waits for its queries any more."""
        over = self._over.pop(run.id, None)
        if over is not None:
            over.set()

    def close(self, files: "Future[None]") -> "Future[None]":
        """What is under way is finished or given up, and the database closed after it.

        Changes of it may wait for a look at files; so `files`, the end of those, goes first.
        """
        self._store.stop()

        def closed() -> None:
            files.result()
            self._database.close().result()

        return self._worker.submit(closed)

    def alone(self, act: Callable[[], T]) -> "Future[T]":
        """Do something while no file of any series changes."""
        return self._worker.submit(act)

    def hold(self, held: bool) -> None:
        """While it is held, no chunk of any series is forgotten. To be called in `alone`."""
        self._store.hold(held)

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
        place = series_place(run, name)
        batch = self._batch(values, times, options or NO_OPTIONS)
        newest_ns = max((time_ns for time_ns, *_ in batch.rows), default=series.MIN_NS)

        def appended(done: journal.Appended) -> int:
            self._custodian.appended(done, newest_ns)
            return done.rows

        append = self._budgeted.submit(
            run,
            len(batch.rows) * usage.ROW_BYTES,
            lambda database: journal.append(database, *place, batch, self._quota),
        )
        return following(append, appended)

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

    def _read(self, request: ReadSeries, run: Run) -> "Future[SamplesRead]":
        place = series_place(run, request.name)
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
        place = series_place(run, request.name)
        within = series.span(request.from_, request.to)
        statistic = window.checked_statistic(request.statistic or "mean")
        every_ns = window.checked_length(request.every_s)

        def aggregated() -> Steps[SeriesAggregated]:
            results = yield from self._queries.aggregate(*place, within, statistic, every_ns)
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
        place = series_place(run, request.name)
        attributes = series.checked_attributes(request.attributes)

        def described(result: journal.Series | LokiError) -> Done:
            self._custodian.describe(raised(result).id)
            return Done()

        promise = self._database.submit(
            lambda database: journal.describe(database, *place, attributes, self._quota)
        )
        return following(promise, described)

    def _summarize(self, request: SummarizeSeries, run: Run) -> "Future[SeriesSummary]":
        place = series_place(run, request.name)
        return self._ask(summary.summarized(self._store, *place), run)

    def _trim(self, request: TrimSeries, run: Run) -> "Future[SeriesTrimmed]":
        place, before_ns = series_place(run, request.name), series.span(None, request.before).end_ns
        return self._worker.submit(lambda: SeriesTrimmed(rows=self._store.trim(*place, before_ns)))

    def _list(self, _: ListSeries, run: Run) -> "Future[SeriesListed]":
        namespace = may_record(run)
        return self._database.submit(
            lambda database: SeriesListed(names=journal.names(database, namespace))
        )


def _checked_limit(limit: int | None) -> int | None:
    if limit is not None and not 1 <= limit <= series.MAX_ROWS:
        raise InvalidArgument(
            f"limit is {limit}; 1 to {series.MAX_ROWS} are allowed", details={"field": "limit"}
        )
    return limit
