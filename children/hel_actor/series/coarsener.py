"""Makes the rows of coarser series: the numbers of the windows of a source that are complete.

Rows of the future wait until their time has come, so that one of them does not complete windows
that others belong to. A clock that was wrong may have let a series come to a time in the future all
the same: then it goes on where the last window that has begun ends. Windows that it has stay as
they are.
"""

from collections.abc import Callable
from dataclasses import replace

from hel_actor.series import catalogue, downsampling, journal, series, window
from hel_actor.series.downsampling import Rule
from hel_actor.series.journal import Appended, Row
from hel_actor.series.query import Queries, Steps
from hel_actor.series.reading import Reading
from hel_actor.series.series import Span
from hel_actor.series.store import SeriesStore, Submit
from loki.child import Clock
from loki.errors import LokiError

AT_ONCE = 5000
"""Windows of one transaction, which all others wait for."""


class Coarsener:
    """Only the series' thread may continue what it gives."""

    def __init__(self, store: SeriesStore, submit: Submit, window_ns: int, clock: Clock) -> None:
        """`window_ns` is how late rows may be."""
        self._store = store
        self._queries = Queries(store)
        self._submit = submit
        self._window_ns = window_ns
        self._clock = clock

    def coarsen(self, source: int, appended: Callable[[Appended, int], None]) -> Steps[None]:
        """Bring all coarser series of one source up to date.

        `appended` is told of what each of them got, and of the last row's time.

        Raises: IoError, ResourceLimitExceeded. What was done stays, and the next call goes on.
        """
        for rule in self._store.look(lambda reader: downsampling.rules(reader, source)):
            yield from self._carry_out(rule, appended)

    def _carry_out(self, rule: Rule, appended: Callable[[Appended, int], None]) -> Steps[None]:
        current: Rule | None = rule
        while current is not None:
            current = yield from self._next(current, appended)

    def _next(self, rule: Rule, appended: Callable[[Appended, int], None]) -> Steps[Rule | None]:
        """Some windows, and the rule as it is then; None when there is nothing to do."""
        future_ns = series.future_ns(self._clock.now_ns())
        if rule.done_ns >= future_ns:
            done_ns = yield from self._resumed_ns(rule, future_ns)
            if done_ns < rule.done_ns:
                return self._carried_out(rule, [], done_ns, appended)
        newest_ns = yield from self._newest_ns(rule.source, future_ns)
        if newest_ns is None:
            return None
        end_ns = window.window_of(newest_ns - self._window_ns, rule.every_ns)
        if end_ns <= rule.done_ns:
            return None
        rows, done_ns = yield from self._rows(rule, end_ns)
        return self._carried_out(rule, rows, done_ns, appended)

    def _carried_out(
        self,
        rule: Rule,
        rows: list[Row],
        done_ns: int,
        appended: Callable[[Appended, int], None],
    ) -> Rule | None:
        result = self._submit(
            lambda database: downsampling.carry_out(database, rule, rows, done_ns)
        ).result()
        if isinstance(result, LokiError):
            raise result
        if result is None:  # Somebody changed the rule, and asks for this anew.
            return None
        if rows:
            appended(result, rows[-1][0])
        return replace(rule, done_ns=done_ns)

    def _resumed_ns(self, rule: Rule, future_ns: int) -> Steps[int]:
        kept_ns = yield from self._newest_ns(rule.target, future_ns)
        return window.resumed_ns(rule.done_ns, kept_ns, rule.every_ns)

    def _newest_ns(self, series_id: int, before_ns: int) -> Steps[int | None]:
        """Of the rows before that time, which are all but for a clock that is or was wrong."""
        known = self._store.look(
            lambda reader: catalogue.entry(reader, journal.by_id(reader, series_id))
        )
        if known.newest_ns is None or known.newest_ns < before_ns:
            return known.newest_ns
        last = Reading(Span(series.MIN_NS, before_ns), 1, newest=True)
        found = yield from self._queries.read(known.namespace, known.name, last, "time")
        return int(found.times[0]) if len(found) else None

    def _rows(self, rule: Rule, end_ns: int) -> Steps[tuple[list[Row], int]]:
        """The rows of some windows from the first one on that has any, and where these end."""
        source, target = self._place(rule.source), self._place(rule.target)
        left = Reading(Span(rule.done_ns, end_ns), 1)
        first = yield from self._queries.read(*source, left, "time")
        if not len(first):
            return [], end_ns
        start_ns = window.window_of(int(first.times[0]), rule.every_ns)
        done_ns = min(end_ns, start_ns + AT_ONCE * rule.every_ns)
        within = Span(start_ns, done_ns)
        kept = yield from self._queries.read(*target, Reading(within), "time")
        there = set(kept.times.tolist())
        results = yield from self._queries.aggregate(
            *source, within, rule.statistic, rule.every_ns / series.S_NS
        )
        rows = [(each.start_ns, each.value, 0) for each in results if each.start_ns not in there]
        return rows, done_ns

    def _place(self, series_id: int) -> tuple[str, str]:
        known = self._store.look(lambda reader: journal.by_id(reader, series_id))
        return known.namespace, known.name
