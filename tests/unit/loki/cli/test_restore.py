"""restore: nothing without consent, and one clear line for whatever goes wrong."""

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import pytest

from loki.client import BackupContents, BackupCounts, LokiClientError

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


class FakeRestore:
    """Takes all of an archive, and remembers what became of it."""

    sent_bytes = 0
    breaks: LokiClientError | None = None

    def __init__(self, archive: IO[bytes], error: LokiClientError | None = None) -> None:
        self.archive = archive.read()
        self._error = error
        self.restored = False

    def __enter__(self) -> "FakeRestore":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def checked(self) -> BackupContents:
        if self._error:
            raise self._error
        return CONTENTS

    def restore(self) -> str:
        if self.breaks:
            raise self.breaks
        self.restored = True
        return "before-restore-1"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "b.tar.gz"
    path.write_bytes(b"archive")
    return path


@pytest.fixture
def restores(client: Any) -> list[FakeRestore]:
    made: list[FakeRestore] = []

    def restore_backup(archive: IO[bytes]) -> FakeRestore:
        made.append(FakeRestore(archive, client.error))
        return made[-1]

    client.restore_backup = restore_backup
    return made


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loki.cli.restore.is_asked", lambda: True)


def test_with_yes_it_is_done_and_says_where_the_old_data_is(
    loki: Callable[..., Any], restores: list[FakeRestore], file: Path
) -> None:
    result = loki("restore", str(file), "--yes")
    assert result.exit_code == 0
    assert "restored 3 files and folders of lab" in result.stdout
    assert "in it: 1 registered script (2 revisions), 3 values" in result.stdout
    assert "warning: its database does not know 8 time series" in result.stderr
    assert "is in before-restore-1/ of the state directory" in result.stdout
    assert [(each.archive, each.restored) for each in restores] == [(b"archive", True)]


def test_json_tells_the_same(
    loki: Callable[..., Any], restores: list[FakeRestore], file: Path
) -> None:
    told = json.loads(loki("restore", str(file), "--yes", "--json").stdout)
    assert told == {
        "file": str(file),
        "kept_aside": "before-restore-1",
        "time": "2026-01-02T00:00:00+00:00",
        "counts": asdict(COUNTS),
    }


def test_without_a_terminal_nobody_is_asked_and_nothing_done(
    loki: Callable[..., Any], restores: list[FakeRestore], file: Path
) -> None:
    result = loki("restore", str(file))
    assert (result.exit_code, restores) == (1, [])
    assert "--yes" in result.stderr


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("n\n", 1), ("\n", 1)])
def test_who_is_asked_is_told_what_is_replaced(
    loki: Callable[..., Any], restores: list[FakeRestore], file: Path, answer: str, code: int
) -> None:
    result = loki("restore", str(file), stdin=answer)
    assert result.exit_code == code
    assert "is sound: 3 files and folders of lab at 2026-01-0" in result.stderr
    assert "In it: 1 registered script (2 revisions), 3 values" in result.stderr
    assert result.stderr.count("warning: its database does not know 8 time series") == 1
    assert "takes the place of all that 127.0.0.1:50070 keeps" in result.stderr
    assert [each.restored for each in restores] == [code == 0]
    assert ("nothing was changed" in result.stderr) is (code == 1)


def test_stdin_is_an_archive_too(loki: Callable[..., Any], restores: list[FakeRestore]) -> None:
    assert loki("restore", "-", "--yes", stdin=b"\x1f\x8b\xff").exit_code == 0
    assert restores[0].archive == b"\x1f\x8b\xff"


def test_what_the_device_refuses_is_one_line(
    client: Any, loki: Callable[..., Any], restores: list[FakeRestore], file: Path, errors: Any
) -> None:
    client.error = errors.unreachable()
    result = loki("restore", str(file), "--yes")
    assert (result.exit_code, restores[0].restored) == (1, False)
    assert "no Loki answers" in result.stderr


def test_a_connection_that_breaks_at_the_end_leaves_a_way_to_know(
    loki: Callable[..., Any],
    restores: list[FakeRestore],
    file: Path,
    errors: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(FakeRestore, "breaks", errors.unreachable())
    result = loki("restore", str(file), "--yes")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "may be decided on already" in result.stderr
    assert "`loki doctor`" in result.stderr


def test_a_file_that_is_not_there_is_one_line(
    loki: Callable[..., Any], restores: list[FakeRestore], file: Path
) -> None:
    result = loki("restore", f"{file}.other", "--yes")
    assert (result.exit_code, restores) == (1, [])
    assert result.stderr == f"{file}.other: No such file or directory; nothing was changed\n"


def test_offline_needs_settings_that_keep_something(
    loki: Callable[..., Any], file: Path, tmp_path: Path
) -> None:
    settings = tmp_path / "loki.toml"
    settings.write_text("[children_config.hel]\nenabled = false\n")
    result = loki("restore", str(file), "--yes", "--offline", "--config", str(settings))
    assert (result.exit_code, result.stderr) == (
        1,
        "the settings switch off the child that keeps data\n",
    )


def test_offline_an_archive_that_is_not_sound_changes_nothing(
    loki: Callable[..., Any], file: Path, tmp_path: Path
) -> None:
    settings = tmp_path / "loki.toml"
    settings.write_text('state_dir = "state"\n')
    result = loki("restore", str(file), "--yes", "--offline", "--config", str(settings))
    assert result.exit_code == 1
    assert "this is no backup that can be restored" in result.stderr
    assert {path.name for path in (tmp_path / "state").iterdir()} <= {"lock"}
