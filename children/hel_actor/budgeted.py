"""Changes of the database that scripts make, within what their namespaces may keep."""

import sqlite3
from collections.abc import Callable
from concurrent.futures import Future
from typing import Protocol, TypeAlias, TypeVar

from hel_actor.database.answer import after, or_raised
from hel_actor.database.database import Database
from hel_actor.quota import limit
from hel_actor.quota.quota import Account, account_of, common_account
from hel_actor.tally import Tally
from loki.child import Run
from loki.errors import LokiError

T = TypeVar("T")

Counted: TypeAlias = "Callable[[str], Future[None] | None]"
"""When it is known what files a namespace has; None where it is already."""


class Grow(Protocol):
    """See `Budgeted.grow`."""

    def __call__(
        self, namespace: str, growth: int, change: Callable[[sqlite3.Connection], T | LokiError], /
    ) -> "Future[T]": ...


class Budgeted:
    """Who makes the first change after a start waits for a look at its own files, nobody else."""

    def __init__(self, database: Database, tally: Tally, counted: Counted, quota_mb: int) -> None:
        """`quota_mb` is what those have that have no limit of their own."""
        self._database = database
        self._tally = tally
        self._counted = counted
        self._quota_mb = quota_mb
        self._accounts: dict[str, Account] = {}  # Of the last run in each namespace.

    def submit(
        self, run: Run, growth: int, change: Callable[[sqlite3.Connection], T | LokiError]
    ) -> "Future[T]":
        """Promise the result of `change`, durable, or DISK_BUDGET; see `Tally.within`."""
        account = account_of(run, self._quota_mb)
        if self._accounts.get(account.namespace) != account:
            self._accounts[account.namespace] = account
            self._database.submit(lambda connection: limit.keep(connection, account))
        return self._submit(account, growth, change)

    def grow(
        self, namespace: str, growth: int, change: Callable[[sqlite3.Connection], T | LokiError]
    ) -> "Future[T]":
        """The same for what follows from what runs did; may be called by any thread.

        The limit is that of the last run. Waits for the database's thread.
        """
        account = self._accounts.get(namespace)
        if account is None:
            own = self._database.submit(lambda connection: limit.kept(connection, namespace))
            account = own.result() or common_account(namespace, self._quota_mb)
        return self._submit(account, growth, change)

    def _submit(
        self, account: Account, growth: int, change: Callable[[sqlite3.Connection], T | LokiError]
    ) -> "Future[T]":
        within = self._tally.within(account, growth, change)
        counted = self._counted(account.namespace)
        if counted is None:
            return or_raised(self._database.submit(within))
        return or_raised(after(counted, lambda: self._database.submit(within)))
