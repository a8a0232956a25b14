"""The files: what others see of them, and what is found of them after anything."""

import errno
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray
import zarr
from hel_actor.series.archive import Archive, Place
from hel_actor.series.column import Columns, columns
from hel_actor.series.damage import DamagedChunk
from hel_actor.series.description import ARRAYS
from hel_actor.storage import Disk

from loki.errors import IoError

START_NS = 1_700_000_000_000_000_000
EMPTY = Place("tool", "t", "mark", 16, 0, 0)
TWO = replace(EMPTY, chunks=2)


def rows(count: int, first: int = 0) -> Columns:
    return columns([(START_NS + n * 1000, n / 2, n % 7) for n in range(first, first + count)])


def same(left: Columns, right: Columns) -> bool:
    return all(
        np.array_equal(getattr(left, name), getattr(right, name))
        for name in ("times", "values", "qualities")
    )


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    """With two chunks of rows in the series `t`."""
    archive = Archive(tmp_path, Disk())
    archive.recover(EMPTY)
    archive.write(EMPTY, rows(32))
    archive.publish(TWO)
    return archive


def everything(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_chunks_in_folders_that_were_not_synced_are_not_lost_with_them(tmp_path: Path) -> None:
    """A process was killed between making a folder and syncing the one above."""
    synced: list[Path] = []

    class Watched(Disk):
        def sync_directory(self, path: Path) -> None:
            synced.append(path)

    group = tmp_path / "series" / "tool" / "t"
    for name in ARRAYS:
        (group / name / "c").mkdir(parents=True)
    Archive(tmp_path / "series", Watched()).recover(EMPTY)
    above = {tmp_path, tmp_path / "series", group.parent, group}
    assert above | {group / name for name in ARRAYS} <= set(synced)


def test_rows_come_back_by_chunk(archive: Archive) -> None:
    both = archive.read(TWO, 0, 2)
    assert same(both, rows(32))
    second = archive.read(TWO, 1, 1)
    assert same(second, rows(16, first=16))


def test_s_8_5_3_zarr_opens_it(archive: Archive, tmp_path: Path) -> None:
    group = zarr.open_group(tmp_path / "tool" / "t", mode="r")
    assert {name: array.shape for name, array in group.arrays()} == dict.fromkeys(ARRAYS, (32,))
    assert group["time"].dtype == np.int64
    assert same(Columns(*(group[name][:] for name in ARRAYS)), rows(32))
    assert [name for name, _ in zarr.open_group(tmp_path, mode="r").groups()] == ["tool"]


@pytest.mark.filterwarnings("error")
def test_s_8_5_3_xarray_opens_it(archive: Archive, tmp_path: Path) -> None:
    with xarray.open_zarr(tmp_path / "tool" / "t") as dataset:
        assert dataset.time.dtype == np.dtype("datetime64[ns]")
        assert dataset.time.astype(np.int64).values[1] == START_NS + 1000
        assert dataset.value.sel(time=dataset.time[3]) == 1.5
        assert dataset.quality.dims == ("time",)


def test_s_8_5_3_who_opens_it_between_two_steps_sees_one_length(
    archive: Archive, tmp_path: Path
) -> None:
    lengths = []

    class Looking(Disk):
        def rename(self, path: Path, target: Path) -> None:
            super().rename(path, target)
            with xarray.open_zarr(tmp_path / "tool" / "t", decode_times=False) as dataset:
                assert same(
                    Columns(*(dataset[name].values for name in ARRAYS)), rows(dataset.time.size)
                )
                lengths.append(dataset.time.size)

    looking = Archive(tmp_path, Looking())
    looking.write(TWO, rows(16, first=32))
    looking.publish(replace(EMPTY, chunks=3))
    assert lengths == [32] * 6 + [48]


def test_chunks_that_nobody_was_told_of_are_removed(archive: Archive, tmp_path: Path) -> None:
    before = everything(tmp_path)
    archive.write(TWO, rows(16, first=32))
    (tmp_path / "tool/t/time/c/.7.partial").write_bytes(b"half")
    (tmp_path / "tool/t/.zarr.json.partial").write_bytes(b"half")
    (tmp_path / "tool/t/value/.zarr.json.partial").write_bytes(b"half")
    assert archive.recover(replace(TWO, waiting=16)) == []
    assert everything(tmp_path) == before


def test_a_length_that_the_database_does_not_know_is_taken_back(
    archive: Archive, tmp_path: Path
) -> None:
    before = everything(tmp_path)
    archive.write(TWO, rows(16, first=32))
    archive.publish(replace(EMPTY, chunks=3))
    assert archive.recover(replace(TWO, waiting=16)) == []
    assert everything(tmp_path) == before


@pytest.mark.parametrize("waiting", [32, 0], ids=["left by a kill", "of a newer database"])
def test_who_opens_it_while_chunks_go_sees_no_hole(
    archive: Archive, tmp_path: Path, waiting: int
) -> None:
    archive.write(TWO, rows(32, first=32))
    archive.publish(replace(EMPTY, chunks=4))
    seen = []

    class Looking(Disk):
        def remove(self, path: Path) -> None:
            super().remove(path)
            with xarray.open_zarr(tmp_path / "tool/t", decode_times=False) as dataset:
                assert not np.isnan(dataset.value.values).any()
                seen.append(dataset.time.size)

    Archive(tmp_path, Looking()).recover(replace(TWO, waiting=waiting))
    assert seen == [32] * 6


def test_on_a_full_disk_chunks_that_go_make_room_for_their_description(
    archive: Archive, tmp_path: Path
) -> None:
    before = everything(tmp_path)
    archive.write(TWO, rows(16, first=32))
    archive.publish(replace(EMPTY, chunks=3))

    class Full(Disk):
        def write(self, path: Path, content: bytes) -> None:
            if (tmp_path / "tool/t/quality/c/2").exists():
                raise OSError(errno.ENOSPC, "No space left on device")
            super().write(path, content)

    assert Archive(tmp_path, Full()).recover(replace(TWO, waiting=16)) == []
    assert everything(tmp_path) == before


def test_chunks_of_a_newer_database_are_kept_aside_once(archive: Archive, tmp_path: Path) -> None:
    """A kill leaves only such as have their rows in the database still."""
    before = everything(tmp_path)
    archive.write(TWO, rows(32, first=32))
    archive.publish(replace(EMPTY, chunks=4))
    newer = everything(tmp_path / "tool/t")
    (tmp_path / "tool/.t~1.partial").mkdir()  # As an earlier attempt left it.
    (report,) = archive.recover(replace(TWO, waiting=31))
    assert report.endswith("has 2 chunks of a newer database: all is kept as t~1")
    assert everything(tmp_path / "tool/t~1") == newer
    shutil.rmtree(tmp_path / "tool/t~1")
    assert everything(tmp_path) == before
    assert archive.recover(replace(TWO, waiting=31)) == []


@pytest.mark.parametrize("name", ["zarr.json", "value/zarr.json"])
def test_what_is_edited_while_loki_runs_changes_no_row(
    archive: Archive, tmp_path: Path, name: str
) -> None:
    file = tmp_path / "tool" / "t" / name
    file.write_bytes(file.read_bytes().replace(b"32", b"9999999999999"))
    both = archive.read(TWO, 0, 2)
    assert same(both, rows(32))


def test_arrays_that_are_not_asked_for_are_zero(archive: Archive) -> None:
    found = archive.read(TWO, 1, 1, ("time", "value"))
    assert not found.qualities.any()
    assert found.times.tolist() == rows(16, first=16).times.tolist()
    assert len(found.qualities) == len(found.values) == 16


@pytest.mark.parametrize("name", ["zarr.json", "time/zarr.json"])
@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"shape": [9]}', None])
def test_edited_descriptions_are_put_right(
    archive: Archive, tmp_path: Path, name: str, content: bytes | None
) -> None:
    before = everything(tmp_path)
    file = tmp_path / "tool" / "t" / name
    file.unlink() if content is None else file.write_bytes(content)
    assert archive.recover(TWO) == []
    assert everything(tmp_path) == before


def test_a_directory_of_another_series_is_kept_aside(archive: Archive, tmp_path: Path) -> None:
    before = everything(tmp_path / "tool" / "t")
    stranger = replace(EMPTY, mark="another")
    (report,) = archive.recover(stranger)
    assert report.endswith("kept as t~1")
    assert everything(tmp_path / "tool" / "t~1") == before
    archive.write(stranger, rows(16))
    archive.publish(replace(stranger, chunks=1))
    assert archive.recover(EMPTY)[0].endswith("kept as t~2")


def test_data_without_a_description_is_kept_aside(archive: Archive, tmp_path: Path) -> None:
    (tmp_path / "tool/t/zarr.json").unlink()
    assert archive.recover(EMPTY)[0].endswith("kept as t~1")
    assert (tmp_path / "tool/t~1/value/c/1").exists()


def damaged(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def replaced(file: Path) -> None:
    file.write_bytes(b"something else")


def huge(file: Path) -> None:
    with file.open("ab") as stream:
        stream.truncate(1 << 30)


@pytest.mark.parametrize("name", ARRAYS)
@pytest.mark.parametrize("harm", [Path.unlink, damaged, replaced, huge])
def test_rows_are_right_or_missing_with_a_reason(
    archive: Archive, tmp_path: Path, name: str, harm: object
) -> None:
    assert callable(harm)
    harm(tmp_path / "tool" / "t" / name / "c" / "1")
    with pytest.raises(IoError, match=f"t/{name}/c/1 is "):
        archive.read(TWO, 0, 2)
    assert same(archive.read(TWO, 0, 1), rows(16))


def test_a_file_that_was_cut_anywhere_gives_no_rows(archive: Archive, tmp_path: Path) -> None:
    file = tmp_path / "tool/t/value/c/1"
    content = file.read_bytes()
    for length in (*range(0, len(content), 9), len(content) - 1):
        file.write_bytes(content[:length])
        with pytest.raises(DamagedChunk, match="tool/t/value/c/1 is damaged"):
            archive.read(TWO, 0, 2)


def test_dropped_chunks_go_and_the_others_are_counted_anew(
    archive: Archive, tmp_path: Path
) -> None:
    later = replace(TWO, dropped=1)
    assert archive.recover(later) == []
    second = archive.read(later, 1, 1)
    assert same(second, rows(16, first=16))
    group = zarr.open_group(tmp_path / "tool/t", mode="r")
    assert same(Columns(*(group[name][:] for name in ARRAYS)), rows(16, first=16))
    assert not (tmp_path / "tool/t/time/c/1").exists()
    assert [path.name for path in (tmp_path / "tool").iterdir() if path.is_dir()] == ["t"]


def test_files_that_are_newer_than_the_database_are_not_read_wrongly(archive: Archive) -> None:
    archive.recover(replace(TWO, dropped=1))
    with pytest.raises(IoError, match="begin at chunk 1"):
        archive.recover(TWO)


def test_the_description_says_whose_it_is(archive: Archive, tmp_path: Path) -> None:
    found = json.loads((tmp_path / "tool/t/zarr.json").read_text())
    assert found["attributes"] == {"loki_series": "mark", "loki_dropped_chunks": 0}
