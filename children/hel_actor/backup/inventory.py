"""Counts what is in a copy of Hel's data, from the copy itself: so of an older Loki's too."""

from pathlib import Path

from hel_actor.backup.beginning import groups
from hel_actor.backup.path import walk
from hel_actor.backup.snapshot import DATABASE, FILES, SERIES
from hel_actor.series.description import ARRAYS
from hel_actor.soundness import untrusted
from loki.child import BackupCounts

# The newest rows of a series wait in the database; a chunk of its files is always full.
_COUNTS = """
    SELECT
        (SELECT count(*) FROM script WHERE current IS NOT NULL),
        (SELECT count(*) FROM script_revision),
        (SELECT count(*) FROM keyvalue),
        (SELECT count(*) FROM execution),
        (SELECT count(*) FROM series_row) + (
            SELECT ifnull(sum(chunk_rows), 0) FROM series_chunk AS c JOIN series ON id = c.series)
"""


def count(folder: Path) -> BackupCounts:
    """`folder` has a database that nobody uses, of the newest schema.

    Raises: OSError; sqlite3.Error.
    """
    with untrusted(folder / DATABASE, "mode=ro") as connection:
        scripts, revisions, values, executions, rows = connection.execute(_COUNTS).fetchone()
        known = set(connection.execute("SELECT namespace, name FROM series").fetchall())
        filed = connection.execute(
            "SELECT namespace, name, count(*) FROM series_chunk AS c JOIN series ON id = c.series "
            "GROUP BY id"
        ).fetchall()
    return BackupCounts(
        scripts=scripts,
        revisions=revisions,
        values=values,
        executions=executions,
        files=sum(not each.is_folder for each in walk(folder / FILES, _skipped)),
        series=len(known),
        rows=rows,
        strange_series=len(groups(folder / SERIES, known)),
        missing_series=sum(
            _lacks(folder / SERIES / script / name, chunks) for script, name, chunks in filed
        ),
    )


def _lacks(group: Path, chunks: int) -> bool:
    """Whether any array has fewer files than that."""
    return any(len(list((group / array / "c").glob("[0-9]*"))) < chunks for array in ARRAYS)


def _skipped(_path: Path) -> None:
    """Whoever made the copy has told of it."""
