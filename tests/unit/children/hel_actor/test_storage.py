"""The real disk behind the seam."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hel_actor import storage
from hel_actor.plain_file import NotPlain
from hel_actor.storage import Disk, is_partial, make_lasting, partial, replace_file

from tests.unit.children.hel_actor.strange import STRANGE, folder


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    disk, path = Disk(), tmp_path / "zarr.json"
    replace_file(disk, path, b"a long text")
    replace_file(disk, path, b"short")
    disk.sync_directory(tmp_path)
    assert path.read_bytes() == b"short"
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_there_or_not_there_already_is_fine(tmp_path: Path) -> None:
    disk = Disk()
    for _ in range(2):
        disk.make_directory(tmp_path / "a")
        disk.remove(tmp_path / "b")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    for path in (tmp_path / "0", partial(tmp_path / "0")):
        path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError):
        Disk().write(tmp_path / "0", b"")
    replace_file(Disk(), tmp_path / "0", b"rows")
    assert (tmp_path / "0").read_bytes() == b"rows"
    assert not (tmp_path / "0").is_symlink()
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("strange", STRANGE)
def test_what_is_no_plain_file_gives_way_to_one(
    tmp_path: Path, strange: Callable[[Path], None]
) -> None:
    path = tmp_path / "zarr.json"
    strange(path)
    strange(partial(path))
    replace_file(Disk(), path, b"text")
    kept = sorted(p.name for p in tmp_path.iterdir() if p != path)
    assert kept == ([f"{partial(path).name}~1", "zarr.json~1"] if strange is folder else [])
    assert path.read_bytes() == b"text"
    assert path.lstat().st_nlink == 1


@pytest.mark.parametrize("strange", STRANGE)
def test_what_is_no_plain_file_holds_nobody_up(
    tmp_path: Path, strange: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, disk = tmp_path / "0", Disk()
    strange(path)

    def refuse(*_: object) -> None:
        raise OSError(errno.EMLINK, os.strerror(errno.EMLINK))

    monkeypatch.setattr(os, "link", refuse)
    for act in (disk.sync_file, lambda p: disk.link(p, tmp_path / "1")):
        with pytest.raises(NotPlain):
            act(path)
    disk.remove_tree(path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_where_a_folder_belongs_is_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "time")
    for make in (Disk().make_directory, make_lasting):
        with pytest.raises(NotADirectoryError, match="time/ is not a folder"):
            make(tmp_path / "time")


@pytest.mark.parametrize(
    ("name", "expected"), [("0", False), (".0.partial", True), ("a.partial", False), (".a", False)]
)
def test_partial_files_are_known_by_their_names(name: str, expected: bool) -> None:
    assert is_partial(Path("a") / name) is expected
    assert is_partial(partial(Path("a") / name))


def two_directories(folder: Path) -> tuple[Path, Path]:
    for name in ("a", "b"):
        (folder / name).mkdir()
        (folder / name / f"in-{name}").touch()
    return folder / "a", folder / "b"


@pytest.mark.parametrize("code", [None, errno.EINVAL, errno.ENOSYS])
def test_directories_change_places(
    tmp_path: Path, code: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also on a file system that cannot do it at once."""
    if code is not None:
        monkeypatch.setattr(storage, "_exchange", lambda *_: code)
    a, b = two_directories(tmp_path)
    Disk().exchange(a, b)
    assert [path.name for path in a.iterdir()] == ["in-b"]
    assert [path.name for path in b.iterdir()] == ["in-a"]
    assert len(list(tmp_path.iterdir())) == 2


def test_a_missing_directory_changes_places_with_none(tmp_path: Path) -> None:
    a, _ = two_directories(tmp_path)
    with pytest.raises(FileNotFoundError):
        Disk().exchange(a, tmp_path / "c")


@pytest.mark.parametrize("code", [None, *storage.NO_LINKS])
def test_a_file_gets_a_second_name_or_a_copy(
    tmp_path: Path, code: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        assert code is not None
        raise OSError(code, os.strerror(code))

    (tmp_path / "0").write_bytes(b"rows")
    if code is not None:
        monkeypatch.setattr(os, "link", refuse)
    Disk().link(tmp_path / "0", tmp_path / "1")
    assert (tmp_path / "1").read_bytes() == b"rows"
    assert (tmp_path / "0").samefile(tmp_path / "1") is (code is None)


def test_other_failures_of_a_link_are_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Disk().link(tmp_path / "0", tmp_path / "1")


def test_a_tree_is_removed_with_all_in_it(tmp_path: Path) -> None:
    a, _ = two_directories(tmp_path)
    for _ in range(2):
        Disk().remove_tree(a)
    assert not a.exists()


def test_a_new_folder_is_on_the_disk_with_the_one_above_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    monkeypatch.setattr(Disk, "sync_directory", lambda _, path: synced.append(path))
    folder = tmp_path / "state" / "files"
    for _ in range(2):
        make_lasting(folder)
        assert folder.stat().st_mode & 0o077 == 0
    assert synced == [tmp_path / "state", tmp_path] * 2


def test_a_folder_above_that_is_not_ours_to_read_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object, path: Path) -> None:
        if path == tmp_path:
            raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Disk, "sync_directory", refuse)
    make_lasting(tmp_path / "state" / "files")
    assert (tmp_path / "state" / "files").is_dir()
