"""backup: a file that is whole or not there, and one clear line for whatever goes wrong."""

import json
import os
import signal
import stat
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import pytest

from loki.cli.backup import Progress, written
from loki.client import BackupContents, BackupCounts

COUNTS = BackupCounts(
    scripts=1,
    revisions=2,
    values=3,
    executions=4,
    files=5,
    series=6,
    rows=7,
    strange_series=8,
    missing_series=0,
)
CONTENTS = BackupContents(
    entries=3,
    size_bytes=2_000_000,
    version="9.9",
    schema=4,
    time=datetime(2026, 1, 2, tzinfo=UTC),
    device="lab",
    counts=COUNTS,
)


class FakeBackup:
    """A stream that ends with an error, if it has one."""

    sent_bytes = 0

    def __init__(self, *pieces: bytes, error: BaseException | None = None) -> None:
        self._pieces, self._error = pieces, error

    def __enter__(self) -> "FakeBackup":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def contents(self) -> BackupContents:
        return CONTENTS

    def __iter__(self) -> Iterator[bytes]:
        yield from self._pieces
        if self._error:
            raise self._error


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "b.tar.gz"


def serve(client: Any, *pieces: bytes, error: BaseException | None = None) -> None:
    client.create_backup = lambda: FakeBackup(*pieces, error=error)


def test_the_file_is_whole_and_private(client: Any, loki: Callable[..., Any], file: Path) -> None:
    serve(client, b"abc", b"def")
    result = loki("backup", str(file))
    assert (result.exit_code, file.read_bytes()) == (0, b"abcdef")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "3 files and folders of lab at 2026-01-0" in result.stdout
    assert os.listdir(file.parent) == [file.name]


def test_one_that_is_there_is_replaced_only_by_force(
    client: Any, loki: Callable[..., Any], file: Path
) -> None:
    serve(client, b"new")
    file.write_bytes(b"old")
    result = loki("backup", str(file))
    assert (result.exit_code, file.read_bytes()) == (1, b"old")
    assert "--force" in result.stderr
    assert loki("backup", "--force", str(file)).exit_code == 0
    assert file.read_bytes() == b"new"


def test_json_tells_the_contents(client: Any, loki: Callable[..., Any], file: Path) -> None:
    serve(client, b"abc")
    told = json.loads(loki("backup", "--json", str(file)).stdout)
    assert (told["size_bytes"], told["content_bytes"], told["schema"]) == (3, 2_000_000, 4)
    assert told["counts"]["rows"] == 7
    assert (told["time"], told["file"]) == ("2026-01-02T00:00:00+00:00", str(file))


def test_a_dash_is_stdout_and_nothing_else_is_on_it(client: Any, loki: Callable[..., Any]) -> None:
    serve(client, b"\x1f\x8b", b"\x00\xff")
    result = loki("backup", "-")
    assert (result.exit_code, result.stdout_bytes) == (0, b"\x1f\x8b\x00\xff")


def test_one_that_broke_off_leaves_nothing(
    client: Any, loki: Callable[..., Any], errors: Any, file: Path
) -> None:
    for error, code in ((errors.unreachable(), 1), (KeyboardInterrupt(), 130)):
        serve(client, b"abc", error=error)
        assert loki("backup", str(file)).exit_code == code
        assert os.listdir(file.parent) == []


def test_a_full_disk_here_is_one_line(client: Any, loki: Callable[..., Any]) -> None:
    serve(client, b"x" * 100_000)
    result = loki("backup", "--force", "/dev/full/x")
    assert (result.exit_code, result.stderr.splitlines()[-1]) == (
        1,
        "/dev/full/x: Not a directory; no backup was made, and nothing is left of it",
    )


def write_half(target: IO[bytes]) -> None:
    target.write(b"half")
    raise OSError(28, "the disk is full")


def test_an_old_file_stays_when_a_new_one_breaks_off(file: Path) -> None:
    file.write_bytes(b"old")
    with pytest.raises(OSError, match="full"), written(str(file)) as target:
        write_half(target)
    assert (file.read_bytes(), os.listdir(file.parent)) == (b"old", [file.name])


def test_no_link_is_followed(file: Path) -> None:
    victim = file.with_name("victim")
    victim.write_bytes(b"precious")
    Path(f"{file}.partial").symlink_to(victim)
    with pytest.raises(OSError, match="symbolic"), written(str(file)):
        pass
    assert victim.read_bytes() == b"precious"


def test_progress_is_shown_once_for_each_change() -> None:
    shown: list[str] = []
    progress = Progress(2_000_000, shown.append)
    for done in (0, 10_000, 1_000_000, 2_000_000):
        progress.show(done)
    progress.clear()
    assert shown[:3] == ["\r0.0 of 2.0 MB", "\r1.0 of 2.0 MB", "\r2.0 of 2.0 MB"]
    assert shown[3:] == [f"\r{' ' * 13}\r"]


def test_a_command_that_is_told_to_end_leaves_nothing(file: Path) -> None:
    def write_until_told() -> None:
        with written(str(file)) as target:
            target.write(b"half")
            assert os.listdir(file.parent) == [f"{file.name}.partial"]
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(SystemExit) as raised:
        write_until_told()
    assert (raised.value.code, os.listdir(file.parent)) == (143, [])
