"""What has no place among the files of series, and in the place of whole folders."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hel_actor.doctor import oddity
from hel_actor.doctor.oddity import MOST_ODD, of_series, unusable

from tests.unit.children.hel_actor.strange import STRANGE, fifo, folder, link, socket

Strange = Callable[[Path], None]
TOLD: dict[Strange, str] = {
    fifo: "a FIFO, which has no place there",
    link: "a symbolic link, which has no place there",
    socket: "a socket, which has no place there",
    folder: "a folder, not a plain file",
}


@pytest.fixture
def series(tmp_path: Path) -> Path:
    """With all that belongs there, what a kill leaves, and what was kept aside."""
    top = tmp_path / "series"
    for array in ("time", "value", "quality"):
        for name in (f"{array}/zarr.json", f"{array}/c/0", f"{array}/c/.1.partial"):
            for group in ("t", "t~1", ".u.partial"):
                path = top / "tool" / group / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
    for name in ("zarr.json", "tool/zarr.json", "tool/t/zarr.json", "tool/t/.zarr.json.partial"):
        (top / name).touch()
    return top


def test_what_belongs_there_is_not_odd(series: Path) -> None:
    assert of_series(series) == ()
    assert of_series(series.with_name("missing")) == ()


@pytest.mark.parametrize("strange", STRANGE)
@pytest.mark.parametrize("name", ["zarr.json", "tool/t/zarr.json", "tool/t/value/c/0"])
def test_what_is_no_file_is_odd(series: Path, strange: Strange, name: str) -> None:
    strange(series / name)
    assert of_series(series) == ((name, f"is {TOLD[strange]}"),)


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("tool/t/time", "is a plain file, not a folder"),
        ("tool/t/time/c", "is a plain file, not a folder"),
        ("tool/t/zarr.json~1", "was kept aside"),
    ],
)
def test_files_in_the_place_of_folders_and_what_gave_way(
    series: Path, name: str, what: str
) -> None:
    path = series / name
    if path.is_dir():
        path.rename(series.parent / "elsewhere")
    path.touch()
    assert of_series(series) == ((name, what),)


def test_what_a_kill_leaves_goes_by_itself_whatever_it_is(series: Path) -> None:
    fifo(series / "tool/t/.zarr.json.partial")
    assert of_series(series) == ()


def test_a_link_to_a_folder_is_told_and_not_followed(series: Path) -> None:
    link(series / "again")
    (series / "again").unlink()
    (series / "again").symlink_to(series)
    assert of_series(series) == (("again", "is a symbolic link, which has no place there"),)


def test_no_more_than_a_bound_are_told(series: Path) -> None:
    for n in range(MOST_ODD + 5):
        os.mkfifo(series / "tool" / f"f{n}")
    assert len(of_series(series)) == MOST_ODD


@pytest.mark.parametrize(
    ("strange", "what"),
    [
        (fifo, "is a FIFO, not a folder"),
        (link, "is a symbolic link, not a folder"),
        (Path.touch, "is a plain file, not a folder"),
        (folder, ""),
        (lambda _: None, ""),
    ],
)
def test_what_stands_in_the_place_of_a_folder(tmp_path: Path, strange: Strange, what: str) -> None:
    path = tmp_path / "files"
    strange(path)
    assert unusable(path) == what
    assert of_series(path) == ((("", what),) if what else ())


def test_a_folder_of_somebody_else_is_unusable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the tests' user may read everything, the kernel does not say no."""
    monkeypatch.setattr(oddity.os, "access", lambda *_: False)
    assert unusable(tmp_path) == "is a folder that may not be read"
