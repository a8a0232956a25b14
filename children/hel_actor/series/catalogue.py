"""What there is of time series, in the database alone: nothing here reads a file of theirs."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from hel_actor.series import attribute, journal
from hel_actor.series.row import LIMITED, TIMED

PAGE_BYTES = 3 * 1024 * 1024  # Clients of gRPC take 4 MiB.
ENTRY_BYTES = 256  # More than all of an entry but its attributes.
GROWTH = 5  # So many bytes a byte of JSON becomes at most, such as those of [-1,-1].
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
        "SELECT CAST(coalesce(sum(size_bytes), 0) AS INTEGER), "  # noqa: S608  # Our own words.
        f"min(CASE WHEN {LIMITED} THEN oldest_ns END), "
        f"max(CASE WHEN {LIMITED} THEN newest_ns END), count(*) FROM series_chunk WHERE series = ?",
        (series.id,),
    ).fetchone()
    waits = connection.execute(
        f"SELECT min(time_ns), max(time_ns) FROM series_row WHERE series = ? AND {TIMED}",  # noqa: S608  # Our own words.
        (series.id,),
    ).fetchone()
    return Entry(
        namespace=series.namespace,
        name=series.name,
        rows=filed[2] * series.chunk_rows + series.waiting,
        oldest_ns=min((time for time in (filed[0], waits[0]) if time is not None), default=None),
        newest_ns=max((time for time in (filed[1], waits[1]) if time is not None), default=None),
        size_bytes=size_bytes,
        attributes=attribute.text(series.attributes),
    )


def page(
    connection: sqlite3.Connection, script: str, name: str, after: PlaceName, size: int
) -> tuple[list[Entry], PlaceName | None]:
    """Up to `size` series whose script and name match these globs, of those behind `after`.

    They come by script and name, with where the next page begins; None where there is none. Fewer
    come where more would not fit into an answer.
    """
    entries: list[Entry] = []
    last, left = after, PAGE_BYTES
    for place in _matching(connection, script, name, after):
        series = journal.find(connection, *place)
        if series is None:
            continue
        left -= ENTRY_BYTES + GROWTH * len(attribute.text(series.attributes))
        if len(entries) == size or (entries and left < 0):
            return entries, last
        entries.append(entry(connection, series))
        last = place
    return entries, None


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
