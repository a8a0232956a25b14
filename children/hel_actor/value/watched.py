"""The calls that wait for changes of stored values: as long as they want, and their run lasts."""

from collections.abc import Mapping
from concurrent.futures import Future

from hel_actor.database.answer import following
from hel_actor.database.database import Database
from hel_actor.namespace import may_store
from hel_actor.value import noted
from hel_actor.value.ring import News
from hel_actor.value.watchers import Watcher, Watchers
from hel_actor.watch_messages import StoredChanged, StoredWatched, WatchOptions, WatchStored
from loki.child import Run, RunHandler, Shell, Timer
from loki.errors import InvalidArgument
from loki.messages.envelope import Message

FROM_NOW_ON = WatchOptions()
LONGEST_MS = 24 * 3600 * 1000  # No run lasts longer.


class Watched:
    """No thread waits, and a timer is there only for a call that wants one."""

    def __init__(self, shell: Shell, database: Database, watchers: Watchers) -> None:
        self._shell = shell
        self._database = database
        self._watchers = watchers
        self._calls: dict[str, list[tuple[Watcher, Timer | None]]] = {}  # By run.

    def calls(self) -> Mapping[type[Message], RunHandler]:
        return {WatchStored: self._watch}

    def release(self, run: Run) -> None:
        for watcher, timer in self._calls.pop(run.id, ()):
            self._watchers.end(watcher)
            if timer is not None:
                timer.cancel()

    def _watch(self, request: WatchStored, run: Run) -> "Future[StoredWatched]":
        namespace, options = may_store(run), _checked(request.options or FROM_NOW_ON)
        watcher = Watcher(namespace, request.prefix or "", options.since)
        timer = None
        if options.timeout_ms is not None:
            timeout_s = options.timeout_ms / 1000
            timer = self._shell.later(timeout_s, lambda: self._watchers.end(watcher))
        self._calls[run.id] = [*self._waiting(run), (watcher, timer)]
        self._begin(watcher)
        return following(watcher.promise, _told)

    def _begin(self, watcher: Watcher) -> None:
        """In the database's thread: there it is known which revision there is."""

        def begin(done: "Future[None]") -> None:
            error = done.exception()
            if error is not None:
                watcher.promise.set_exception(error)
            else:
                self._watchers.begin(watcher)

        self._database.submit(noted.begin).add_done_callback(begin)

    def _waiting(self, run: Run) -> list[tuple[Watcher, Timer | None]]:
        """Those of the run that still wait; the timers of the others are not needed any more."""
        waiting = []
        for watcher, timer in self._calls.get(run.id, ()):
            if not watcher.promise.done():
                waiting.append((watcher, timer))
            elif timer is not None:
                timer.cancel()
        return waiting


def _checked(options: WatchOptions) -> WatchOptions:
    """Raises: InvalidArgument."""
    if options.timeout_ms is not None and not 0 <= options.timeout_ms <= LONGEST_MS:
        raise InvalidArgument(
            f"timeout_ms is {options.timeout_ms}; 0 to {LONGEST_MS} are allowed",
            details={"field": "timeout_ms"},
        )
    return options


def _told(news: News) -> StoredWatched:
    return StoredWatched(
        revision=news.revision,
        changes=tuple(
            StoredChanged(key=each.key, removed=each.removed, revision=each.revision)
            for each in news.changes
        ),
        reset=news.is_reset,
    )
