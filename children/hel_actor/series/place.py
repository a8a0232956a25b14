"""Where the files of series are, as the database says."""

import sqlite3
from typing import TYPE_CHECKING

from hel_actor.series import attribute, journal

if TYPE_CHECKING:  # It brings numpy and zarr, which only the series' thread may import.
    from hel_actor.series.archive import Place


def place_of(known: journal.Series, chunks: int) -> "Place":
    from hel_actor.series.archive import Place

    return Place(
        known.namespace,
        known.name,
        known.mark,
        known.chunk_rows,
        known.dropped,
        chunks,
        attribute.text(known.attributes),
        known.waiting,
    )


def places(reader: sqlite3.Connection) -> "list[Place]":
    """Of all series that have files, as a database says."""
    found = reader.execute("SELECT id FROM series WHERE chunks > dropped").fetchall()
    return [
        place_of(known, known.chunks) for known in (journal.by_id(reader, *row) for row in found)
    ]
