"""What is in a backup is counted in it, whoever made it."""

import io
import shutil
import tarfile
from pathlib import Path
from typing import Any

import pytest
from hel_actor.backup import inventory

from loki.messages.backup import BackupCounts, BeginBackup, EndBackup
from loki.messages.restore import BeginRestore, CheckRestore, WriteRestore
from tests.unit.children.hel_actor.calling import Start
from tests.unit.children.hel_actor.restoring import SMALL, ask, backup_of, fill

FULL = BackupCounts(
    scripts=0,
    revisions=0,
    values=1,
    executions=0,
    files=1,
    series=1,
    rows=60,
    strange_series=0,
    missing_series=0,
)


@pytest.fixture
def copy(start: Start, tmp_path: Path) -> Path:
    """A backup, unpacked."""
    bench = start(**SMALL)
    fill(bench)
    with tarfile.open(fileobj=io.BytesIO(backup_of(bench))) as archive:
        archive.extractall(tmp_path / "copy", filter="data")
    return tmp_path / "copy"


def test_all_kinds_are_counted_and_nothing_changed(copy: Path) -> None:
    before = sorted(copy.rglob("*"))
    assert inventory.count(copy) == FULL
    assert sorted(copy.rglob("*")) == before


def test_series_without_files_and_files_without_series(copy: Path) -> None:
    shutil.move(copy / "series/tool/t", copy / "series/tool/other")
    found = inventory.count(copy)
    assert (found.series, found.strange_series, found.missing_series) == (1, 1, 1)
    shutil.move(copy / "series/tool/other", copy / "series/tool/t~1")  # It was kept aside.
    assert inventory.count(copy).strange_series == 0


@pytest.mark.parametrize("array", ["time", "value", "quality"])
def test_a_chunk_without_its_file_is_missed(copy: Path, array: str) -> None:
    (copy / f"series/tool/t/{array}/c/1").unlink()
    assert inventory.count(copy).missing_series == 1


def test_backup_and_restore_tell_the_same(start: Start) -> None:
    bench: Any = start(**SMALL)
    fill(bench)
    assert ask(bench, BeginBackup(id="a", reader="gateway", version="9")).contents.counts == FULL
    ask(bench, EndBackup(id="a"))
    archive = backup_of(bench)
    ask(bench, BeginRestore(id="r", writer="gateway"))
    ask(bench, WriteRestore(id="r", offset=0, data=archive))
    assert ask(bench, CheckRestore(id="r")).contents.counts == FULL
