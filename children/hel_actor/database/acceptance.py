"""Whether the disk takes changes of the database, as far as they tell."""

import logging
import sqlite3
from contextlib import suppress

from hel_actor.database.sqlite_file import SqliteFile
from hel_actor.refusal import FULL, Watch, is_full, is_of_disk
from loki.child import Clock

REFUSED = "changes of the database fail"


class Acceptance:
    """Told by the database's thread; any thread may ask. No method raises.

    On a full disk, what needs no room succeeds all the while; so there it goes by the room, too.
    """

    def __init__(self, file: SqliteFile, clock: Clock, log: logging.Logger) -> None:
        self._file = file
        self._log = log
        self._watch = Watch(clock, log)

    @property
    def trouble(self) -> str:
        """Why it takes none; "" while it does."""
        return self._watch.trouble

    @property
    def is_due(self) -> bool:
        """Whether to find out by a probe, where no change may come for long."""
        return self._watch.is_due

    def opened(self, connection: sqlite3.Connection) -> None:
        if self._is_full(connection):
            self._watch.failed(REFUSED, FULL)

    def failed(
        self, error: Exception, connection: sqlite3.Connection | None, *, small: bool = False
    ) -> None:
        """Something did; a `small` change is one that needs no room."""
        if not is_of_disk(error):
            self._log.error("%s: %s", self._file.path, error)
            return
        if not is_full(error):
            self._watch.failed(REFUSED, error)
        elif small or self._is_full(connection):
            self._watch.failed(REFUSED, FULL)
        else:
            self._watch.failed(REFUSED, error, alone=True)

    def succeeded(self, connection: sqlite3.Connection | None) -> None:
        """A change did."""
        if self._watch.is_well:
            return
        if self._is_full(connection):
            self._watch.failed(REFUSED, FULL)
        else:
            self._watch.succeeded()

    def forget(self) -> None:
        """The file is another one, or was opened after it could not be."""
        self._watch.forget()

    def _is_full(self, connection: sqlite3.Connection | None) -> bool:
        with suppress(sqlite3.Error, OSError):  # The next change says what is wrong, if it is.
            return connection is not None and self._file.is_full(connection)
        return False
