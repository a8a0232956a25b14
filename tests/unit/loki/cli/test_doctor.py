"""doctor: a line for each finding, and an exit code for scripts."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from loki.cli.doctor import line, tell
from loki.messages.finding import Finding, Need


@pytest.fixture
def settings(tmp_path: Path) -> str:
    path = tmp_path / "loki.toml"
    path.write_text('state_dir = "state"\n')
    return str(path)


def test_a_device_that_never_ran_is_well(loki: Callable[..., Any], settings: str) -> None:
    result = loki("doctor", "--config", settings)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("ok     ")
    assert "is not there yet" in result.stdout
    assert not Path(settings).with_name("state").exists()


def test_without_settings_it_says_how_to_name_others(
    loki: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    result = loki("doctor")
    assert (result.exit_code, result.stdout[:7]) == (0, "hint   ")
    assert "--config FILE" in result.stdout
    monkeypatch.setenv("LOKI_STATE_DIR", str(tmp_path / "state"))
    assert loki("doctor").stdout.startswith(f"ok     {tmp_path / 'state'}: is not there yet")


def test_what_is_not_well_is_exit_code_1(loki: Callable[..., Any], settings: str) -> None:
    state = Path(settings).with_name("state")
    state.mkdir(mode=0o700)
    (state / "hel.sqlite").write_bytes(b"no database at all" * 100)
    result = loki("doctor", "--config", settings, "--deep")
    assert result.exit_code == 1
    assert "look   hel.sqlite: cannot be read: file is not a database -> " in result.stdout
    told = [
        json.loads(each)
        for each in loki("doctor", "--config", settings, "--json").stdout.splitlines()
    ]
    assert [each["subject"] for each in told if each["need"] == "look"] == ["hel.sqlite"]
    assert set(told[0]) == {"need", "subject", "text", "remedy"}


def test_what_cannot_be_looked_at_is_exit_code_2(loki: Callable[..., Any], settings: str) -> None:
    result = loki("doctor", "--config", f"{settings}.other")
    assert (result.exit_code, result.stdout) == (2, "")
    Path(settings).write_text("grpc_port = 'x'\n")
    assert loki("doctor", "--config", settings).exit_code == 2
    Path(settings).write_text(f'state_dir = "{"x" * 300}"\n')
    result = loki("doctor", "--config", settings)
    assert (result.exit_code, "File name too long" in result.stderr) == (2, True)


def test_lines_are_as_wide_as_they_need() -> None:
    assert line(Finding(Need.ITSELF, "a", "b", "c")) == "mends  a: b -> c"
    assert line(Finding(Need.NOBODY, "a", "b")) == "ok     a: b"


def test_a_certificate_is_looked_at_too(
    loki: Callable[..., Any], settings: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(settings).parent
    monkeypatch.chdir(folder)
    lines = ("[security]", 'tls_certificate = "tls/server.crt"', 'tls_key = "tls/server.key"')
    with Path(settings).open("a") as file:
        file.write("\n".join(lines))
    assert loki("init-tls", "--days", "90").exit_code == 0
    result = loki("doctor", "--config", settings)
    assert (result.exit_code, "server.crt: holds until " in result.stdout) == (0, True)
    for path in (folder / "tls/server.crt", folder / "tls/server.key"):
        path.unlink()
    assert loki("init-tls", "--days", "9").exit_code == 0
    result = loki("doctor", "--config", settings)
    assert (result.exit_code, "which is in 8 days -> renew it" in result.stdout) == (1, True)
    (folder / "tls/server.key").unlink()
    result = loki("doctor", "--config", settings)
    assert "look   " in result.stdout
    assert "server.key: cannot be read: No such file or directory" in result.stdout


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_how_far_it_is_is_told_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    for stream, shown in ((Terminal(), "\rseries/a/b: 50 of 99 chunks "), (io.StringIO(), "")):
        monkeypatch.setattr("sys.stderr", stream)
        tell("series/a/b: 50 of 99 chunks")
        assert stream.getvalue().startswith(shown)
        assert bool(stream.getvalue()) == bool(shown)
        tell("")
        assert stream.getvalue().split("\r")[-1] == "", "the line is free again"
