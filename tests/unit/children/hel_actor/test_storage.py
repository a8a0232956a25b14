"""The real disk behind the seam."""

from pathlib import Path

import pytest
from hel_actor.storage import Disk, is_partial, partial, replace_file


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
    partial(tmp_path / "0").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic links"):
        replace_file(Disk(), tmp_path / "0", b"")
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(
    ("name", "expected"), [("0", False), (".0.partial", True), ("a.partial", False), (".a", False)]
)
def test_partial_files_are_known_by_their_names(name: str, expected: bool) -> None:
    assert is_partial(Path("a") / name) is expected
    assert is_partial(partial(Path("a") / name))
