"""Keeps ledger and watchers right about the database: within a transaction, and after it."""

import logging
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from hel_actor.quota import recount, usage
from hel_actor.quota.ledger import Ledger, Part
from hel_actor.quota.quota import account_of
from hel_actor.quota.usage import Usage
from hel_actor.value import epoch
from hel_actor.value.watchers import Changed, Watchers
from loki.child import Run
from loki.errors import LokiError

T = TypeVar("T")


class Tally:
    """Used by the database's thread; see `database.Witness`."""

    def __init__(
        self, ledger: Ledger, watchers: Watchers, quota_mb: int, log: logging.Logger
    ) -> None:
        """`quota_mb` is what those have that have no limit of their own."""
        self._log = log
        self._watchers = watchers
        self._ledger = ledger
        self._quota_mb = quota_mb
        self._kept: Mapping[str, Usage] = {}
        self._coming: Mapping[str, Usage] | None = None
        self._changed: Sequence[Changed] = ()
        self._is_claimed = False

    def within(
        self, run: Run, growth: int, change: Callable[[sqlite3.Connection], T | LokiError]
    ) -> Callable[[sqlite3.Connection], T | LokiError]:
        """`change`, which is undone and refused where the run's namespace grew too large by it.

        It lets it grow by `growth` bytes at most. Far from the limit nothing else need be known.
        """
        account = account_of(run, self._quota_mb)

        def changed(connection: sqlite3.Connection) -> T | LokiError:
            self._is_claimed = True
            if self._ledger.claim_at_most(account, Part.DATABASE, growth):
                return change(connection)
            before = usage.of(connection, account.namespace).size_bytes
            connection.execute("SAVEPOINT change")
            result = change(connection)
            after = usage.of(connection, account.namespace).size_bytes
            refusal = self._ledger.claim(account, Part.DATABASE, before, after)
            if refusal is not None:
                connection.execute("ROLLBACK TO change")
                result = refusal
            connection.execute("RELEASE change")
            return result

        return changed

    def opened(self, connection: sqlite3.Connection) -> None:
        self._recount(connection)
        usage.prepare_notes(connection)
        if self._watchers.are_there:
            usage.note_changes(connection)
        self._watchers.count_from(epoch.first_revision(connection))
        self._coming = usage.of_all(connection)
        self.kept()

    def changed(self, connection: sqlite3.Connection) -> None:
        self._coming = usage.of_all(connection)
        self._changed = usage.take_changes(connection)

    def kept(self) -> None:
        if self._coming is not None:
            self._kept, self._coming = self._coming, None
            self._is_claimed = True
            revisions = {name: each.revision for name, each in self._kept.items()}
            self._watchers.tell(revisions, self._changed)
            self._changed = ()
        if self._is_claimed:
            self._load()

    def lost(self) -> None:
        self._coming, self._changed = None, ()
        self._load()

    def _recount(self, connection: sqlite3.Connection) -> None:
        """Where that fails, on a full disk say, reading goes on; the next start tries again."""
        try:
            wrong = recount.mend(connection)
        except sqlite3.OperationalError as error:
            self._log.error("counts of what is kept are wrong, and stay so for now: %s", error)
            return
        for each in wrong:
            place = f"{each.namespace}/{each.series}".rstrip("/")
            counted = f"{each.counted:,} {each.counter.value} of {place} were counted"
            self._log.warning("%s, and there are %s: put right", counted, f"{each.found:,}")

    def _load(self) -> None:
        self._is_claimed = False
        self._ledger.load(
            Part.DATABASE, {name: each.size_bytes for name, each in self._kept.items()}
        )
