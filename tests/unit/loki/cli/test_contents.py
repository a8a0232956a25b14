"""What people are told of what is in a backup."""

from dataclasses import replace

import pytest

from loki.cli.contents import as_json, counted, doubts
from loki.client import BackupCounts

COUNTS = BackupCounts(
    scripts=1,
    revisions=5,
    values=1200,
    executions=0,
    files=2,
    series=3,
    rows=1,
    strange_series=0,
    missing_series=0,
)


def test_each_kind_is_counted() -> None:
    assert counted(COUNTS) == (
        "1 registered script (5 revisions), 1,200 values, 2 files, 3 time series with 1 row, "
        "0 executions"
    )
    assert list(doubts(COUNTS)) == []
    assert as_json(COUNTS) == {
        "scripts": 1,
        "revisions": 5,
        "values": 1200,
        "executions": 0,
        "files": 2,
        "series": 3,
        "rows": 1,
        "strange_series": 0,
        "missing_series": 0,
    }


def test_an_older_server_counts_nothing() -> None:
    assert "does not tell" in counted(None)
    assert (list(doubts(None)), as_json(None)) == ([], None)


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        (replace(COUNTS, strange_series=2), "does not know 2 time series whose files are in it"),
        (replace(COUNTS, missing_series=3), "lacks files of 3 time series that its database knows"),
    ],
)
def test_what_is_expected_and_missing_is_told(counts: BackupCounts, text: str) -> None:
    (doubt,) = doubts(counts)
    assert text in doubt
    assert "earlier backups" in doubt
