"""Whatever path a script may use is in a backup, and there again after a restore."""

import logging
import os
from pathlib import Path
from typing import Any

import pytest
from hel_actor.backup.path import (
    DEEPEST,
    LONGEST_BYTES,
    Found,
    created,
    is_too_long,
    make_folder,
    opened,
    parent,
    walk,
)
from hel_actor.file.resolver import MAX_DEPTH, MAX_NAME_BYTES, MAX_PATH_BYTES
from hel_actor.messages import (
    CreateDirectory,
    DeleteEntry,
    DeleteOptions,
    ListDirectory,
    ReadFile,
    WriteFile,
)

from loki.messages.restore import CheckRestore, ConfirmRestore
from tests.unit.children.hel_actor.calling import Start, text
from tests.unit.children.hel_actor.restoring import WHO, ask, backup_of, send

KERNEL_BYTES = MAX_PATH_BYTES - 1  # It counts the zero byte at the end.


def of_names(name: str) -> str:
    """The longest path of such names that the kernel takes at once."""
    size = len(name.encode())
    fits = KERNEL_BYTES // (size + 1)
    rest = KERNEL_BYTES - fits * (size + 1)
    return "/".join([name] * fits + ["r" * rest] * (rest > 0))


DEEP = "/".join(["d"] * MAX_DEPTH)
LONG = of_names("l" * MAX_NAME_BYTES)
UMLAUTS = of_names("ü" * 127 + "z")
BOTH = "/".join(["日" * 12 + "aaa"] * MAX_DEPTH)
EXTREME = (DEEP, LONG, UMLAUTS, BOTH)


def fill(bench: Any, path: str, content: str) -> None:
    names = path.split("/")
    for depth in range(1, len(names)):
        bench.call(CreateDirectory(path="/".join(names[:depth])), WHO)
    bench.call(WriteFile(path=path, content=text(content)), WHO)


def test_the_paths_are_as_long_and_as_deep_as_a_script_may_have_them() -> None:
    assert [path.count("/") + 1 for path in (DEEP, BOTH)] == [MAX_DEPTH, MAX_DEPTH]
    sizes = [len(path.encode()) for path in (LONG, UMLAUTS, BOTH)]
    assert sizes == [KERNEL_BYTES, KERNEL_BYTES, 3999]


def test_the_longest_and_deepest_files_come_back(start: Start) -> None:
    bench = start()
    for number, path in enumerate(EXTREME):
        fill(bench, path, f"old {number}")
    bench.call(CreateDirectory(path=DEEP + "-empty"), WHO)
    archive = backup_of(bench)
    for path in EXTREME:
        top = path.partition("/")[0]
        bench.call(DeleteEntry(path=top, options=DeleteOptions(recursive=True)), WHO)
    send(bench, archive)
    assert ask(bench, CheckRestore(id="r1")).contents.counts.files == len(EXTREME)
    ask(bench, ConfirmRestore(id="r1"))
    bench.close()
    again = start()
    for number, path in enumerate(EXTREME):
        assert again.call(ReadFile(path=path), WHO).content == text(f"old {number}")
    assert again.call(ListDirectory(path=DEEP + "-empty"), WHO).names == ()


def test_what_no_script_can_have_made_is_left_out_and_told(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    """Else the whole backup could not be restored."""
    bench = start()
    fill(bench, "a/b", "kept")
    home = bench.state_dir / "files" / "tool"
    make_folder(home, "/".join(["n"] * (MAX_DEPTH + 1)))
    with caplog.at_level(logging.WARNING):
        send(bench, backup_of(bench))
    assert "/n' is left out of the backup: it is no file of Loki's" in caplog.text
    assert ask(bench, CheckRestore(id="r1")).contents.counts.files == 1


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/".join(["a"] * DEEPEST), False),
        ("/".join(["a"] * (DEEPEST + 1)), True),
        ("files/" + "a" * MAX_NAME_BYTES, False),
        ("files/" + "ü" * 128, True),
        (f"files/{'t' * MAX_NAME_BYTES}/{LONG}", False),
        ("/".join(["n" * 240] * (LONGEST_BYTES // 241 + 1)), True),
    ],
)
def test_only_what_a_script_can_reach_is_short_enough(path: str, expected: bool) -> None:
    assert is_too_long(path) is expected


def test_a_walk_tells_folders_first_and_of_no_link(tmp_path: Path) -> None:
    make_folder(tmp_path, "b/inner")
    os.close(created(tmp_path, "b/inner/file"))
    os.close(created(tmp_path, "c"))
    (tmp_path / "a").symlink_to("/etc")
    told: list[Path] = []
    found = list(walk(tmp_path, told.append))
    assert found == [
        Found("c"),
        Found("b", is_folder=True),
        Found("b/inner", is_folder=True),
        Found("b/inner/file"),
    ]
    assert told == [tmp_path / "a"]
    assert list(walk(tmp_path / "missing", told.append)) == []


def test_no_link_leads_out(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc")
    with pytest.raises(OSError, match="Not a directory"):
        opened(tmp_path, "link/passwd")
    with pytest.raises(OSError, match="Not a directory"):
        created(tmp_path, "link/inner/file")
    (tmp_path / "file").symlink_to("/etc/passwd")
    with pytest.raises(OSError, match="file is a symbolic link, not a plain file"):
        opened(tmp_path, "file")


def test_no_descriptor_stays_open(tmp_path: Path) -> None:
    before = set(os.listdir("/proc/self/fd"))
    make_folder(tmp_path, "f")
    with parent(tmp_path, "f/x") as (folder, name):
        assert (name, os.listdir(folder)) == ("x", [])
        assert os.path.samestat(os.fstat(folder), (tmp_path / "f").stat())
    assert [each.path for each in walk(tmp_path, lambda _: None)] == ["f"]
    with pytest.raises(FileNotFoundError):
        opened(tmp_path, "f/gone/x")
    assert set(os.listdir("/proc/self/fd")) <= before
