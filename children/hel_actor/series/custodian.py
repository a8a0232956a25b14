"""What time series need after rows came: files, fewer of them, and rows of coarser series."""

import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from threading import Lock
from typing import TypeVar

from hel_actor.series import downsampling, journal, series, window
from hel_actor.series.coarsener import Coarsener
from hel_actor.series.eraser import Remover
from hel_actor.series.journal import Appended
from hel_actor.series.store import SeriesStore
from hel_actor.steadiness import STEADY_S
from hel_actor.turns import Turns
from loki.child import Clock
from loki.errors import ErrorCode, LokiError

T = TypeVar("T")

RETRY_AFTER_S = 5.0
"""A full disk is not asked, and complained of, with every row."""
DAMAGED_AFTER_S = 600.0
"""Windows of rows that are damaged wait until a person, or forgetting old rows, has seen to it."""
AGE_EVERY_S = 3600.0
"""Where no row comes, something gets too old all the same."""


class Custodian:
    """Works in the series' thread; any thread may ask for it. Nobody waits for what it does."""

    def __init__(
        self,
        store: SeriesStore,
        coarsener: Coarsener,
        remover: Remover,
        worker: Executor,
        turns: Turns,
        window_ns: int,
        clock: Clock,
        log: logging.Logger,
    ) -> None:
        """`worker` is the series' own thread, in which `turns` are taken."""
        self._store = store
        self._coarsener = coarsener
        self._remover = remover
        self._worker = worker
        self._turns = turns
        self._window_ns = window_ns
        self._clock = clock
        self._log = log
        self._lock = Lock()
        self._files_due: set[int] = set()  # Series that are looked at soon.
        self._coarsening: dict[int, bool] = {}  # Source -> whether it was asked for meanwhile.
        self._damaged: dict[int, float] = {}  # Source -> when to look again, by the same clock.
        self._again_s = 0.0  # When to try again, on the monotonic clock.
        self._failed: dict[int, str] = {}  # Series of which something failed -> why.
        self._retry_s = 0.0  # When to look at those again.
        self._age_s = clock.monotonic_s() + STEADY_S  # When to look for old rows; none is before.

    def begin(self) -> None:
        """Go on with what the last process left."""
        self._worker.submit(self._logged, self._resume)

    @property
    def trouble(self) -> str:
        """Asked for now and then: what failed is tried again then, also where no row comes.

        So is the look for what got too old: nothing here wakes up a device by itself.
        """
        with self._lock:
            failed, retry_s = dict(self._failed), self._retry_s
        now_s = self._clock.monotonic_s()
        if now_s >= retry_s:
            for series_id in failed:
                self._look(series_id)
        if now_s >= self._age_s:
            self._age_s = now_s + AGE_EVERY_S
            self._worker.submit(self._logged, self._age)
        return next(iter(failed.values()), "")

    def _resume(self) -> None:
        for source in self._store.look(downsampling.sources):
            self.coarsen(source)
        for removed in self._remover.all_pending():
            self._look(removed.id)
        for series_id in self._store.look(journal.with_a_chunk):
            self._look(series_id)

    def _age(self) -> None:
        self._age_next(deque(self._store.look(journal.ids)))

    def _age_next(self, left: deque[int]) -> None:
        """One series, or a part of it, at a time: behind all who wait."""
        if not left:
            return
        series_id = left.popleft()
        with self._lock:
            failed = series_id in self._failed  # It is tried again more often than that.
        if not failed and self._logged(
            lambda: self._store.age(series_id, lambda: self._catch_up(series_id)), series_id
        ):
            left.appendleft(series_id)
        self._worker.submit(self._age_next, left)

    def appended(self, result: Appended, newest_ns: int) -> None:
        """A series got rows, the last one of that time."""
        if self._clock.monotonic_s() < self._again_s:
            return
        if series.worth_a_look(result.before, result.after, result.chunk_rows):
            self._look(result.series)
        if result.due_ns is None or result.done_ns is None:
            return
        now_ns = self._clock.now_ns()
        if window.is_due(newest_ns, result.due_ns, result.done_ns, self._window_ns, now_ns):
            self.coarsen(result.series)

    def clear(self, series_id: int) -> None:
        """Let go what is left of a series that was removed."""
        self._look(series_id)

    def describe(self, series_id: int) -> None:
        """Let the files have a series' attributes."""
        self._worker.submit(self._logged, lambda: self._store.describe(series_id))

    def coarsen(self, source: int) -> None:
        """Let the coarser series of this one have what is complete."""
        with self._lock:
            if self._clock.monotonic_s() < self._damaged.get(source, 0.0):
                return
            under_way = source in self._coarsening
            self._coarsening[source] = under_way  # It may have read before these rows came.
            if under_way:
                return
        answer = self._turns.ask(self._coarsener.coarsen(source, self.appended))
        answer.add_done_callback(lambda done: self._coarsened(source, done))

    def _coarsened(self, source: int, done: "Future[None]") -> None:
        with self._lock:
            again = self._coarsening.pop(source) or _is_removal(done.exception())
        self._unless_damaged(source, done.result)
        if again:
            self.coarsen(source)

    def _unless_damaged(self, source: int, act: Callable[[], None]) -> None:
        """A source whose rows are damaged, which the store has told, is let be for a while."""

        def spare() -> None:
            try:
                act()
            except LokiError as error:
                if error.code is not ErrorCode.DATA_LOSS:
                    raise
                with self._lock:
                    self._damaged[source] = self._clock.monotonic_s() + DAMAGED_AFTER_S

        self._logged(spare)

    def _look(self, series_id: int) -> None:
        """Let its rows become files, if they may."""
        with self._lock:
            due = series_id in self._files_due
            self._files_due.add(series_id)
        if not due:
            self._worker.submit(self._checkpoint, series_id)

    def _checkpoint(self, series_id: int) -> None:
        with self._lock:
            self._files_due.discard(series_id)  # Rows that come from now on may not be seen.
        if self._logged(lambda: self._tend(series_id), series_id):
            self._look(series_id)  # Behind all who wait.

    def _tend(self, series_id: int) -> bool:
        """Whether there may be more to do."""
        removed = self._remover.pending(series_id)
        if removed is not None:
            return self._remover.clear(removed)
        return self._store.checkpoint(series_id, lambda: self._catch_up(series_id)) > 0

    def _catch_up(self, source: int) -> None:
        """At once, as rows are about to go; where that fails, they go without."""

        def coarsen() -> None:
            for _ in self._coarsener.coarsen(source, self.appended):
                pass

        self._unless_damaged(source, coarsen)

    def _logged(self, act: Callable[[], T], series_id: int | None = None) -> T | None:
        """None where it failed; that of a `series_id` is tried again until it succeeds.

        What is wrong with one series alone does not keep the others waiting.
        """
        try:
            done = act()
        except LokiError as error:
            if error.code is ErrorCode.NOT_FOUND:  # It was removed meanwhile.
                self._forget(series_id)
            elif error.code is ErrorCode.DATA_LOSS:
                self._is_news(error.message, series_id)  # The store has told of it.
            elif error.code is not ErrorCode.DRAINING:
                self._again_s = self._clock.monotonic_s() + RETRY_AFTER_S
                self._tell(error, series_id)
            return None
        except Exception as error:  # noqa: BLE001  # Nobody waits for it: only the log can tell.
            what = "the files of a time series could not be written, by a fault of Loki"
            if self._is_news(f"{what}: {error!r}", series_id):
                self._log.exception(what)
            return None
        if not done:  # Else there is more to do, which may fail as before.
            self._forget(series_id)
        return done

    def _forget(self, series_id: int | None) -> None:
        """There is nothing wrong with it any more."""
        if series_id is not None:
            with self._lock:
                self._failed.pop(series_id, None)

    def _tell(self, error: LokiError, series_id: int | None) -> None:
        """In the log, that of a `series_id` once, however many series fail for that reason."""
        if not self._is_news(error.message, series_id):
            return
        again = "rows that come in %g s or later try again"
        if series_id is not None:
            again = "it is tried again every %g s"
        self._log.error(f"%s; {again}", error, RETRY_AFTER_S)

    def _is_news(self, reason: str, series_id: int | None) -> bool:
        """Note what is wrong with a series, to be tried again, and say whether to tell of it."""
        if series_id is None:
            return True
        with self._lock:
            known = reason in self._failed.values()
            self._failed[series_id] = reason
            self._retry_s = self._clock.monotonic_s() + RETRY_AFTER_S
        return not known


def _is_removal(error: BaseException | None) -> bool:
    """Whether a series was removed meanwhile: another one that is made of the source goes on."""
    return isinstance(error, LokiError) and error.code is ErrorCode.NOT_FOUND
