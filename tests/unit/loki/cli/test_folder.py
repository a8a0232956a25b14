"""Folders that are there wholly, or as they were."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from loki.cli.folder import write_folder


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_a_new_folder_with_folders_in_it(tmp_path: Path) -> None:
    write_folder(tmp_path / "x/y", [("a", b"1"), ("b/c/d", b"2")])
    assert contents(tmp_path) == {"x/y/a": b"1", "x/y/b/c/d": b"2"}


def test_it_takes_the_place_of_an_old_one(tmp_path: Path) -> None:
    write_folder(tmp_path / "x", [("old", b"1"), ("same", b"1")])
    write_folder(tmp_path / "x", [("same", b"2")])
    assert contents(tmp_path) == {"x/same": b"2"}
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_others_may_read_it_as_the_umask_says(tmp_path: Path) -> None:
    mask = os.umask(0o027)
    try:
        write_folder(tmp_path / "x", [("a", b"")])
    finally:
        os.umask(mask)
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o750


def test_a_link_goes_on_pointing_there(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    write_folder(tmp_path / "link", [("a", b"1")])
    assert (tmp_path / "link").is_symlink()
    assert contents(tmp_path / "real") == {"a": b"1"}


@pytest.mark.parametrize("error", [OSError("full"), KeyboardInterrupt()], ids=repr)
def test_what_fails_half_way_changes_nothing(tmp_path: Path, error: BaseException) -> None:
    def files() -> Iterator[tuple[str, bytes]]:
        yield "a", b"2"
        raise error

    write_folder(tmp_path / "x", [("a", b"1")])
    for place in "x", "new":
        with pytest.raises(type(error)):
            write_folder(tmp_path / place, files())
    assert contents(tmp_path) == {"x/a": b"1"}
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_a_place_that_cannot_be_taken_keeps_what_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_folder(tmp_path / "x", [("a", b"1")])
    rename = Path.rename

    def refuse(self: Path, target: Path) -> Path:
        if Path(target).name == "x" and not self.name.endswith(".old"):
            raise OSError("no")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(OSError, match="no"):
        write_folder(tmp_path / "x", [("a", b"2")])
    assert contents(tmp_path) == {"x/a": b"1"}
    assert [path.name for path in tmp_path.iterdir()] == ["x"]
