"""Whatever stands in the place of a file, opening it ends at once."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hel_actor import plain_file
from hel_actor.plain_file import NotPlain

from tests.unit.children.hel_actor.strange import STRANGE, fifo, link, socket

WORDS = {
    "fifo": "a FIFO",
    "link": "a symbolic link",
    "socket": "a socket",
    "folder": "a folder",
}
Strange = Callable[[Path], None]


@pytest.mark.parametrize("strange", STRANGE)
@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_WRONLY | os.O_TRUNC, os.O_RDWR])
def test_what_is_no_plain_file_is_told_and_not_opened(
    tmp_path: Path, strange: Strange, flags: int
) -> None:
    path = tmp_path / "zarr.json"
    strange(path)
    text = f"zarr.json is {WORDS[strange.__name__]}, not a plain file"
    assert not plain_file.is_plain(path)
    for act in (
        lambda: plain_file.opened(path, flags),
        lambda: plain_file.read(path, 9),
        lambda: plain_file.require(path),
    ):
        with pytest.raises(NotPlain) as refused:
            act()
        assert (str(refused.value), refused.value.strerror) == (text, text)


@pytest.mark.parametrize("path", ["/dev/null", "/dev/zero"])
def test_a_device_is_not_opened(path: str) -> None:
    with pytest.raises(NotPlain, match="is a device, not a plain file"):
        plain_file.read(Path(path), 9)


@pytest.mark.parametrize("strange", [fifo, link, socket])
@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_WRONLY])
def test_what_takes_its_place_just_then_is_not_taken_for_it(
    tmp_path: Path, strange: Strange, flags: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "0"
    path.write_bytes(b"rows")
    seen = path.lstat()
    strange(path)
    before = set(os.listdir("/proc/self/fd"))
    monkeypatch.setattr(os, "lstat", lambda *_, **__: seen)
    with pytest.raises(NotPlain):
        plain_file.opened(path, flags)
    assert set(os.listdir("/proc/self/fd")) <= before


def test_a_plain_file_is_read_up_to_a_bound(tmp_path: Path) -> None:
    path = tmp_path / "0"
    path.write_bytes(b"12345678")
    assert plain_file.is_plain(path)
    assert plain_file.read(path, 8) == b"12345678"
    with pytest.raises(NotPlain, match="0 is larger than what was written"):
        plain_file.read(path, 7)


def test_what_is_not_there_is_no_stranger(tmp_path: Path) -> None:
    plain_file.require(tmp_path / "0")
    assert not plain_file.is_plain(tmp_path / "0")
    with pytest.raises(FileNotFoundError):
        plain_file.read(tmp_path / "0", 9)


def test_a_file_is_found_beneath_an_open_folder(tmp_path: Path) -> None:
    (tmp_path / "0").write_bytes(b"rows")
    fifo(tmp_path / "1")
    at = os.open(tmp_path, os.O_RDONLY)
    try:
        with os.fdopen(plain_file.opened("0", folder=at), "rb") as file:
            assert file.read() == b"rows"
        with pytest.raises(NotPlain):
            plain_file.opened("1", folder=at)
    finally:
        os.close(at)
