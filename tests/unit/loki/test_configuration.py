"""The settings of one server: what its file says, what holds, and what is written into it."""

from pathlib import Path
from typing import Any

import pytest

from loki.bootstrap import load, plan
from loki.configuration import Configuration
from loki.errors import ErrorCode, LokiError
from loki.messages.configuration import ChangeSettings, SettingEdit, SettingsEdited

TEXT = 'grpc_port = 7 # mine\nstate_dir = "state"\n'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "loki.toml"
    made.write_text(TEXT)
    return made


@pytest.fixture
def configuration(path: Path) -> Configuration:
    return Configuration(load(path, None), plan)


def change(
    configuration: Configuration, values: dict[str, str | None], **more: Any
) -> SettingsEdited:
    edits = tuple(SettingEdit(key=key, value=value) for key, value in values.items())
    request = ChangeSettings(**{"edits": edits, "principal": "local"} | more)
    return configuration.change(request)


def value_of(configuration: Configuration, key: str) -> tuple[str, str]:
    (found,) = (each for each in configuration.describe(1).settings if each.key == key)
    return found.value, found.running


def test_they_are_described_with_their_file(configuration: Configuration, path: Path) -> None:
    found = configuration.describe(5)
    assert (found.version, found.file, found.problem) == (5, str(path), "")
    (port,) = (each for each in found.settings if each.key == "grpc_port")
    assert (port.value, port.origin) == ("7", f"{path}:1")
    assert configuration.keeper == "hel"
    assert '"grpc_port": 7' in configuration.record


def test_a_change_is_in_the_file_and_told(configuration: Configuration, path: Path) -> None:
    done = change(configuration, {"grpc_port": "8", "http.port": "0"})
    assert [(each.key, each.value, each.running) for each in done.changed] == [
        ("grpc_port", "8", "7"),
        ("http.port", "0", "null"),
    ]
    assert path.read_text().splitlines()[0] == "grpc_port = 8 # mine"
    assert value_of(configuration, "grpc_port") == ("8", "7")
    assert '"grpc_port": 8' in configuration.record
    again = change(configuration, {"grpc_port": None})
    assert [(each.key, each.value) for each in again.changed] == [("grpc_port", "50070")]
    assert change(configuration, {"grpc_port": None}).changed == ()


def test_what_is_only_validated_changes_nothing(configuration: Configuration, path: Path) -> None:
    done = change(configuration, {"grpc_port": "8"}, validate_only=True)
    assert [each.key for each in done.changed] == ["grpc_port"]
    assert path.read_text() == TEXT
    assert value_of(configuration, "grpc_port") == ("7", "")


@pytest.mark.parametrize(
    ("values", "code", "text"),
    [
        ({"grpc_port": "70000"}, ErrorCode.ARGUMENT_INVALID, ":1: grpc_port = 70000: must be at"),
        ({"grpc_prt": "7"}, ErrorCode.ARGUMENT_INVALID, "did you mean 'grpc_port'"),
        ({"queue": "7"}, ErrorCode.ARGUMENT_INVALID, "queue = 7: must be a table"),
        (
            {"children_config.hel.nope": "7"},
            ErrorCode.ARGUMENT_INVALID,
            "children_config.hel.nope = 7: unknown key",
        ),
        (
            {"security.default_permissions.gpi": "[1]"},
            ErrorCode.ARGUMENT_INVALID,
            "security.default_permissions.gpi",
        ),
        (
            {"security.principals.x": '{"token_env": "LOKI_NO_SUCH"}'},
            ErrorCode.ARGUMENT_INVALID,
            "has no such variable",
        ),
        ({"children": "[]"}, ErrorCode.CONFIGURATION, "on the device only"),
        ({"grpc_port": '"(hidden)"'}, ErrorCode.ARGUMENT_INVALID, "in place of a secret"),
        (
            {
                "security.anonymous_loopback": "false",
                "security.principals.x.token_file": '"t"',
            },
            ErrorCode.CONFIGURATION,
            "take the role 'admin' from 'local'",
        ),
        ({}, ErrorCode.ARGUMENT_INVALID, "0 edits are given"),
        ({"a..b": "1"}, ErrorCode.ARGUMENT_INVALID, "is no key"),
    ],
)
def test_what_cannot_be_changes_nothing(
    configuration: Configuration,
    path: Path,
    values: dict[str, str | None],
    code: ErrorCode,
    text: str,
) -> None:
    with pytest.raises(LokiError) as raised:
        change(configuration, values)
    assert raised.value.code is code
    assert text in raised.value.message
    assert path.read_text() == TEXT
    assert value_of(configuration, "grpc_port") == ("7", "")


def test_what_a_variable_sets_is_not_for_the_file(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOKI_GRPC_PORT", "9")
    configuration = Configuration(load(path, None, {"LOKI_GRPC_PORT": "--port"}), plan)
    with pytest.raises(LokiError, match="grpc_port: --port sets it"):
        change(configuration, {"grpc_port": "8"})
    change(configuration, {"script_cache_size": "8"})
    assert value_of(configuration, "grpc_port") == ("9", "")


def test_the_tool_file_that_an_option_names_stays(path: Path, tmp_path: Path) -> None:
    configuration = Configuration(load(path, tmp_path / "own.toml"), plan)
    change(configuration, {"script_cache_size": "8"})
    assert value_of(configuration, "tools") == (f'"{tmp_path / "own.toml"}"', "")


def test_a_file_that_is_broken_already_is_for_people(
    configuration: Configuration, path: Path
) -> None:
    path.write_text("grpc_port = \n")
    with pytest.raises(LokiError, match="is no valid TOML"):
        change(configuration, {"script_cache_size": "8"})
    assert path.read_text() == "grpc_port = \n"


def test_a_file_that_is_gone_is_not_made_anew(configuration: Configuration, path: Path) -> None:
    """It would say nothing of all else that it had said."""
    path.unlink()
    with pytest.raises(LokiError, match="cannot be read: No such file"):
        change(configuration, {"script_cache_size": "8"})
    assert not path.exists()


def test_what_else_changed_in_the_file_is_told_too(
    configuration: Configuration, path: Path
) -> None:
    path.write_text(TEXT + "script_cache_size = 3\n")
    done = change(configuration, {"grpc_port": "8"})
    assert [each.key for each in done.changed] == ["grpc_port", "script_cache_size"]


def test_without_a_file_one_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    configuration = Configuration(load(None, None), plan)
    assert configuration.describe(0).file == ""
    change(configuration, {"script_cache_size": "8"})
    assert (tmp_path / "loki.toml").read_text() == "script_cache_size = 8\n"
    assert configuration.describe(0).file == str(tmp_path / "loki.toml")
