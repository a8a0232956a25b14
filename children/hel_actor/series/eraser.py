"""Removes series: for scripts and clients at once, and what is left of them by and by."""

import logging
import sqlite3
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from contextlib import suppress
from pathlib import Path

from hel_actor.messages import RemoveSeries, SeriesRemoved
from hel_actor.namespace import series_place
from hel_actor.series import remains, removal
from hel_actor.series.removal import Removed
from hel_actor.series.store import SeriesStore, Submit, existing
from hel_actor.storage import Disk, Storage
from loki.child import Run, RunHandler, ServiceHandler
from loki.errors import IoError
from loki.messages.envelope import Message
from loki.messages.series import EraseSeries, SeriesErased

ROWS_AT_ONCE = 5000
"""Rows of each kind that go in one transaction, which all others wait for."""


class Remover:
    """Only the series' thread may call it."""

    def __init__(
        self, store: SeriesStore, submit: Submit, folder: Path, storage: Storage | None = None
    ) -> None:
        """`folder` is where the files of all series are."""
        self._store = store
        self._submit = submit
        self._folder = folder
        self._storage = storage or Disk()

    def remove(self, namespace: str, name: str) -> tuple[Removed, int] | None:
        """Let a series be no more, and say how many rows it had; None where there is none.

        Something of it may be left, for `clear`. Raises: IoError, and then it is all there;
        ServiceUnavailable while a backup is made.
        """
        self._store.require_free()
        gone = self._submit(lambda database: removal.remove(database, namespace, name)).result()
        if gone is not None:
            self._store.forget(gone[0].id)
            with suppress(OSError):  # Then `clear` does it again, and tells of it.
                remains.set_aside(self._storage, self._folder, gone[0])
        return gone

    def pending(self, series_id: int) -> Removed | None:
        """The removed series of that id, if something of it may be left. Raises: IoError."""
        return self._store.look(lambda reader: removal.find(reader, series_id))

    def all_pending(self) -> tuple[Removed, ...]:
        """All of which something may be left. Raises: IoError."""
        return self._store.look(removal.pending)

    def clear(self, removed: Removed) -> bool:
        """Let some of what is left of it go; whether there may be more.

        Raises: IoError; the next call goes on.
        """
        try:
            remains.set_aside(self._storage, self._folder, removed)
            files = remains.erase(self._storage, self._folder, removed)
        except OSError as error:
            raise IoError(
                f"files of '{removed.name}', which was removed, are left: {error.strerror}"
            ) from error
        if files or self._submit(lambda database: _swept(database, removed.id)).result():
            return True
        self._submit(lambda database: removal.close(database, removed.id)).result()
        return False


def _swept(database: sqlite3.Connection, series_id: int) -> bool:
    return removal.sweep(database, series_id, ROWS_AT_ONCE)


class Eraser:
    """The calls that remove a series."""

    def __init__(
        self,
        store: SeriesStore,
        remover: Remover,
        worker: Executor,
        clear: Callable[[int], None],
        log: logging.Logger,
    ) -> None:
        """`worker` is the series' own thread; `clear` sees to what is left of a removed one."""
        self._store = store
        self._remover = remover
        self._worker = worker
        self._clear = clear
        self._log = log

    def calls(self) -> Mapping[type[Message], RunHandler]:
        return {RemoveSeries: self._remove}

    def services(self) -> Mapping[type[Message], ServiceHandler]:
        return {EraseSeries: self._erase}

    def _remove(self, request: RemoveSeries, run: Run) -> "Future[SeriesRemoved]":
        place = series_place(run, request.name)
        return self._worker.submit(lambda: SeriesRemoved(existed=self._rows(*place) is not None))

    def _erase(self, request: EraseSeries) -> "Future[SeriesErased]":
        def erased() -> SeriesErased:
            place = request.script, request.name
            self._store.look(lambda reader: existing(reader, *place))
            rows = self._rows(*place) or 0  # Only this thread removes any.
            self._log.info("%s removed series %s/%s, %d rows", request.principal, *place, rows)
            return SeriesErased(rows=rows)

        return self._worker.submit(erased)

    def _rows(self, namespace: str, name: str) -> int | None:
        """How many rows the series had, which is no more; None where there is none."""
        gone = self._remover.remove(namespace, name)
        if gone is None:
            return None
        removed, rows = gone
        self._clear(removed.id)
        return rows
