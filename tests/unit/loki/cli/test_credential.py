"""Options for TLS and tokens: which commands have them, and what a client is given."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from loki.cli.app import app
from loki.cli.credential import OPTIONS, Files, files
from loki.client import Credentials

TLS = ["--tls-ca", "ca", "--tls-cert", "cert", "--tls-key", "key", "--token-file", "token"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("ca", "cert", "key"):
        (tmp_path / name).write_text(f"the {name}")
    (tmp_path / "token").write_text("a-token-of-mine\n")
    return tmp_path


def commands(of: Any) -> Iterator[Any]:
    for name in getattr(of, "commands", {}):
        yield from commands(of.commands[name])
    if not hasattr(of, "commands"):
        yield of


def test_every_command_that_talks_to_a_server_has_them_all() -> None:
    talking = 0
    for command in commands(typer.main.get_command(app)):
        named = {parameter.name for parameter in command.params}
        if "server" in named:
            talking += 1
            assert named >= OPTIONS.keys(), command.name
        else:
            assert not named & OPTIONS.keys(), command.name
    assert talking > 10


GIVEN = Credentials(ca=b"the ca", certificate=b"the cert", key=b"the key", token="a-token-of-mine")


def test_a_command_gives_its_files_to_the_client(
    loki: Callable[..., Any], client: Any, folder: Path
) -> None:
    assert loki("status", *TLS).exception is None
    assert client.credentials == GIVEN
    loki("status")
    assert client.credentials == Credentials()
    assert files() == Files()


def test_the_environment_names_them_too(
    loki: Callable[..., Any], client: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for option, path in zip(TLS[::2], TLS[1::2], strict=True):
        monkeypatch.setenv("LOKI_" + option.removeprefix("--").replace("-", "_").upper(), path)
    loki("status")
    assert client.credentials == GIVEN


def test_a_file_that_is_not_there_is_one_line(
    loki: Callable[..., Any], client: Any, folder: Path
) -> None:
    result = loki("status", "--tls-ca", "none")
    assert (result.exit_code, result.stderr) == (
        1,
        "ARGUMENT_INVALID: none: No such file or directory\n",
    )


def test_what_is_no_token_is_not_sent(loki: Callable[..., Any], client: Any, folder: Path) -> None:
    (folder / "token").write_text("two\nlines")
    result = loki("status", "--token-file", "token")
    assert "token: a token is one line of ASCII" in result.stderr
