"""What people are shown of the settings, key by key."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from loki.config import LoadedSettings, Settings, load_settings
from loki.core.settings.change import leaves
from loki.messages.configuration import Setting, SettingSource
from loki.settings_view import as_json, shown, view

Load = Callable[..., LoadedSettings]
TEXT = """
tools = "mine.toml"
[queue]
max_length = 50
[children_config.jormungandr]
password = "hunter2"
[security.principals."a.b"]
token_file = "token"
"""


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def load(
        text: str = TEXT,
        tools: Path | None = None,
        options: Mapping[str, str] = {},
        **variables: str,
    ) -> LoadedSettings:
        path = tmp_path / "loki.toml"
        path.write_text(text)
        return load_settings(path, tools, variables, options)

    return load


def entry(loaded: LoadedSettings, key: str, running: Settings | None = None) -> Setting:
    held = (running or loaded.settings).model_dump(mode="json")
    wanted = loaded.settings.model_dump(mode="json")
    (found,) = (s for s in view(loaded, wanted, held) if s.key == key)
    return found


def test_every_key_is_there_once_and_in_order(load: Load) -> None:
    loaded = load()
    data = loaded.settings.model_dump(mode="json")
    keys = [setting.key for setting in view(loaded, data, data)]
    assert keys == sorted(set(keys))
    assert len(keys) == len(list(leaves(data)))


@pytest.mark.parametrize(
    ("key", "value", "source", "origin"),
    [
        ("queue.max_length", 50, SettingSource.FILE, "loki.toml:4"),
        ("queue.max_runners", 16, SettingSource.DEFAULT, ""),
        ('security.principals."a.b".token_file', "token", SettingSource.FILE, "loki.toml:8"),
        ('security.principals."a.b".roles', ["read"], SettingSource.DEFAULT, ""),
        ("children_config.jormungandr.password", "(hidden)", SettingSource.FILE, "loki.toml:6"),
        ("tools", "mine.toml", SettingSource.FILE, "loki.toml:2"),
        ("grpc_port", 50070, SettingSource.DEFAULT, ""),
    ],
)
def test_each_value_has_its_source(
    load: Load, key: str, value: object, source: SettingSource, origin: str
) -> None:
    found = entry(load(), key)
    assert (json.loads(found.value), found.source) == (value, source)
    assert found.origin.rpartition("/")[2] == origin
    assert found.running == ""


@pytest.mark.parametrize(
    ("key", "variables", "options", "source", "origin"),
    [
        (
            "queue.max_length",
            {"LOKI_QUEUE__MAX_LENGTH": "7"},
            {},
            SettingSource.ENVIRONMENT,
            "LOKI_QUEUE__MAX_LENGTH",
        ),
        (
            "queue.max_length",
            {"LOKI_QUEUE": "{max_length = 7}"},
            {},
            SettingSource.ENVIRONMENT,
            "LOKI_QUEUE",
        ),
        (
            "grpc_port",
            {"LOKI_GRPC_PORT": "0"},
            {"LOKI_GRPC_PORT": "--port"},
            SettingSource.OPTION,
            "--port",
        ),
        ("tools", {"LOKI_TOOLS": "t"}, {}, SettingSource.ENVIRONMENT, "LOKI_TOOLS"),
    ],
)
def test_what_wins_over_the_file_is_told(
    load: Load,
    key: str,
    variables: dict[str, str],
    options: dict[str, str],
    source: SettingSource,
    origin: str,
) -> None:
    found = entry(load(options=options, **variables), key)
    assert (found.source, found.origin) == (source, origin)


def test_the_option_wins_over_all(load: Load, tmp_path: Path) -> None:
    found = entry(load(tools=tmp_path / "x.toml", LOKI_TOOLS="y.toml"), "tools")
    assert (found.source, found.origin) == (SettingSource.OPTION, "--tools")


def test_what_waits_for_a_restart_is_told(load: Load) -> None:
    running = Settings(grpc_port=50080, children_config={"hel": {"secret": "old", "n": 1}})
    loaded = load('[children_config.hel]\nsecret = "new"')
    assert entry(loaded, "grpc_port", running).running == "50080"
    hidden = entry(loaded, "children_config.hel.secret", running)
    assert (hidden.value, hidden.running) == ('"(hidden)"', '"(hidden)"')
    gone = entry(loaded, "children_config.hel.n", running)
    assert (gone.value, gone.running) == ("null", "1")
    assert entry(loaded, "queue.max_length", running).running == ""


def test_secrets_are_hidden_as_a_whole() -> None:
    settings = Settings(children_config={"hel": {"tokens": ["a"], "url": "http://u:p@h"}})
    assert shown(settings)["children_config"] == {
        "hel": {"tokens": "(hidden)", "url": "http://(hidden)@h"}
    }


def test_text_that_is_not_ascii_stays_as_it_is() -> None:
    assert as_json("Jörmungandr") == '"Jörmungandr"'
