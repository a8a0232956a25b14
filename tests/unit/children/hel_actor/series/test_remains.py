"""Files of removed series: which are its own, how they go aside, and how many at a time."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hel_actor.series import remains
from hel_actor.series.removal import Removed
from hel_actor.storage import Disk

REMOVED = Removed(7, "tool", "t", "mark", has_files=True)
DISK = Disk()


def described(mark: str) -> bytes:
    return json.dumps({"attributes": {"loki_series": mark}}).encode()


def made(folder: Path, description: bytes | None, chunks: int = 3) -> Path:
    """A group with a file for each chunk of two arrays."""
    group = folder / "tool" / "t"
    for array in ("time", "value"):
        (group / array / "c").mkdir(parents=True)
        for number in range(chunks):
            (group / array / "c" / str(number)).write_bytes(b"rows")
    if description is not None:
        (group / "zarr.json").write_bytes(description)
    return group


@pytest.mark.parametrize(
    ("description", "chunks", "has_files", "ours"),
    [
        (described("mark"), 3, True, True),
        (described("mark"), 0, False, True),
        (described("another"), 3, True, False),
        (b"{", 3, True, True),  # Somebody damaged it.
        (b"[]", 3, False, False),
        (b'{"attributes": {}}', 3, False, False),
        (None, 3, True, True),
        (None, 0, False, True),
        (None, 3, False, False),  # Whatever it is, it has rows that we never wrote.
    ],
)
def test_whose_files_they_are(
    tmp_path: Path, description: bytes | None, chunks: int, has_files: bool, ours: bool
) -> None:
    group = made(tmp_path, description, chunks)
    assert remains.belongs(group, "mark", has_files=has_files) is ours


def test_files_go_aside_at_once_and_then_some_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remains, "FILES_AT_ONCE", 4)
    group = made(tmp_path, described("mark"))
    remains.set_aside(DISK, tmp_path, REMOVED)
    assert not group.exists()
    (aside,) = (tmp_path / "tool").iterdir()
    assert aside.name.startswith("."), "nobody who lists series sees it"
    left = []
    while remains.erase(DISK, tmp_path, REMOVED):
        left.append(len(list(aside.glob("*/c/*"))))
    assert left == [2, 0]
    assert list((tmp_path / "tool").iterdir()) == []
    remains.set_aside(DISK, tmp_path, REMOVED)
    assert remains.erase(DISK, tmp_path, REMOVED) is False


def test_what_is_of_another_series_stays(tmp_path: Path) -> None:
    group = made(tmp_path, described("another"))
    remains.set_aside(DISK, tmp_path, REMOVED)
    assert remains.erase(DISK, tmp_path, REMOVED) is False
    assert (group / "time/c/2").exists()


def again(folder: Path) -> None:
    made(folder, described("mark"))


def half_forgotten(folder: Path) -> None:
    """Forgetting chunks was cut off: the new group, of links, is there still."""
    (folder / "tool/.t.partial/time/c").mkdir(parents=True)
    (folder / "tool/.t.partial/time/c/0").write_bytes(b"rows")


@pytest.mark.parametrize("before", [again, half_forgotten])
def test_what_a_kill_left_goes_too(tmp_path: Path, before: Callable[[Path], None]) -> None:
    made(tmp_path, described("mark"))
    remains.set_aside(DISK, tmp_path, REMOVED)
    before(tmp_path)
    remains.set_aside(DISK, tmp_path, REMOVED)
    while remains.erase(DISK, tmp_path, REMOVED):
        pass
    assert list((tmp_path / "tool").iterdir()) == []


def test_where_there_never_was_a_file_nothing_is_made(tmp_path: Path) -> None:
    remains.set_aside(DISK, tmp_path, REMOVED)
    assert remains.erase(DISK, tmp_path, REMOVED) is False
    assert list(tmp_path.iterdir()) == []
