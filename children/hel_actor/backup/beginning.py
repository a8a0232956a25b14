"""What is left of a device's data where Hel's database had to begin anew, and what is told."""

import logging
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hel_actor.backup.snapshot import FILES, SERIES

MOST_NAMED = 5
ASIDE = "~"  # In the name of a group that was kept aside, and in no series' own.
_KNOWN = (  # Files of a series that was removed go by and by.
    "SELECT namespace, name FROM series "
    "UNION SELECT namespace, name FROM series_removed WHERE pending"
)
REMEDY = "put a backup back (`loki restore`)"


class Beginning:
    """Called by the database's thread; any thread may read `trouble`.

    It stands until Hel starts again: whoever looks later than that finds series that the database
    does not know, the log, and what `loki doctor` says.
    """

    def __init__(self, state: Path, log: logging.Logger) -> None:
        self._state = state
        self._log = log
        self._trouble = ""

    @property
    def trouble(self) -> str:
        """What people should know, or ""."""
        return self._trouble

    def anew(self, damage: str) -> None:
        """A new file is about to be made; `damage` is why the old one was put aside, or ""."""
        with self._looking():
            scripts = [each for each in _folders(self._state / FILES) if any(each.iterdir())]
            self._tell(lost(damage, groups(self._state / SERIES), len(scripts)))

    def opened(self, connection: sqlite3.Connection) -> None:
        """Look whether the files of series are all of this database."""
        known = set(connection.execute(_KNOWN).fetchall())
        with self._looking():
            found = groups(self._state / SERIES, known)
            if not self._trouble:
                self._tell(strange(found))

    @contextmanager
    def _looking(self) -> Iterator[None]:
        """Opening the database must not fail because somebody works in the folders beside it."""
        try:
            yield
        except OSError as error:
            self._log.warning("what is beside the database cannot be seen: %s", error)

    def _tell(self, trouble: str) -> None:
        if trouble and trouble != self._trouble:  # A disk that is full makes it begin repeatedly.
            self._log.error("%s", trouble)
            self._trouble = trouble


def lost(damage: str, series: Sequence[tuple[str, str]], scripts: int) -> str:
    """What is told of a database that begins anew; "" on a device that has no data yet.

    `series` are the groups of files that are there, and `scripts` is how many have files.
    """
    left = [
        text
        for text in (
            f"series {_some(series)}" if series else "",
            f"files of {scripts} script{'s' * (scripts > 1)}" if scripts else "",
        )
        if text
    ]
    if not damage and not left:
        return ""
    why = f"hel.sqlite {' '.join(damage.split())}" if damage else "hel.sqlite was missing"
    beside = f"; beside it were {' and '.join(left)}" if left else ""
    return (
        f"{why}, so Hel began with an empty one{beside}. Registered scripts, values, history and "
        f"rows that were not in files yet are gone from it: {REMEDY}. Files of series stay; they "
        "are kept aside as NAME~1 when a script writes a series of that name"
    )


def strange(series: Sequence[tuple[str, str]]) -> str:
    """What is told of files of series that the database does not know; "" for none."""
    if not series:
        return ""
    return (
        f"hel.sqlite does not know the series {_some(series)}, whose files are there: {REMEDY}, or "
        "move them away; zarr reads them"
    )


def _some(series: Sequence[tuple[str, str]]) -> str:
    named = ", ".join(f"{namespace}/{name}" for namespace, name in series[:MOST_NAMED])
    more = len(series) - MOST_NAMED
    return named + (f" and {more} more" if more > 0 else "")


def groups(folder: Path, known: Collection[tuple[str, str]] = ()) -> list[tuple[str, str]]:
    """Script and name of others than the known series that have files, and were not put aside."""
    return [
        place
        for namespace in _folders(folder)
        for group in _folders(namespace)
        if (place := (namespace.name, group.name)) not in known
        and ASIDE not in group.name
        and any(group.glob("*/c/[0-9]*"))
    ]


def _folders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
