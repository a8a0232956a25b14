"""Files of scripts: exact content, whole or not at all, and no way out."""

import os
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hel_actor.file.jail import UNFINISHED, Jail
from hel_actor.file.resolver import Resolver, best_resolver, open_beneath, walk

from loki.errors import ErrorCode, IoError, ResourceLimitExceeded

MAX_FILE_BYTES = 1000
HAS_OPENAT2 = best_resolver() is open_beneath
RESOLVERS = [
    pytest.param(
        open_beneath,
        id="openat2",
        marks=pytest.mark.skipif(not HAS_OPENAT2, reason="needs openat2: Linux 5.6 or newer"),
    ),
    pytest.param(walk, id="walk"),
]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_bytes(b"outside")
    return tmp_path / "state" / "files"


@pytest.fixture(params=RESOLVERS)
def jail(files: Path, request: pytest.FixtureRequest) -> Iterator[Jail]:
    jail = Jail(files, MAX_FILE_BYTES, request.param)
    yield jail
    jail.close()


@pytest.mark.parametrize("content", [b"", b"text", b"\xff\x00\n\r\n", b"x" * MAX_FILE_BYTES])
def test_s_8_2_1_reads_exactly_what_was_written(jail: Jail, content: bytes) -> None:
    jail.write("tool", "f", content)
    assert jail.read("tool", "f") == content
    jail.write("tool", "f", b"shorter")
    assert jail.read("tool", "f") == b"shorter"
    jail.delete("tool", "f")
    with pytest.raises(IoError) as missing:
        jail.read("tool", "f")
    assert missing.value.code is ErrorCode.NOT_FOUND


def test_s_8_2_1_a_file_over_the_limit_changes_nothing(jail: Jail, files: Path) -> None:
    jail.write("tool", "f", b"old")
    with pytest.raises(ResourceLimitExceeded, match="max_file_kb"):
        jail.write("tool", "f", b"x" * (MAX_FILE_BYTES + 1))
    assert jail.read("tool", "f") == b"old"
    (files / "tool" / "f").write_bytes(b"x" * (MAX_FILE_BYTES + 1))
    with pytest.raises(ResourceLimitExceeded, match="max_file_kb"):
        jail.read("tool", "f")


def test_s_8_2_1_content_and_name_are_synced_in_this_order(
    jail: Jail, monkeypatch: pytest.MonkeyPatch
) -> None:
    jail.write("tool", "other", b"")
    steps: list[str] = []
    sync, rename = os.fsync, os.rename

    def fsync(descriptor: int) -> None:
        steps.append("file" if os.path.isfile(f"/proc/self/fd/{descriptor}") else "directory")
        sync(descriptor)

    def renamed(*args: object, **options: object) -> None:
        steps.append("rename")
        rename(*args, **options)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "rename", renamed)
    jail.write("tool", "f", b"new")
    assert steps == ["file", "rename", "directory"]


@pytest.mark.parametrize("step", ["fsync", "rename"])
def test_s_8_2_1_a_failed_write_keeps_the_old_file_and_leaves_nothing(
    jail: Jail, files: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    jail.write("tool", "f", b"old")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", "/host/path")

    with monkeypatch.context() as broken:
        broken.setattr(os, step, full)
        with pytest.raises(IoError, match="disk is full") as failed:
            jail.write("tool", "f", b"new")
    assert failed.value.code is ErrorCode.IO
    assert jail.read("tool", "f") == b"old"
    assert list((files / UNFINISHED).iterdir()) == []


def test_s_8_2_2_lists_sorted_and_creates_parents(jail: Jail) -> None:
    assert jail.list_directory("tool", ".") == ()
    jail.create_directory("tool", "a/b/c")
    jail.create_directory("tool", "a/b/c")
    jail.create_directory("tool", ".")
    for name in ("z", "B", "ä", "10", "9"):
        jail.write("tool", f"a/{name}", b"")
    assert jail.list_directory("tool", "a") == ("10", "9", "B", "b", "z", "ä")
    assert jail.list_directory("tool", "a/b") == ("c",)
    assert jail.list_directory("tool", "./a//b/c/") == ()


def test_s_8_2_2_names_that_are_not_utf8_are_left_out(jail: Jail, files: Path) -> None:
    jail.write("tool", "good", b"")
    (files / "tool" / os.fsdecode(b"bad\xff")).write_bytes(b"")
    assert jail.list_directory("tool", ".") == ("good",)


def test_s_8_2_2_a_file_in_the_way_of_a_directory_is_named(jail: Jail) -> None:
    jail.write("tool", "f", b"")
    for path in ("f", "f/d"):
        with pytest.raises(IoError, match=f"cannot create '{path}'"):
            jail.create_directory("tool", path)


def test_directories_are_deleted_only_when_empty(jail: Jail) -> None:
    jail.create_directory("tool", "d")
    jail.write("tool", "d/f", b"")
    with pytest.raises(IoError, match="not empty"):
        jail.delete("tool", "d")
    jail.delete("tool", "d/f")
    jail.delete("tool", "d")
    assert jail.list_directory("tool", ".") == ()


def test_s_8_2_1_what_is_appended_comes_at_the_end_of_a_whole_file(jail: Jail) -> None:
    jail.append("tool", "log", b"one\n")
    jail.append("tool", "log", b"two\n")
    assert jail.read("tool", "log") == b"one\ntwo\n"
    with pytest.raises(ResourceLimitExceeded, match="max_file_kb"):
        jail.append("tool", "log", b"x" * (1 << 20))
    assert jail.read("tool", "log") == b"one\ntwo\n"


def test_s_8_2_1_what_there_is_about_a_file_and_a_directory(jail: Jail) -> None:
    jail.create_directory("tool", "d")
    jail.write("tool", "d/f", b"12345")
    assert jail.describe("tool", "d/f").st_size == 5
    assert stat.S_ISDIR(jail.describe("tool", "d").st_mode)
    assert stat.S_ISDIR(jail.describe("tool", ".").st_mode)
    with pytest.raises(IoError) as missing:
        jail.describe("tool", "d/g")
    assert missing.value.code is ErrorCode.NOT_FOUND


def actions(jail: Jail) -> dict[str, Callable[[str], object]]:
    return {
        "read": lambda path: jail.read("tool", path),
        "write": lambda path: jail.write("tool", path, b"new"),
        "append to": lambda path: jail.append("tool", path, b"new"),
        "describe": lambda path: jail.describe("tool", path),
        "delete": lambda path: jail.delete("tool", path),
        "list": lambda path: jail.list_directory("tool", path),
        "create": lambda path: jail.create_directory("tool", path),
    }


ACTIONS = ("read", "write", "append to", "describe", "delete", "list", "create")


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize(
    "path",
    ["", "/", "/etc/passwd", "..", "../../secret", "a/../../x", "a\0b", "bad\udcff", "n" * 256],
)
def test_s_8_2_3_every_action_refuses_paths_that_lead_out(
    jail: Jail, action: str, path: str
) -> None:
    with pytest.raises(IoError) as refused:
        actions(jail)[action](path)
    assert refused.value.code is ErrorCode.IO
    assert refused.value.message.startswith(f"cannot {action} ")


@pytest.mark.parametrize("action", ACTIONS)
def test_s_8_2_3_every_action_refuses_symbolic_links(
    jail: Jail, files: Path, tmp_path: Path, action: str
) -> None:
    jail.create_directory("tool", ".")
    (files / "tool" / "out").symlink_to(tmp_path)
    (files / "tool" / "link").symlink_to(tmp_path / "secret")
    before = sorted(path.name for path in tmp_path.iterdir())
    for path in ("out/secret", "out/new", "link"):
        with pytest.raises(IoError) as refused:
            actions(jail)[action](path)
        assert refused.value.code is ErrorCode.IO
    assert (tmp_path / "secret").read_bytes() == b"outside"
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert (files / "tool" / "link").is_symlink()


def test_s_8_2_3_hard_links_are_not_read_and_not_written_through(
    jail: Jail, files: Path, tmp_path: Path
) -> None:
    jail.create_directory("tool", ".")
    os.link(tmp_path / "secret", files / "tool" / "linked")
    with pytest.raises(IoError, match="hard link"):
        jail.read("tool", "linked")
    jail.write("tool", "linked", b"mine")
    assert jail.read("tool", "linked") == b"mine"
    assert (tmp_path / "secret").read_bytes() == b"outside"


@pytest.mark.timeout(20)
def test_s_8_2_3_what_is_no_regular_file_is_refused_at_once(jail: Jail, files: Path) -> None:
    jail.create_directory("tool", "d")
    os.mkfifo(files / "tool" / "fifo")
    with socket.socket(socket.AF_UNIX) as listening:
        here = os.open(files / "tool", os.O_PATH)  # Socket paths are short.
        listening.bind(f"/proc/self/fd/{here}/socket")
        os.close(here)
        for path in ("fifo", "socket"):
            for action in ("read", "write", "delete"):
                with pytest.raises(IoError, match="not a regular file"):
                    actions(jail)[action](path)
    for action in ("read", "write"):
        with pytest.raises(IoError, match="is a directory"):
            actions(jail)[action]("d")


def test_s_8_2_3_scripts_do_not_see_each_other(jail: Jail) -> None:
    jail.write("one", "f", b"mine")
    assert jail.list_directory("two", ".") == ()
    with pytest.raises(IoError, match="does not exist"):
        jail.read("two", "f")


def test_missing_files_and_parents_are_named_as_written(jail: Jail, files: Path) -> None:
    for action in ("read", "delete"):
        with pytest.raises(IoError) as missing:
            actions(jail)[action]("./no/file")
        assert missing.value.code is ErrorCode.NOT_FOUND
        assert missing.value.message == f"cannot {action} './no/file': it does not exist"
        assert missing.value.details == {"path": "./no/file"}


@pytest.mark.parametrize(("path", "folder"), [("./no/file", "no"), ("d/no/way/f", "d/no/way")])
def test_what_is_put_into_a_missing_folder_is_told_how_to_make_it(
    jail: Jail, path: str, folder: str
) -> None:
    jail.create_directory("tool", "d")
    for action, put in (("write", jail.write), ("append to", jail.append)):
        with pytest.raises(IoError) as missing:
            put("tool", path, b"x")
        assert missing.value.code is ErrorCode.NOT_FOUND
        assert missing.value.message == (
            f"cannot {action} {path!r}: it lies in {folder!r}, which does not exist; "
            "make that folder with hel:fs_create_dir"
        )
        assert missing.value.details == {"path": path}
    jail.create_directory("tool", folder)
    jail.write("tool", path, b"x")


def test_errors_show_control_characters_escaped(jail: Jail) -> None:
    with pytest.raises(IoError) as missing:
        jail.read("tool", "a\nb\x1b[2J")
    assert "\n" not in missing.value.message
    assert "\x1b" not in missing.value.message


def test_refused_calls_leave_no_descriptor_open(jail: Jail, files: Path) -> None:
    jail.create_directory("tool", "d")
    os.mkfifo(files / "tool" / "fifo")
    before = set(os.listdir("/proc/self/fd"))
    for action in ACTIONS:
        for path in ("../x", "fifo/x", "fifo"):
            with pytest.raises(IoError):
                actions(jail)[action](path)
    assert set(os.listdir("/proc/self/fd")) <= before


def test_unfinished_files_are_dropped_at_the_start_and_never_listed(files: Path) -> None:
    (files / UNFINISHED).mkdir(parents=True)
    (files / UNFINISHED / "left").write_bytes(b"half")
    jail = Jail(files, MAX_FILE_BYTES)
    jail.open()
    assert list((files / UNFINISHED).iterdir()) == []
    assert jail.list_directory("tool", ".") == ()
    jail.close()


def test_a_directory_that_cannot_be_had_is_an_error_of_each_call(files: Path) -> None:
    files.parent.mkdir()
    files.write_bytes(b"in the way")
    jail = Jail(files, MAX_FILE_BYTES)
    with pytest.raises(IoError) as refused:
        jail.read("tool", "f")
    assert str(files) not in refused.value.message
    files.unlink()
    jail.write("tool", "f", b"now it works")
    assert jail.read("tool", "f") == b"now it works"
    jail.close()


@pytest.mark.parametrize("resolve", RESOLVERS)
def test_s_8_2_3_no_read_escapes_while_a_directory_and_a_link_swap(
    files: Path, tmp_path: Path, resolve: Resolver
) -> None:
    jail = Jail(files, MAX_FILE_BYTES, resolve)
    jail.create_directory("tool", "d")
    jail.write("tool", "d/secret", b"inside")
    home = files / "tool"
    (home / "link").symlink_to(tmp_path)
    done = threading.Event()

    def swap() -> None:
        while not done.is_set():
            os.rename(home / "d", home / "real")
            os.rename(home / "link", home / "d")
            os.rename(home / "d", home / "link")
            os.rename(home / "real", home / "d")

    swapper = threading.Thread(target=swap)
    swapper.start()
    seen, refused = 0, 0
    try:
        for _ in range(5000):
            try:
                assert jail.read("tool", "d/secret") == b"inside"
                seen += 1
            except IoError:
                refused += 1
    finally:
        done.set()
        swapper.join()
        jail.close()
    assert seen
    assert refused


WRITER = """
import sys
from pathlib import Path
from hel_actor.file.jail import Jail
jail = Jail(Path(sys.argv[1]), 1 << 20)
for number in range(1_000_000):
    jail.write("tool", "f", str(number).encode() * 10_000)
    print(number, flush=True)
"""


def test_s_8_2_1_a_killed_writer_leaves_a_whole_file_no_older_than_acknowledged(
    files: Path,
) -> None:
    for _ in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(files)], stdout=subprocess.PIPE, text=True
        ) as writer:
            assert writer.stdout is not None
            for _ in range(20):
                acknowledged = int(writer.stdout.readline())
            writer.send_signal(signal.SIGKILL)
            acknowledged = max([acknowledged, *map(int, writer.stdout.read().split())])
        jail = Jail(files, 1 << 20)
        content = jail.read("tool", "f").decode()
        number = next(n for n in (acknowledged, acknowledged + 1) if content == str(n) * 10_000)
        assert number >= acknowledged
        assert list((files / UNFINISHED).iterdir()) == []
        jail.close()
