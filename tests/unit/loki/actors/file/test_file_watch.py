"""Changes of real files, seen both ways; and what happens where the kernel cannot tell."""

import logging
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from watchdog.observers.inotify_c import InotifyEvent

from loki.actors.file import file_watch
from loki.actors.file.file_watch import FileWatch, Folder, Notified, Polled
from loki.tool.vantage import SCRIPTS, vantages

PATIENCE_S = 30.0
LOG = logging.getLogger("loki.test")


class Signs:
    """What a watch said."""

    def __init__(self) -> None:
        self.came = threading.Event()

    def __call__(self) -> None:
        self.came.set()

    def awaits(self, act: Callable[[], object]) -> None:
        self.came.clear()
        act()
        assert self.came.wait(PATIENCE_S), "it was not seen"


@pytest.fixture(params=[Notified, Polled])
def watch(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[FileWatch]:
    monkeypatch.setattr(file_watch, "POLL_S", 0.01)
    signs = Signs()
    made = FileWatch(signs, LOG)
    made.signs = signs  # type: ignore[attr-defined]
    made._watch = request.param(signs)
    before = made._watch
    yield made
    assert made._watch is before, "it gave up"
    made.close()
    for thread in threading.enumerate():
        if thread.name == "files":
            thread.join(PATIENCE_S)
            assert not thread.is_alive()


def rename_into(file: Path, text: str) -> None:
    """As editors save."""
    other = file.with_suffix(".new")
    other.write_text(text)
    other.rename(file)


def test_s_2_4_1_each_way_of_saving_is_seen(watch: FileWatch, tmp_path: Path) -> None:
    signs = watch.signs  # type: ignore[attr-defined]
    file = tmp_path / "tools.toml"
    watch.look_at({str(tmp_path): frozenset({"tools.toml"})})
    signs.awaits(lambda: file.write_text("created"))
    signs.awaits(lambda: file.write_text("written anew"))
    signs.awaits(lambda: rename_into(file, "renamed"))
    signs.awaits(lambda: file.rename(tmp_path / "away"))
    signs.awaits(lambda: (tmp_path / "away").rename(file))
    signs.awaits(file.unlink)
    signs.awaits(lambda: file.symlink_to("nowhere"))


def test_only_what_matters_is_told() -> None:
    told: list[int] = []
    folder = Folder(frozenset({SCRIPTS, "tools.toml"}), lambda: told.append(1))
    for name in (b"log.txt", b".tool.lua.swp", b"tools.toml~"):
        folder.on_event(InotifyEvent(1, 8, 0, name))  # type: ignore[arg-type]
    assert told == []
    for name in (b"tool.lua", b"tools.toml", b""):
        folder.on_event(InotifyEvent(1, 8, 0, name))  # type: ignore[arg-type]
    folder.on_queue_overflow()
    assert len(told) == 4


def test_a_folder_that_comes_later_is_seen_when_it_is_looked_at_again(
    watch: FileWatch, tmp_path: Path
) -> None:
    signs = watch.signs  # type: ignore[attr-defined]
    file = tmp_path / "not" / "yet" / "t.toml"

    def aim() -> frozenset[str]:
        return watch.look_at(vantages([file], tmp_path / "scripts"))

    assert str(tmp_path) in aim()
    signs.awaits((tmp_path / "not").mkdir)
    aim()
    signs.awaits(file.parent.mkdir)
    assert str(file.parent) in aim()
    assert aim() == frozenset()
    signs.awaits(lambda: file.write_text("1"))


def test_a_folder_that_another_takes_the_place_of_is_looked_at_again(
    watch: FileWatch, tmp_path: Path
) -> None:
    signs = watch.signs  # type: ignore[attr-defined]
    folder, file = tmp_path / "tools", tmp_path / "tools" / "t.toml"
    folder.mkdir()
    for _ in range(3):  # Inode numbers may return.
        watch.look_at(vantages([file], tmp_path / "scripts"))
        signs.awaits(lambda: file.write_text("1"))
        file.unlink()
        signs.awaits(folder.rmdir)
        signs.awaits(folder.mkdir)


def test_a_link_that_is_set_anew_is_seen(watch: FileWatch, tmp_path: Path) -> None:
    signs = watch.signs  # type: ignore[attr-defined]
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "t.toml").write_text(name)
    link = tmp_path / "link"
    link.symlink_to("one")

    def swap() -> None:
        (tmp_path / "fresh").symlink_to("two")
        (tmp_path / "fresh").rename(link)

    watch.look_at(vantages([link / "t.toml"], tmp_path / "scripts"))
    signs.awaits(swap)
    watch.look_at(vantages([link / "t.toml"], tmp_path / "scripts"))
    signs.awaits(lambda: (tmp_path / "two" / "t.toml").write_text("other"))


def refuse(*_: object) -> None:
    raise OSError(28, "inotify watch limit reached")


@pytest.mark.parametrize("broken", ["__init__", "look_at"])
def test_without_inotify_files_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, broken: str
) -> None:
    monkeypatch.setattr(file_watch, "POLL_S", 0.01)
    monkeypatch.setattr(Notified, broken, refuse)
    signs = Signs()
    watch = FileWatch(signs, LOG)
    places = {str(tmp_path): frozenset({"t.toml"})}
    watch.look_at(places)
    watch.look_at(places)
    assert [record.message for record in caplog.records] == [
        "files are looked at every 0.0 s for changes: [Errno 28] inotify watch limit reached"
    ]
    signs.awaits(lambda: (tmp_path / "t.toml").write_text("1"))
    watch.close()


def test_a_file_system_of_others_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(file_watch, "remote", lambda _mounts, _device: "nfs4")
    watch = FileWatch(Signs(), LOG)
    watch.look_at({str(tmp_path): frozenset({"t.toml"})})
    assert f"{tmp_path} is on nfs4" in caplog.text
    watch.close()


def test_a_folder_that_goes_meanwhile_is_no_reason_to_give_up(
    watch: FileWatch, tmp_path: Path
) -> None:
    signs = watch.signs  # type: ignore[attr-defined]
    watch.look_at({str(tmp_path): frozenset({"a"}), str(tmp_path / "gone"): frozenset({"b"})})
    signs.awaits(lambda: os.mkfifo(tmp_path / "a"))


def test_a_look_that_ends_after_the_close_watches_nothing(tmp_path: Path) -> None:
    """Another thread was about to look."""
    made = FileWatch(Signs(), LOG)
    made.close()
    made.look_at({str(tmp_path): frozenset({"a"})})
    for thread in threading.enumerate():
        if thread.name == "files":
            thread.join(PATIENCE_S)
            assert not thread.is_alive()
