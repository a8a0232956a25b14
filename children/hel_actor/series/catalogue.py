"""What there is of time series, in the database alone: nothing here reads a file of theirs."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import islice

from hel_actor.series import journal

PlaceName = tuple[str, str]
"""Namespace and name."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What a series has: rows, their first and last time, bytes of files, attributes as JSON."""

    namespace: str
    name: str
    rows: int
    oldest_ns: int | None
    newest_ns: int | None
    size_bytes: int
    attributes: str


def entry(connection: sqlite3.Connection, series: journal.Series) -> Entry:
    size_bytes, *filed = connection.execute(
        "SELECT coalesce(sum(size_bytes), 0), min(oldest_ns), max(newest_ns), count(*) "
        "FROM series_chunk WHERE series = ?",
        (series.id,),
    ).fetchone()
    waits = connection.execute(
        "SELECT min(time_ns), max(time_ns) FROM series_row WHERE series = ?", (series.id,)
    ).fetchone()
    return Entry(
        namespace=series.namespace,
        name=series.name,
        rows=filed[2] * series.chunk_rows + series.waiting,
        oldest_ns=min((time for time in (filed[0], waits[0]) if time is not None), default=None),
        newest_ns=max((time for time in (filed[1], waits[1]) if time is not None), default=None),
        size_bytes=size_bytes,
        attributes=series.attributes or "{}",
    )


def page(
    connection: sqlite3.Connection, script: str, name: str, after: PlaceName, size: int
) -> tuple[list[Entry], PlaceName | None]:
    """Up to `size` series whose script and name match these globs, of those behind `after`.

    They come by script and name, with where the next page begins; None where there is none.
    """
    matching = _matching(connection, script, name, after)
    places = list(islice(matching, size + 1))
    found = [journal.find(connection, *place) for place in places[:size]]
    entries = [entry(connection, series) for series in found if series is not None]
    return entries, places[size - 1] if len(places) > size else None


def _matching(
    connection: sqlite3.Connection, script: str, name: str, after: PlaceName
) -> Iterator[PlaceName]:
    rows = connection.execute(
        "SELECT namespace, name FROM series WHERE (namespace, name) > (?, ?) "
        "ORDER BY namespace, name",
        after,
    )
    return (
        (namespace, each)
        for namespace, each in rows
        if fnmatchcase(namespace, script) and fnmatchcase(each, name)
    )
