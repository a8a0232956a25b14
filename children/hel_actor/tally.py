"""Keeps ledger and watchers right about the database: within a transaction, and after it."""

import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TypeVar

from hel_actor.quota import usage
from hel_actor.quota.ledger import Ledger, Part
from hel_actor.quota.quota import Account
from hel_actor.quota.usage import Usage
from hel_actor.value import epoch, noted
from hel_actor.value.watchers import Changed, Watchers
from loki.errors import LokiError

T = TypeVar("T")


class Tally:
    """Used by the database's thread; see `witness.Witness`."""

    def __init__(self, ledger: Ledger, watchers: Watchers) -> None:
        self._watchers = watchers
        self._ledger = ledger
        self._kept: dict[str, Usage] = {}
        self._coming: Mapping[str, Usage] = {}
        self._changed: Sequence[Changed] = ()
        self._claimed: set[str] = set()  # Namespaces, since the last commit.

    def within(
        self, account: Account, growth: int, change: Callable[[sqlite3.Connection], T | LokiError]
    ) -> Callable[[sqlite3.Connection], T | LokiError]:
        """`change`, which is undone and refused where the namespace grew too large by it.

        It lets it grow by `growth` bytes at most. Far from the limit nothing else need be known.
        What the namespace's files take must be known by then: the database waits for it.
        """

        def changed(connection: sqlite3.Connection) -> T | LokiError:
            self._claimed.add(account.namespace)
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
        usage.note_touched(connection)
        noted.prepare(connection)
        if self._watchers.are_there:
            noted.begin(connection)
        self._kept = usage.of_all(connection)
        self._load()
        self._watchers.count_from(epoch.first_revision(connection), _revisions(self._kept))

    def changed(self, connection: sqlite3.Connection) -> None:
        self._coming = usage.take_touched(connection)
        self._changed = noted.take(connection)

    def kept(self) -> None:
        coming, changed = self._coming, self._changed
        self._coming, self._changed = {}, ()
        if coming:
            self._kept.update(coming)
            self._watchers.tell(_revisions(coming), changed)
        self._settle(self._claimed.union(coming))

    def lost(self) -> None:
        """Where no file could be opened yet, files count alone."""
        self._coming, self._changed = {}, ()
        self._load()

    def _load(self) -> None:
        self._claimed.clear()
        sizes = {name: each.size_bytes for name, each in self._kept.items()}
        self._ledger.load(Part.DATABASE, sizes)

    def _settle(self, namespaces: Collection[str]) -> None:
        self._claimed.clear()
        if namespaces:
            nothing = Usage()
            sizes = {name: self._kept.get(name, nothing).size_bytes for name in namespaces}
            self._ledger.settle(Part.DATABASE, sizes)


def _revisions(usages: Mapping[str, Usage]) -> dict[str, int]:
    return {name: each.revision for name, each in usages.items()}
