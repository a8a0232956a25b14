"""Changes of the database that a script makes, within what its namespace may keep."""

import sqlite3
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeAlias, TypeVar

from hel_actor.database.answer import after, or_raised
from hel_actor.database.database import Database
from hel_actor.quota.quota import account_of
from hel_actor.tally import Tally
from loki.child import Run
from loki.errors import LokiError

T = TypeVar("T")

Counted: TypeAlias = "Callable[[str], Future[None] | None]"
"""When it is known what files a namespace has; None where it is already."""


class Budgeted:
    """Who makes the first change after a start waits for a look at its own files, nobody else."""

    def __init__(self, database: Database, tally: Tally, counted: Counted, quota_mb: int) -> None:
        """`quota_mb` is what those have that have no limit of their own."""
        self._database = database
        self._tally = tally
        self._counted = counted
        self._quota_mb = quota_mb

    def submit(
        self, run: Run, growth: int, change: Callable[[sqlite3.Connection], T | LokiError]
    ) -> "Future[T]":
        """Promise the result of `change`, durable, or DISK_BUDGET; see `Tally.within`."""
        account = account_of(run, self._quota_mb)
        within = self._tally.within(account, growth, change)
        counted = self._counted(account.namespace)
        if counted is None:
            return or_raised(self._database.submit(within))
        return or_raised(after(counted, lambda: self._database.submit(within)))
