"""init-tls: what it makes, says and refuses."""

import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tomli

from loki.config import Settings

Loki = Callable[..., Any]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "tls"


def test_what_is_printed_is_settings_that_hold(loki: Loki, folder: Path) -> None:
    words = ("--host", "device.home", "--client", "pump", "--token", "a.b")
    result = loki("init-tls", *words)
    assert (result.exit_code, result.stderr) == (0, "")
    begin = result.stdout.index("grpc_host")
    text = result.stdout[begin : result.stdout.index("\n\n", begin)]
    settings = Settings.from_toml(text)
    assert settings.grpc_host == "0.0.0.0"
    assert set(settings.security.principals) == {"pump", "a.b"}
    for key in ("tls_certificate", "tls_key", "tls_client_ca"):
        assert (folder.parent / tomli.loads(text)["security"][key]).is_file()
    assert "loki list --server device.home:50070 --tls-ca tls/ca.crt --tls-cert tls/pump.crt" in (
        result.stdout
    )
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for path in folder.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == (0o644 if path.suffix == ".crt" else 0o600)


def test_what_is_there_is_used_and_not_written_over(loki: Loki, folder: Path) -> None:
    assert loki("init-tls").exit_code == 0
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert loki("init-tls", "tls", "--token", "panel").exit_code == 0
    for words in (("--host", "x"), ("--token", "panel"), ("--token", "new", "--client", "server")):
        result = loki("init-tls", "tls", *words)
        assert result.exit_code == 1
        assert "already there, and never written over: tls/" in result.stderr
    result = loki("init-tls", "tls")
    assert result.exit_code == 1
    assert "has all of it already; to renew" in result.stderr
    assert {path.name for path in folder.iterdir()} == {*before, "panel.token"}
    assert {name: (folder / name).read_bytes() for name in before} == before


def test_all_that_is_there_is_named_and_what_to_do(loki: Loki, folder: Path) -> None:
    words = ("init-tls", "--host", "x", "--client", "pump", "--token", "panel")
    assert loki(*words).exit_code == 0
    (folder / "pump.key").unlink()
    result = loki(*words, "--token", "new")
    assert result.exit_code == 1
    assert result.stderr == (
        "already there, and never written over: tls/server.crt, tls/server.key, "
        "tls/pump.crt, tls/panel.token; to have them made anew, remove them first; to keep them, "
        "leave out --host, --client pump, --token panel\n"
    )
    assert not (folder / "new.token").exists()


def test_a_removed_certificate_is_made_anew_by_the_same_authority(loki: Loki, folder: Path) -> None:
    loki("init-tls")
    authority, old = (folder / "ca.crt").read_bytes(), (folder / "server.crt").read_bytes()
    (folder / "server.crt").unlink()
    (folder / "server.key").unlink()
    assert loki("init-tls", "--days", "1").exit_code == 0
    assert (folder / "ca.crt").read_bytes() == authority
    assert (folder / "server.crt").read_bytes() != old


def test_a_name_is_no_path(loki: Loki, folder: Path) -> None:
    result = loki("init-tls", "--token", "../panel")
    assert (result.exit_code, folder.exists()) == (1, False)
    assert "is no name: 1 to 64 of a-z, A-Z, 0-9 and _ . @ -" in result.stderr


def test_a_folder_that_cannot_be_made_is_told(loki: Loki, folder: Path) -> None:
    folder.write_text("a file")
    result = loki("init-tls")
    assert result.exit_code == 1
    assert "tls: File exists" in result.stderr
