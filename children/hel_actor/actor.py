"""Hel's role: checks what a run may use, and hands the work to the store that owns the data."""

from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from hel_actor.auditor import Auditor
from hel_actor.backup import swap
from hel_actor.backup.backup import Backups
from hel_actor.backup.beginning import Beginning
from hel_actor.backup.restore import Receiver, Restores
from hel_actor.backup.snapshot import DATABASE, Photographer
from hel_actor.budgeted import Budgeted
from hel_actor.database.database import Database
from hel_actor.file.files import Files
from hel_actor.file.jail import Jail
from hel_actor.quota.ledger import Ledger
from hel_actor.schema import MIGRATIONS
from hel_actor.series import journal
from hel_actor.series.parts import SeriesParts
from hel_actor.series.series import DAY_NS, S_NS, Retention
from hel_actor.series.store import Keeping
from hel_actor.system.configured import Configured
from hel_actor.system.historian import Historian
from hel_actor.system.history import Bounds
from hel_actor.system.registered import Registered
from hel_actor.tally import Tally
from hel_actor.value.cache import Cache
from hel_actor.value.cached import Cached
from hel_actor.value.stored import Stored
from hel_actor.value.watched import Watched
from hel_actor.value.watchers import Watchers
from loki.child import ChildRole, Run, RunHandler, ServiceHandler, Shell
from loki.messages.envelope import Message

KB = 1024
MB = 1024 * KB

CLOSE_POLL_S = 0.01
RESTORE_GRACE_S = 2.0
RESTORED = "shutdown: a restored backup takes the place of its data"


class Settings(msgspec.Struct, frozen=True):
    """What Hel's process needs of `HelConfig`, validated by then; `state_dir` is absolute."""

    state_dir: str
    quota_mb: int
    max_file_kb: int
    max_value_kb: int
    cache_entries: int
    cache_mb: int
    series_per_script: int
    series_chunk_rows: int
    series_late_s: int
    series_keep_days: int
    series_keep_rows: int
    series_keep_mb: int
    revisions_per_script: int
    removed_revisions: int
    history_rows: int
    history_days: int
    history_mb: int


class Hel(ChildRole):
    """Files, the database and large time series have a thread each; the cache answers at once."""

    def __init__(self, shell: Shell, config: bytes) -> None:
        super().__init__(shell, config)
        settings = msgspec.msgpack.decode(config, type=Settings)
        state = Path(settings.state_dir)
        restored = swap.finish(state)  # Before anything is opened.
        max_value_bytes = settings.max_value_kb * KB
        cache = Cache(shell.clock, settings.cache_entries, settings.cache_mb * MB)
        self._cached = Cached(shell, cache, max_value_bytes)
        self.ledger = ledger = Ledger()
        watchers = Watchers()
        tally = Tally(ledger, watchers)
        jail = Jail(state / "files", settings.max_file_kb * KB)
        quota_mb = settings.quota_mb
        self._files = Files(shell, jail, ledger, quota_mb)
        self._beginning = Beginning(state, shell.log)
        self._database = _database(shell, state / DATABASE, tally, self._beginning)
        budgeted = Budgeted(self._database, tally, self._files.counted, quota_mb)
        self._stored = Stored(self._database, budgeted, max_value_bytes)
        self._watched = Watched(shell, self._database, watchers)
        self._registered = Registered(
            self._database, settings.revisions_per_script, settings.removed_revisions
        )
        self._configured = Configured(self._database)
        self._historian = Historian(shell, self._database, _bounds(settings))
        quota = journal.Quota(settings.series_per_script, settings.series_chunk_rows)
        self._series = SeriesParts(
            shell, self._database, state / "series", _keeping(settings), quota, budgeted
        )
        self._auditor = Auditor(self._database, self._series.turns, shell.log)
        shell.mind(self._auditor.begin())
        self._backups = Backups(
            shell,
            Photographer(state, shell.clock, shell.log),
            lambda: self._database.submit(lambda _: None),
            self._series.recorder,
        )
        receiver = Receiver(state, shell.clock)
        self._restores = Restores(shell, receiver, restored, self._end_restored)

    @property
    def trouble(self) -> str:
        """Asked for with every ping of the supervisor; what failed is looked after then.

        So a sound Hel needs no timer of its own: each wake-up costs a device some battery.
        """
        self._database.mend()
        if self._auditor.is_due:
            self.shell.mind(self._auditor.begin())
        files, series = self._files.trouble, self._series.trouble  # Each looks after itself then.
        return self._database.trouble or files or series or self._beginning.trouble

    def calls(self) -> Mapping[type[Message], RunHandler]:
        return {
            **self._files.calls(),
            **self._stored.calls(),
            **self._watched.calls(),
            **self._cached.calls(),
            **self._series.calls(),
        }

    def services(self) -> Mapping[type[Message], ServiceHandler]:
        return {
            **self._cached.services(),
            **self._registered.services(),
            **self._configured.services(),
            **self._historian.services(),
            **self._series.services(),
            **self._backups.services(),
            **self._restores.services(),
        }

    def release(self, run: Run) -> None:
        self._series.recorder.release(run)
        self._watched.release(run)

    def lost(self, peer: str, pid: int) -> None:
        super().lost(peer, pid)
        self._backups.lost(peer)
        self._restores.lost(peer)

    def finish(self, grace_s: float, done: Callable[[], None]) -> None:
        """What waits is done first: each thread works in order."""
        self._historian.close()
        self._auditor.close()
        files = self._files.close()
        closing = (
            self._backups.close(),
            self._restores.close(),
            self._series.recorder.close(files),
        )
        give_up_s = self.shell.clock.monotonic_s() + grace_s

        def look() -> None:
            late = self.shell.clock.monotonic_s() >= give_up_s
            if late or all(each.done() for each in closing):
                done()
            else:
                self.shell.later(CLOSE_POLL_S, look)

        look()

    def _end_restored(self) -> None:
        """Whoever supervises it starts it again, and then it does what was decided."""
        self.finish(RESTORE_GRACE_S, lambda: self.shell.end(RESTORED))


def _database(shell: Shell, path: Path, tally: Tally, beginning: Beginning) -> Database:
    database = Database(
        path,
        MIGRATIONS,
        shell.worker("database"),
        shell.clock,
        shell.log,
        witness=tally,
        anew=beginning.anew,
    )
    database.submit(beginning.opened)
    return database


def _bounds(settings: Settings) -> Bounds:
    age_ns = settings.history_days * DAY_NS
    return Bounds(settings.history_rows, age_ns, settings.history_mb * MB)


def _keeping(settings: Settings) -> Keeping:
    return Keeping(
        settings.series_late_s * S_NS,
        Retention(
            settings.series_keep_days * DAY_NS,
            settings.series_keep_rows,
            settings.series_keep_mb * MB,
        ),
    )
