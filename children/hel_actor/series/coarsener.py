"""Makes the rows of coarser series: the numbers of the windows of a source that are complete."""

from collections.abc import Callable
from dataclasses import replace

from hel_actor.series import catalogue, downsampling, journal, series, window
from hel_actor.series.downsampling import Rule
from hel_actor.series.journal import Appended, Row
from hel_actor.series.query import Queries, Steps
from hel_actor.series.series import Span
from hel_actor.series.store import Reading, SeriesStore, Submit
from loki.errors import LokiError

AT_ONCE = 5000
"""Windows of one transaction, which all others wait for."""


class Coarsener:
    """Only the series' thread may continue what it gives."""

    def __init__(self, store: SeriesStore, submit: Submit, window_ns: int) -> None:
        """`window_ns` is how late rows may be."""
        self._store = store
        self._queries = Queries(store)
        self._submit = submit
        self._window_ns = window_ns

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
        source = self._store.look(
            lambda reader: catalogue.entry(reader, journal.by_id(reader, rule.source))
        )
        if source.newest_ns is None:
            return None
        end_ns = window.window_of(source.newest_ns - self._window_ns, rule.every_ns)
        if end_ns <= rule.done_ns:
            return None
        place = source.namespace, source.name
        rows, done_ns = yield from self._rows(place, rule, end_ns)
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

    def _rows(
        self, place: tuple[str, str], rule: Rule, end_ns: int
    ) -> Steps[tuple[list[Row], int]]:
        """The rows of some windows from the first one on that has any, and where these end."""
        left = Reading(Span(rule.done_ns, end_ns), 1)
        first = yield from self._queries.read(*place, left, "time")
        if not len(first):
            return [], end_ns
        start_ns = window.window_of(int(first.times[0]), rule.every_ns)
        done_ns = min(end_ns, start_ns + AT_ONCE * rule.every_ns)
        results = yield from self._queries.aggregate(
            *place, Span(start_ns, done_ns), rule.statistic, rule.every_ns / series.S_NS
        )
        return [(each.start_ns, each.value, 0) for each in results], done_ns
