"""`loki config`: what it shows of the settings."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from loki.cli.config import holds, value_of
from loki.client import Setting, Settings, SettingsUpdate, SettingsVersion

Loki = Callable[..., Any]
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def setting(key: str, value: Any, origin: str = "", running: Any = None) -> Setting:
    return Setting(
        key=key,
        value=value,
        source="file" if origin else "default",
        origin=origin,
        effect="next_run",
        waits=running is not None,
        running=value if running is None else running,
    )


PORT = setting("grpc_port", 1, "loki.toml:1", running=2)
LENGTH = setting("queue.max_length", 50)
NAME = setting("queueing.name", "Jö\x1b")


def settings(*found: Setting, problem: str = "") -> Settings:
    return Settings(version=3, settings=found, file="/x/loki.toml", problem=problem, time=None)


@pytest.fixture
def asked(client: Any) -> list[int]:
    """Which versions were asked for."""
    versions: list[int] = []

    def get(version: int = 0) -> Settings:
        versions.append(version)
        return settings(PORT, LENGTH, NAME)

    client.settings = SimpleNamespace(get=get)
    return versions


def rows(shown: str) -> list[list[str]]:
    return [line.split() for line in shown.splitlines() if line.strip()][2:]


@pytest.mark.usefixtures("asked")
def test_settings_are_shown_with_what_waits(loki: Loki) -> None:
    done = loki("config", "show")
    assert rows(done.stdout)[0] == ["grpc_port", "1", "2"]
    assert rows(done.stdout)[1] == ["queue.max_length", "50"]
    assert "until the restart" in done.stdout
    assert "version 3, /x/loki.toml" in done.stderr


@pytest.mark.usefixtures("asked")
def test_sources_are_shown_where_they_are_asked_for(loki: Loki) -> None:
    first, second, _ = rows(loki("config", "show", "--sources").stdout)
    assert first == ["grpc_port", "1", "loki.toml:1", "next", "run", "2"]
    assert second == ["queue.max_length", "50", "default", "next", "run"]


@pytest.mark.parametrize(
    ("pattern", "keys"),
    [
        ("queue", ["queue.max_length"]),
        ("queue*", ["queue.max_length", "queueing.name"]),
        ("*.max_length", ["queue.max_length"]),
        ("grpc_port", ["grpc_port"]),
    ],
)
@pytest.mark.usefixtures("asked")
def test_a_pattern_is_a_key_a_table_or_a_glob(loki: Loki, pattern: str, keys: list[str]) -> None:
    found = json.loads(loki("config", "show", pattern, "--json").stdout)
    assert [each["key"] for each in found["settings"]] == keys


@pytest.mark.usefixtures("asked")
def test_a_pattern_that_nothing_matches_is_told(loki: Loki) -> None:
    done = loki("config", "show", "nope")
    assert done.exit_code == 1
    assert "no setting matches 'nope'" in done.stderr


@pytest.mark.usefixtures("asked")
def test_settings_for_machines(loki: Loki) -> None:
    found = json.loads(loki("config", "show", "grpc_port", "--json").stdout)
    assert (found["version"], found["file"], found["time"]) == (3, "/x/loki.toml", None)
    (port,) = found["settings"]
    assert (port["value"], port["waits"], port["running"]) == (1, True, 2)


def test_an_earlier_version_is_asked_for(loki: Loki, asked: list[int]) -> None:
    assert loki("config", "show", "--version", "2").exit_code == 0
    assert loki("config", "show").exit_code == 0
    assert asked == [2, 0]
    assert loki("config", "show", "--version", "0").exit_code == 2


def test_a_file_that_is_not_used_is_told(client: Any, loki: Loki) -> None:
    broken = settings(LENGTH, problem="loki.toml:1: is no valid TOML")
    client.settings = SimpleNamespace(get=lambda _version: broken)
    done = loki("config", "show")
    assert "not used as it is now: loki.toml:1: is no valid TOML" in done.stderr
    assert "until the restart" not in done.stdout


def test_versions_are_listed(client: Any, loki: Loki) -> None:
    client.settings = SimpleNamespace(versions=lambda: [SettingsVersion(version=7, time=AT)])
    ((number, day, _),) = rows(loki("config", "versions").stdout)
    assert (number, day[:7]) == ("7", "2026-01")
    found = json.loads(loki("config", "versions", "--json").stdout)
    assert found == [{"version": 7, "time": "2026-01-02T03:04:05+00:00"}]
    client.settings = SimpleNamespace(versions=list)
    assert loki("config", "versions").stdout == "no versions are kept yet\n"


@pytest.fixture
def updates(client: Any) -> list[tuple[Any, ...]]:
    """What was asked for."""
    asked: list[tuple[Any, ...]] = []

    def update(
        values: dict[str, Any], *, remove: Any, expected_version: int, validate_only: bool
    ) -> SettingsUpdate:
        asked.append((values, tuple(remove), expected_version, validate_only))
        return SettingsUpdate(version=4, changed=(LENGTH,) if values else ())

    client.settings = SimpleNamespace(update=update)
    return asked


def test_a_key_is_set_and_it_is_told_when_that_holds(
    loki: Loki, updates: list[tuple[Any, ...]]
) -> None:
    done = loki("config", "set", "queue.max_length", "50")
    assert done.stdout == "queue.max_length = 50, holds for executions that begin from now on\n"
    assert "version 4" in done.stderr
    loki("config", "set", "tools", "a b", "--expect", "3", "--check")
    assert updates == [
        ({"queue.max_length": 50}, (), 0, False),
        ({"tools": "a b"}, (), 3, True),
    ]


def test_a_key_is_taken_away(loki: Loki, updates: list[tuple[Any, ...]]) -> None:
    assert loki("config", "unset", "queue").stdout == "nothing changes\n"
    assert updates == [({}, ("queue",), 0, False)]


def test_an_update_for_machines(loki: Loki, updates: list[tuple[Any, ...]]) -> None:
    found = json.loads(loki("config", "set", "queue.max_length", "50", "--json").stdout)
    assert (found["version"], found["changed"][0]["value"]) == (4, 50)
    assert len(updates) == 1


@pytest.mark.parametrize(
    ("given", "value"),
    [
        ("5", 5),
        ("true", True),
        ('["a", "b"]', ["a", "b"]),
        ("{a = 1}", {"a": 1}),
        ('"5"', "5"),
        ("DEBUG", "DEBUG"),
        ("127.0.0.1", "127.0.0.1"),
        ("", ""),
        ("2026-01-01", "2026-01-01"),
        ("nan", "nan"),
        ("1\nother = 2", "1\nother = 2"),
    ],
)
def test_a_value_is_toml_or_text(given: str, value: object) -> None:
    assert value_of(given) == value


@pytest.mark.parametrize(
    ("effect", "check", "text"),
    [
        ("now", False, "holds at once"),
        ("restart", True, "would hold after a restart of `loki serve`"),
        ("9", False, "holds after a restart of `loki serve`"),
    ],
)
def test_it_is_told_when_a_change_holds(effect: str, check: bool, text: str) -> None:
    assert holds(replace(LENGTH, effect=effect), check=check) == text
