"""Looks after each start whether the counts of what is kept are right, while changes go on.

It takes its turns in the thread of the series, and what is not done at the end of a process is not
missed: the next start begins anew.
"""

import logging
import sqlite3
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import closing

from hel_actor.database.answer import following
from hel_actor.database.database import Database
from hel_actor.quota import recount
from hel_actor.quota.recount import Miscount
from hel_actor.turns import Steps, Turns
from hel_actor.value import epoch
from loki.errors import IoError


class Auditor:
    """Reads one state of the database in small steps; only what is wrong is written."""

    def __init__(self, database: Database, turns: Turns, log: logging.Logger) -> None:
        self._database = database
        self._turns = turns
        self._log = log
        self._steps = self._audit()
        self._is_missed = False

    def begin(self) -> "Future[None]":
        """The promise says when it has looked at all; where it cannot, the log has the reason."""
        self._is_missed = False
        self._steps = self._audit()
        return self._turns.ask(self._steps)

    @property
    def is_due(self) -> bool:
        """Whether it should begin again: what it could not look at is well."""
        return self._is_missed and not self._database.trouble

    def close(self) -> None:
        """Before the database is, whose log would stay where somebody still reads it."""
        self._turns.end(self._steps)

    def _audit(self) -> Steps[None]:
        try:
            with closing(self._database.another_reader()) as connection:
                connection.execute("BEGIN")
                first = epoch.first_revision(connection)
                wrong = yield from recount.looking(connection)
        except (sqlite3.Error, IoError) as error:
            self._log.error("the counts of what is kept could not be looked at: %s", error)
            self._is_missed = True
            return
        if wrong:
            mended = self._database.submit(lambda writer: _mend(writer, first, wrong))
            following(mended, self._tell).add_done_callback(self._look_at)

    def _tell(self, mended: Sequence[Miscount]) -> None:
        for each in mended:
            place = f"{each.namespace}/{each.series}".rstrip("/")
            counted = f"{each.counted:,} {each.counter.value} of {place} were counted"
            self._log.warning("%s, and there were %s: put right", counted, f"{each.found:,}")

    def _look_at(self, told: "Future[None]") -> None:
        error = told.exception()
        if error is not None:
            self._log.error("counts of what is kept are wrong, and stay so for now: %s", error)


def _mend(
    writer: sqlite3.Connection, first_revision: int, wrong: Sequence[Miscount]
) -> Sequence[Miscount]:
    """Nothing where another file took the place of that which was looked at."""
    if epoch.first_revision(writer) != first_revision:
        return ()
    recount.mend(writer, wrong)
    return wrong
