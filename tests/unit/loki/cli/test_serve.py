"""serve, around a bootstrap that only remembers what it was asked."""

import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import loki as package
from loki.cli.option import DEFAULT_SERVER
from loki.cli.serve import suggestions
from loki.errors import ConfigurationError


class FakeBootstrap:
    """As much of loki.bootstrap as the command line uses."""

    def __init__(self) -> None:
        self.loaded: list[tuple[Path | None, Path | None]] = []
        self.error: ConfigurationError | None = None
        self.port: str | None = None
        self.options: Mapping[str, str] = {}
        self.code = 0
        self.running = SimpleNamespace(
            address="127.0.0.1:50070",
            http="",
            state_dir=Path("/var/lib/loki"),
            tools=("countdown", "hello"),
            problems=(),
            children=("fenrir", "hel"),
            options="",
        )

    def load(self, config: Path | None, tools: Path | None, options: Mapping[str, str]) -> str:
        self.loaded.append((config, tools))
        self.options = options
        self.port = os.environ.get("LOKI_GRPC_PORT")
        if self.error:
            raise self.error
        return "setup"

    def serve(self, setup: str, announce: Callable[[Any], None]) -> int:
        assert setup == "setup"
        announce(self.running)
        return self.code


@pytest.fixture
def bootstrap(monkeypatch: pytest.MonkeyPatch) -> FakeBootstrap:
    fake = FakeBootstrap()
    monkeypatch.setitem(sys.modules, "loki.bootstrap", fake)  # type: ignore[arg-type]
    monkeypatch.setattr(package, "bootstrap", fake, raising=False)
    monkeypatch.setenv("LOKI_GRPC_PORT", "1")  # So that it is put back afterwards.
    return fake


def test_serve_says_where_it_serves_what(
    bootstrap: FakeBootstrap, loki: Callable[..., Any]
) -> None:
    bootstrap.running.problems = ("tools.toml:3: bad",)
    result = loki("serve")
    assert result.exit_code == 0
    for part in (
        "Loki serves at 127.0.0.1:50070",
        "/var/lib/loki",
        "fenrir, hel",
        "countdown, hello",
        "problem   tools.toml:3: bad",
        "  loki call hello name=Ada\n",
        "  loki call countdown --stream\n",
        "  loki list\n",
    ):
        assert part in result.stdout


def test_serve_as_json_is_exactly_one_line(
    bootstrap: FakeBootstrap, loki: Callable[..., Any]
) -> None:
    result = loki("serve", "--json")
    assert result.stdout.count("\n") == 1
    assert json.loads(result.stdout) == {
        "address": "127.0.0.1:50070",
        "pid": os.getpid(),
        "tools": ["countdown", "hello"],
    }


def test_serve_passes_its_exit_code_on(bootstrap: FakeBootstrap, loki: Callable[..., Any]) -> None:
    bootstrap.code = 70
    assert loki("serve").exit_code == 70


def test_s_1_3_4_a_port_wins_over_the_settings(
    bootstrap: FakeBootstrap, loki: Callable[..., Any]
) -> None:
    loki("serve", "--port", "0")
    assert bootstrap.port == "0"
    assert bootstrap.options == {"LOKI_GRPC_PORT": "--port"}
    assert loki("serve", "--port", "65536").exit_code == 2


def test_s_1_3_7_settings_that_cannot_be_used_end_it(
    bootstrap: FakeBootstrap, loki: Callable[..., Any]
) -> None:
    bootstrap.error = ConfigurationError("loki.toml:1: grpc_port = 70000: must be at most 65535")
    result = loki("serve")
    assert result.exit_code == 1
    assert result.stderr == "loki.toml:1: grpc_port = 70000: must be at most 65535\n"
    assert result.stdout == ""


def test_settings_and_tools_are_those_of_the_command_line(
    bootstrap: FakeBootstrap, loki: Callable[..., Any]
) -> None:
    loki("serve")
    loki("serve", "--config", "other.toml", "--tools", "mine.toml")
    assert bootstrap.loaded == [(None, None), (Path("other.toml"), Path("mine.toml"))]


def test_the_commands_are_as_this_one_was_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "loki"
    program.touch(0o755)
    monkeypatch.setattr(sys, "argv", [str(program), "serve"])
    monkeypatch.setenv("PATH", "/usr/bin")
    assert suggestions((), DEFAULT_SERVER)[0] == f"{program} list"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert suggestions((), DEFAULT_SERVER)[0] == "loki list"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["./loki", "serve"])
    assert suggestions((), DEFAULT_SERVER)[0] == "loki list"


@pytest.mark.parametrize(
    ("tools", "address", "commands"),
    [
        (
            (),
            "127.0.0.1:50070",
            ["loki list", "loki status", "echo 'return 6 * 7' | loki run -"],
        ),
        (
            ("blink",),
            "127.0.0.1:4000",
            [
                "loki describe blink --server 127.0.0.1:4000",
                "loki list --server 127.0.0.1:4000",
                "loki status --server 127.0.0.1:4000",
            ],
        ),
        (
            ("hello",),
            "0.0.0.0:50070",
            [
                "loki call hello name=Ada --server 127.0.0.1:50070",
                "loki describe hello --server 127.0.0.1:50070",
                "loki list --server 127.0.0.1:50070",
            ],
        ),
    ],
)
def test_suggested_commands_fit_what_is_served(
    tools: tuple[str, ...], address: str, commands: list[str]
) -> None:
    assert suggestions(tools, address) == commands


def test_suggested_commands_have_what_this_server_wants() -> None:
    commands = suggestions(("hello",), "0.0.0.0:50070", " --tls-ca FILE")
    assert all(each.endswith("--server 127.0.0.1:50070 --tls-ca FILE") for each in commands)


def test_serve_says_where_http_is(
    bootstrap: FakeBootstrap, loki: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOKI_HTTP__PORT", "1")
    bootstrap.running.http = "http://127.0.0.1:50071"
    assert "HTTP      http://127.0.0.1:50071\n" in loki("serve", "--http-port", "0").stdout
    assert os.environ["LOKI_HTTP__PORT"] == "0"
    assert json.loads(loki("serve", "--json").stdout)["http"] == "http://127.0.0.1:50071"
