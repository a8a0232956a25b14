"""Deleting whole folders of a jail: gone at once, whatever fails or is killed in between."""

import os
from pathlib import Path

import pytest
from hel_actor.file.jail import UNFINISHED, Jail

from loki.errors import ErrorCode, IoError
from tests.unit.children.hel_actor.failing import FailingSyscalls, Failure

ENTRIES = 8  # Of the tree that `planted` makes, 4 KiB each.


@pytest.fixture
def files(tmp_path: Path) -> Path:
    return tmp_path / "files"


def planted(files: Path) -> Jail:
    jail = Jail(files, 10_000)
    jail.write("tool", "kept", b"kept")
    jail.create_directory("tool", "d/a/b")
    jail.create_directory("tool", "d/empty")
    for path in ("d/f", "d/a/f", "d/a/b/f", "d/a/b/g"):
        jail.write("tool", path, b"x")
    return jail


def test_s_8_2_1_a_folder_goes_with_all_in_it(files: Path) -> None:
    jail, moved = planted(files), list[int]()
    jail.delete("tool", "d", moved.append, recursive=True)
    assert jail.list_directory("tool", ".") == ("kept",)
    assert moved == [-ENTRIES * 4096]
    assert list((files / UNFINISHED).iterdir()) == []
    jail.delete("tool", "kept", recursive=True)
    with pytest.raises(IoError) as missing:
        jail.delete("tool", "d", recursive=True)
    assert missing.value.code is ErrorCode.NOT_FOUND
    with pytest.raises(IoError, match="script's own directory"):
        jail.delete("tool", ".", recursive=True)
    jail.close()


def test_s_8_2_3_a_link_is_refused_and_what_it_leads_to_stays(files: Path, tmp_path: Path) -> None:
    jail = planted(files)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "f").touch()
    (files / "tool" / "link").symlink_to(tmp_path / "outside")
    (files / "tool" / "d" / "link").symlink_to(tmp_path / "outside")
    for path in ("link", "link/f", "../tool/d", "/d"):
        with pytest.raises(IoError):
            jail.delete("tool", path, recursive=True)
    jail.delete("tool", "d", recursive=True)
    assert (tmp_path / "outside" / "f").exists()
    jail.close()


@pytest.mark.parametrize("how", [Failure.BEFORE, Failure.AFTER])
def test_s_8_2_1_whatever_fails_the_folder_is_all_there_or_gone(
    tmp_path: Path, how: Failure
) -> None:
    n, outcomes = 0, set[bool]()
    while True:
        n += 1
        files = tmp_path / f"{n}"
        planted(files).close()
        syscalls = FailingSyscalls(n, how)
        jail = Jail(files, 10_000, syscalls=syscalls)
        try:
            jail.delete("tool", "d", recursive=True)
        except (IoError, OSError) as error:
            half_way = "takes space until Loki is started again" in str(error)
            assert not half_way or not (files / "tool" / "d").exists()
        jail.close()
        if not syscalls.fired:
            break
        outcomes.add((files / "tool" / "d").exists())
        again = Jail(files, 10_000)
        left = sum(again.taken("tool"))
        assert left == (1 + (ENTRIES if (files / "tool" / "d").exists() else 0)) * 4096
        assert list((files / UNFINISHED).iterdir()) == []
        again.close()
    assert outcomes == {True, False}
    assert n > ENTRIES


def test_what_a_kill_left_unfinished_is_removed_at_the_next_start(files: Path) -> None:
    planted(files).close()
    os.rename(files / "tool" / "d", files / UNFINISHED / "0123456789abcdef")
    jail = Jail(files, 10_000)
    assert jail.list_directory("tool", ".") == ("kept",)
    assert list((files / UNFINISHED).iterdir()) == []
    jail.close()
