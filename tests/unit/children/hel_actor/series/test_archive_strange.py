"""Files of a series in whose place something else stands: nobody waits, no other row is lost."""

import errno
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hel_actor.series.archive import Archive
from hel_actor.series.damage import DamagedChunk
from hel_actor.series.description import ARRAYS
from hel_actor.storage import Disk

from tests.unit.children.hel_actor.series.test_archive import EMPTY, TWO, everything, rows, same
from tests.unit.children.hel_actor.strange import STRANGE, fifo, folder, link, socket

Strange = Callable[[Path], None]


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    """With two chunks of rows in the series `t`."""
    archive = Archive(tmp_path, Disk())
    archive.recover(EMPTY)
    archive.write(EMPTY, rows(32))
    archive.publish(TWO)
    return archive


def without_kept(found: dict[str, bytes]) -> dict[str, bytes]:
    return {path: content for path, content in found.items() if "~" not in path}


@pytest.mark.parametrize("strange", STRANGE)
@pytest.mark.parametrize(
    "name",
    [
        "zarr.json",
        "time/zarr.json",
        ".zarr.json.partial",
        "value/.zarr.json.partial",
        "time/c/.0.partial",
        "quality/c/2",
        "../zarr.json",
        "../.t.partial",
    ],
)
def test_what_stands_in_the_place_of_a_file_gives_way(
    archive: Archive, tmp_path: Path, strange: Strange, name: str
) -> None:
    before = everything(tmp_path)
    strange(tmp_path / "tool/t" / name)
    assert archive.recover(TWO) == []
    assert same(archive.read(TWO, 0, 2), rows(32))
    assert without_kept(everything(tmp_path)) == before
    if strange is folder and name != "../.t.partial":
        where = (tmp_path / "tool/t" / name).resolve()
        assert where.with_name(f"{where.name}~1").joinpath("note").exists()


@pytest.mark.parametrize("strange", STRANGE)
@pytest.mark.parametrize("name", ["zarr.json", "value/zarr.json", "value/.zarray"])
def test_what_comes_while_it_is_in_use_holds_up_no_reader(
    archive: Archive, tmp_path: Path, strange: Strange, name: str
) -> None:
    strange(tmp_path / "tool/t" / name)
    assert same(archive.read(TWO, 0, 2), rows(32))
    archive.write(TWO, rows(16, first=32))
    three = replace(TWO, chunks=3)
    archive.publish(three)
    assert same(archive.read(three, 0, 3), rows(48))


@pytest.mark.parametrize("strange", STRANGE)
@pytest.mark.parametrize("array", ARRAYS)
def test_a_chunk_that_is_no_file_costs_its_own_rows(
    archive: Archive, tmp_path: Path, strange: Strange, array: str
) -> None:
    strange(tmp_path / f"tool/t/{array}/c/0")
    archive.recover(TWO)
    with pytest.raises(DamagedChunk, match=f"t/{array}/c/0 is a .*, not a plain file"):
        archive.read(TWO, 0, 2)
    assert same(archive.read(TWO, 1, 1), rows(16, first=16))
    later = replace(TWO, dropped=1)
    assert archive.recover(later) == []
    assert same(archive.read(later, 1, 1), rows(16, first=16))


@pytest.mark.parametrize("strange", STRANGE)
def test_a_description_of_nobody_is_a_strangers(
    archive: Archive, tmp_path: Path, strange: Strange
) -> None:
    """Whose chunks they are cannot be known, and the database has none for that name."""
    strange(tmp_path / "tool/t/zarr.json")
    (report,) = archive.recover(replace(EMPTY, mark="another"))
    assert report.endswith("kept as t~1")
    assert (tmp_path / "tool/t~1/value/c/1").exists()


@pytest.mark.parametrize("strange", [fifo, link, socket])
def test_what_has_the_name_of_a_series_is_kept_aside(tmp_path: Path, strange: Strange) -> None:
    archive = Archive(tmp_path, Disk())
    (tmp_path / "tool").mkdir()
    strange(tmp_path / "tool/t")
    strange(tmp_path / "tool/t~1")
    (report,) = archive.recover(EMPTY)
    assert report.endswith("kept as t~2")
    archive.write(EMPTY, rows(32))
    archive.publish(TWO)
    assert same(archive.read(TWO, 0, 2), rows(32))


@pytest.mark.parametrize("name", ["time", "value/c"])
def test_a_file_in_the_place_of_a_folder_is_a_clear_reason(
    archive: Archive, tmp_path: Path, name: str
) -> None:
    path = tmp_path / "tool/t" / name
    shutil.rmtree(path)
    fifo(path)
    with pytest.raises(OSError, match=f"{path.name}/ is not a folder") as refused:
        archive.recover(TWO)
    assert refused.value.errno == errno.ENOTDIR


@pytest.mark.parametrize("strange", STRANGE)
def test_keeping_newer_chunks_aside_takes_plain_files_along(
    archive: Archive, tmp_path: Path, strange: Strange
) -> None:
    archive.write(TWO, rows(16, first=32))
    strange(tmp_path / "tool/t/value/c/1")
    (report,) = archive.recover(TWO)
    assert report.endswith("all is kept as t~1")
    assert not (tmp_path / "tool/t~1/value/c/1").exists()
    assert (tmp_path / "tool/t~1/value/c/2").exists()
