"""Where scripts have no files Hel says so, also before one asks, until they have them again."""

import os
from pathlib import Path
from typing import Any

import pytest
from hel_actor.messages import GetStored, ReadFile

from loki.errors import IoError
from loki.messages.value import pack
from tests.unit.children.hel_actor.calling import Start, text
from tests.unit.children.hel_actor.looking import looked
from tests.unit.children.hel_actor.restoring import SMALL, WHO, fill
from tests.unit.children.hel_actor.strange import fifo


@pytest.fixture
def state(start: Start) -> Path:
    """Of a Hel that has ended, with values, files and a series."""
    bench = start(**SMALL)
    fill(bench)
    bench.close()
    path: Path = bench.state_dir
    return path


@pytest.mark.parametrize("name", ["files", "files/.unfinished"])
def test_a_hel_whose_scripts_have_no_files_says_so_until_they_have(
    start: Start, state: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    path, elsewhere = state / name, state / "elsewhere"
    path.rename(elsewhere)
    path.write_bytes(b"in the way")
    bench = start()
    for _ in range(2):
        assert looked(bench).startswith("scripts have no files: ")
        assert str(state) not in looked(bench)
    assert caplog.text.count("scripts have no files") == 1
    with pytest.raises(IoError, match="cannot read 'a': it cannot be served: scripts have no file"):
        bench.call(ReadFile(path="a"), WHO)
    assert bench.call(GetStored(key="k"), WHO).value == pack("old")
    path.unlink()
    elsewhere.rename(path)
    assert looked(bench) == ""
    assert bench.call(ReadFile(path="a"), WHO).content == text("old")


def test_files_that_go_while_hel_runs_are_missed_before_a_script_asks(
    start: Start, state: Path
) -> None:
    bench = start()
    assert looked(bench) == ""
    (state / "files").rename(state / "elsewhere")
    fifo(state / "files")
    assert looked(bench) == "scripts have no files: files/ is not a folder"
    (state / "files").unlink()
    (state / "elsewhere").rename(state / "files")
    assert looked(bench) == ""


def test_files_that_may_not_be_read_are_missed(
    start: Start, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the tests' user may read everything, the kernel is not the one who says no."""
    bench = start()
    real = os.open
    refused = [True]

    def allowed(path: Any, *flags: Any, **where: Any) -> bool:
        return not (refused and path == state / "files")

    def opened(path: Any, *flags: Any, **where: Any) -> int:
        if refused and path == state / "files":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *flags, **where)

    assert looked(bench) == ""
    monkeypatch.setattr(os, "access", allowed)
    monkeypatch.setattr(os, "open", opened)
    assert looked(bench) == "scripts have no files: Permission denied (files)"
    refused.clear()
    assert looked(bench) == ""
    assert bench.call(ReadFile(path="a"), WHO).content == text("old")
