"""Makes the rows of coarser series: the numbers of the windows of a source that are complete.

Rows of the future wait until their time has come, so that one of them does not complete windows
that others belong to. A clock that was wrong may have let a series come to a time in the future all
the same: then it goes on where the last window that has begun ends. Windows that it has stay as
they are. Those that no row can stand for are left out, and the log tells of the first one. What
would go beyond the limit of its script waits for room.
"""

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hel_actor.budgeted import Grow
from hel_actor.quota import usage
from hel_actor.series import catalogue, downsampling, journal, series, window
from hel_actor.series.downsampling import Rule
from hel_actor.series.journal import Appended, Row
from hel_actor.series.moment import utc
from hel_actor.series.query import Queries
from hel_actor.series.reading import Reading
from hel_actor.series.series import Span
from hel_actor.series.store import SeriesStore
from hel_actor.turns import Steps
from loki.child import Clock
from loki.errors import ErrorCode, LokiError, ResourceLimitExceeded

if TYPE_CHECKING:  # It brings numpy, which only the thread itself may import.
    from hel_actor.series.aggregation import Result

AT_ONCE = 5000
"""Windows of one transaction, which all others wait for."""


UNSAID = "that is before all times that 64 bits can say"
ENDLESS = "its number is not finite, which no row may hold"

CROWDED = "it has more rows than a percentile may have"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """The first window of some that no row can stand for, and why."""

    start_ns: int
    why: str


@dataclass(frozen=True, slots=True)
class Made:
    """The rows for all windows that end at `done_ns` or before, but for those left out."""

    rows: list[Row]
    done_ns: int
    left_out: LeftOut | None = None


class Coarsener:
    """Only the series' thread may continue what it gives."""

    def __init__(
        self,
        store: SeriesStore,
        grow: Grow,
        window_ns: int,
        clock: Clock,
        log: logging.Logger,
    ) -> None:
        """`window_ns` is how late rows may be."""
        self._store = store
        self._queries = Queries(store)
        self._grow = grow
        self._window_ns = window_ns
        self._clock = clock
        self._log = log
        self._told: set[tuple[str, str]] = set()  # Mark of a coarser series, and why it lacks some.
        self._full: set[tuple[str, str]] = set()  # Coarser series that the log says wait for room.

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
                return self._carried_out(rule, Made([], done_ns), appended)
        newest_ns = yield from self._newest_ns(rule.source, future_ns)
        if newest_ns is None:
            return None
        end_ns = window.window_of(newest_ns - self._window_ns, rule.every_ns)
        if end_ns <= rule.done_ns:
            return None
        made = yield from self._made(rule, end_ns, AT_ONCE)
        return self._carried_out(rule, made, appended)

    def _carried_out(
        self, rule: Rule, made: Made, appended: Callable[[Appended, int], None]
    ) -> Rule | None:
        namespace, name = self._place(rule.target)
        try:
            result = self._grow(
                namespace,
                len(made.rows) * usage.ROW_BYTES,
                lambda database: downsampling.carry_out(database, rule, made.rows, made.done_ns),
            ).result()
        except ResourceLimitExceeded as refusal:
            if refusal.code is not ErrorCode.DISK_BUDGET:
                raise
            self._tell_full(namespace, name, refusal)
            return None
        self._full.discard((namespace, name))
        if result is None:  # Somebody changed the rule, and asks for this anew.
            return None
        if made.left_out:
            self._tell(rule, made.left_out)
        if made.rows:
            appended(result, made.rows[-1][0])
        return replace(rule, done_ns=made.done_ns)

    def _tell_full(self, namespace: str, name: str, refusal: LokiError) -> None:
        if (namespace, name) not in self._full:
            self._full.add((namespace, name))
            told = "'%s/%s' gets no rows until there is room for them, and rows come: %s"
            self._log.warning(told, namespace, name, refusal)

    def _tell(self, rule: Rule, left_out: LeftOut) -> None:
        """Once for each coarser series and reason: there may be very many such windows."""
        source, target = self._series(rule.source), self._series(rule.target)
        if (target.mark, left_out.why) in self._told:
            return
        self._told.add((target.mark, left_out.why))
        self._log.warning(
            "'%s/%s' leaves out windows of '%s', which keeps their rows; the first one begins at "
            "%s: %s",
            target.namespace,
            target.name,
            source.name,
            utc(left_out.start_ns),
            left_out.why,
        )

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

    def _made(self, rule: Rule, end_ns: int, most: int) -> Steps[Made]:
        """Of so many windows at most, from the first one on that has rows."""
        source, target = self._place(rule.source), self._place(rule.target)
        left = Reading(Span(rule.done_ns, end_ns), 1)
        first = yield from self._queries.read(*source, left, "time")
        if not len(first):
            return Made([], end_ns)
        start_ns = window.window_of(int(first.times[0]), rule.every_ns)
        if not window.has_edges(start_ns, rule.every_ns):
            return Made([], start_ns + rule.every_ns, LeftOut(start_ns, UNSAID))
        done_ns = window.part_end(start_ns, end_ns, rule.every_ns, most)
        within = Span(start_ns, done_ns)
        try:
            results = yield from self._queries.aggregate(
                *source, within, rule.statistic, rule.every_ns
            )
        except ResourceLimitExceeded:  # A percentile keeps the rows of windows that overlap.
            count = (done_ns - start_ns) // rule.every_ns
            if count > 1:
                return (yield from self._made(rule, end_ns, count // 2))
            return Made([], done_ns, LeftOut(start_ns, CROWDED))
        there = yield from self._starts(*target, within, rule.every_ns)
        return _filled([each for each in results if each.start_ns not in there], done_ns)

    def _starts(self, namespace: str, name: str, within: Span, every_ns: int) -> Steps[set[int]]:
        """Of the windows that have a row, of however many rows: others may be there, too."""
        starts: set[int] = set()
        left = within
        while True:
            some = Reading(left, series.MAX_ROWS)
            times = (yield from self._queries.read(namespace, name, some, "time")).times
            starts.update(times[times % every_ns == 0].tolist())
            if len(times) < series.MAX_ROWS:
                return starts
            left = Span(int(times[-1]) + 1, within.end_ns)

    def _place(self, series_id: int) -> tuple[str, str]:
        known = self._series(series_id)
        return known.namespace, known.name

    def _series(self, series_id: int) -> journal.Series:
        return self._store.look(lambda reader: journal.by_id(reader, series_id))


def _filled(results: "Sequence[Result]", done_ns: int) -> Made:
    """A row may hold finite numbers only, and sums of those may be none."""
    finite = [(each.start_ns, each.value, 0) for each in results if math.isfinite(each.value)]
    endless = (each.start_ns for each in results if not math.isfinite(each.value))
    left_out = next((LeftOut(start_ns, ENDLESS) for start_ns in endless), None)
    return Made(finite, done_ns, left_out)
