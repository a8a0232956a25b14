"""What is in a backup, in words for people."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from loki.cli.view import Json

if TYPE_CHECKING:
    from loki.client import BackupContents, BackupCounts


def summary(contents: "BackupContents") -> str:
    """For people, such as "42 files and folders of lab at 2026-11-28 04:00:00, Loki 0.1.0"."""
    time = contents.time.astimezone().isoformat(" ", "seconds")[:19]
    return (
        f"{contents.entries} files and folders of {contents.device} at {time}, "
        f"Loki {contents.version}"
    )


def counted(counts: "BackupCounts | None") -> str:
    """For people, such as "3 registered scripts (5 revisions), 1 value, ..."."""
    if counts is None:
        return "an older Loki, which does not tell what is in it"
    return ", ".join(
        (
            f"{_many(counts.scripts, 'registered script')} ({_many(counts.revisions, 'revision')})",
            _many(counts.values, "value"),
            _many(counts.files, "file"),
            f"{counts.series:,} time series with {_many(counts.rows, 'row')}",
            _many(counts.executions, "execution"),
        )
    )


def doubts(counts: "BackupCounts | None") -> Iterator[str]:
    """What should be in it, and is not."""
    if counts is None:
        return
    if counts.strange_series:
        yield (
            f"its database does not know {counts.strange_series} time series whose files are in "
            "it: it may have begun anew, without what the device kept before; `loki status` and "
            "`loki doctor` there tell more. Keep your earlier backups"
        )
    if counts.missing_series:
        yield (
            f"it lacks files of {counts.missing_series} time series that its database knows: rows "
            "of theirs are missing; `loki doctor` there tells more. Keep your earlier backups"
        )


def as_json(counts: "BackupCounts | None") -> Json:
    """None where nobody counted."""
    from dataclasses import asdict

    return None if counts is None else asdict(counts)


def _many(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"
