import json
import os
from pathlib import Path

import pytest
import tomli
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from loki.config import (
    MOST_BYTES,
    ChildSection,
    LoadedSettings,
    Settings,
    load_settings,
    short_name,
)
from loki.errors import ConfigurationError, ErrorCode
from loki.messages.lua_module import LuaModule, PermissionKey, PermissionShape
from loki.messages.script import Limits


class Own(BaseModel):
    """A child's own settings."""

    model_config = ConfigDict(extra="forbid")

    timeout_s: float = Field(default=10.0, gt=0)
    password: str = ""


class Place:
    """A settings file in its folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "loki.toml"

    def load(self, text: str, *, tools: Path | None = None, **environment: str) -> LoadedSettings:
        self.file.write_text(text)
        return load_settings(self.file, tools, environment)

    def refused(self, text: str, **environment: str) -> str:
        with pytest.raises(ConfigurationError) as caught:
            self.load(text, **environment)
        assert caught.value.code is ErrorCode.CONFIGURATION
        return caught.value.message


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_s_1_3_1_defaults(place: Place) -> None:
    settings = place.load("").settings
    assert settings == Settings()
    assert (settings.grpc_host, settings.grpc_port) == ("127.0.0.1", 50070)
    assert settings.children == ("fenrir_actor", "jormungandr_actor", "hel_actor")
    assert settings.limits() == Limits(
        max_memory_mb=10, max_execution_time_ms=5000, max_cpu_percent=50
    )
    assert settings.ceiling().max_execution_time_ms == 600_000
    assert settings.ceiling().max_memory_mb == 256
    assert (settings.queue.max_length, settings.queue.max_runners) == (1000, 16)
    assert settings.logging.level == "WARNING"


@pytest.mark.parametrize("suffix", ["toml", "json"])
def test_s_1_3_1_resource_limits_load_from_toml_and_json(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"loki.{suffix}"
    text = {
        "toml": "[resource_limits]\nmax_memory_mb = 3\nceiling.max_memory_mb = 4",
        "json": '{"resource_limits": {"max_memory_mb": 3, "ceiling": {"max_memory_mb": 4}}}',
    }
    file.write_text(text[suffix])
    settings = load_settings(file, None, {}).settings
    assert settings.limits() == Limits(max_memory_mb=3)
    assert settings.ceiling().max_memory_mb == 4


GOOD = [
    ("grpc_port = 0", "grpc_port", 0),
    ("grpc_port = 65535", "grpc_port", 65535),
    ('grpc_host = "::1"', "grpc_host", "::1"),
    ('grpc_host = "localhost"', "grpc_host", "localhost"),
    ('grpc_host = "127.8.9.1"', "grpc_host", "127.8.9.1"),
    ("children = []", "children", ()),
]


@pytest.mark.parametrize(("text", "key", "value"), GOOD)
def test_s_1_3_5_good_values(place: Place, text: str, key: str, value: object) -> None:
    assert getattr(place.load(text).settings, key) == value


BAD = [
    ("grpc_port = -1", "grpc_port = -1: must be at least 0"),
    ("grpc_port = 65536", "grpc_port = 65536: must be at most 65535"),
    ("grpc_port = true", "grpc_port = true: must be a whole number"),
    ('grpc_port = "50070"', 'grpc_port = "50070": must be a whole number'),
    ("grpc_port = 1.5", "grpc_port = 1.5: must be a whole number"),
    ("resource_limits.max_memory_mb = 0", "resource_limits.max_memory_mb = 0: must be at least 1"),
    (
        "resource_limits.max_execution_time_ms = 0",
        "resource_limits.max_execution_time_ms = 0: must be at least 1",
    ),
    (
        "resource_limits.max_cpu_percent = 0",
        "resource_limits.max_cpu_percent = 0: must be at least 1",
    ),
    (
        "resource_limits.max_cpu_percent = 101",
        "resource_limits.max_cpu_percent = 101: must be at most 100",
    ),
    ("resource_limits.max_disk_mb = -1", "resource_limits.max_disk_mb = -1: must be at least 0"),
    (
        "resource_limits.ceiling.max_memory_mb = 0",
        "resource_limits.ceiling.max_memory_mb = 0: must be at least 1",
    ),
    (
        "resource_limits.max_memory_mb = 257",
        "max_memory_mb = 257: is more than its ceiling, ceiling.max_memory_mb = 256",
    ),
    ("queue.max_length = 0", "queue.max_length = 0: must be at least 1"),
    ("queue.max_runners = 0", "queue.max_runners = 0: must be at least 1"),
    ("queue.runners = 17", "queue.runners = 17: must be at most queue.max_runners = 16"),
    ('logging.level = "WARN"', "did you mean 'WARNING'?"),
    ('children = "hel_actor"', 'children = "hel_actor": must be a list'),
    ("children = [3]", "children[1] = 3: must be a string"),
    ('children = ["hel_actor", "x.hel_actor"]', "must not name 'hel' twice"),
    ("children_config.fenri.enabled = true", "is no child; did you mean 'fenrir'?"),
    ("children_config.hel = 3", "children_config.hel = 3: must be a table"),
    ("queue = 3", "queue = 3: must be a table"),
    ("grpc_prot = 1", "grpc_prot = 1: unknown key; did you mean 'grpc_port'?"),
    ("resource_limits.max_memory = 1", "did you mean 'max_memory_mb'?"),
    ("[cluster]", "cluster = {}: unknown key"),
    ("[faults]", "faults = {}: unknown key"),
]


@pytest.mark.parametrize(("text", "error"), BAD)
def test_s_1_3_5_bad_values_are_refused_with_file_key_and_value(
    place: Place, text: str, error: str
) -> None:
    message = place.refused(text)
    assert message.startswith(f"{place.file}:1: ")
    assert error in message
    assert len(message.splitlines()) == 1


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "example.com", "", "127.0.0.1:1"])
def test_s_r_4_only_loopback_is_served_without_tls(place: Place, host: str) -> None:
    message = place.refused(f'grpc_host = "{host}"')
    assert "so it needs TLS" in message or "must be an IP address" in message


def test_s_1_3_5_every_problem_is_told_at_once(place: Place) -> None:
    text = "\n".join(text for text, _ in (BAD[0], BAD[5], BAD[12], BAD[16]))
    message = place.refused(text)
    assert [line.removeprefix(f"{place.file}:")[0] for line in message.splitlines()] == list("1423")
    assert len(message.splitlines()) == 4


def test_s_1_3_5_a_limit_equal_to_its_ceiling_is_allowed(place: Place) -> None:
    assert place.load("resource_limits.max_memory_mb = 256").settings.limits().max_memory_mb == 256


@pytest.mark.parametrize(
    ("variable", "text", "key", "value"),
    [
        ("LOKI_GRPC_PORT", "0", "grpc_port", 0),
        ("LOKI_CHILDREN", '["hel_actor"]', "children", ("hel_actor",)),
        ("LOKI_STATE_DIR", "/srv/loki", "state_dir", "/srv/loki"),
    ],
)
def test_every_key_is_an_environment_variable_too(
    place: Place, variable: str, text: str, key: str, value: object
) -> None:
    loaded = place.load('grpc_port = 1\nstate_dir = "x"', **{variable: text})
    assert getattr(loaded.settings, key) == value


def test_variables_reach_into_sections_and_leave_their_neighbours(place: Place) -> None:
    loaded = place.load(
        "[resource_limits]\nmax_memory_mb = 3\nmax_disk_mb = 4",
        LOKI_RESOURCE_LIMITS__MAX_MEMORY_MB="5",
        LOKI_RESOURCE_LIMITS__CEILING__MAX_MEMORY_MB="6",
        LOKI_CHILDREN_CONFIG__HEL__ENABLED="false",
    )
    assert loaded.settings.limits() == Limits(max_memory_mb=5, max_disk_mb=4)
    assert loaded.settings.ceiling().max_memory_mb == 6
    assert loaded.child("hel", Own).enabled is False


def test_s_1_3_5_an_error_in_a_variable_names_the_variable(place: Place) -> None:
    message = place.refused("grpc_port = 1", LOKI_GRPC_PORT="70000", LOKI_QUEUE="{ x = 1 }")
    assert "LOKI_GRPC_PORT: grpc_port = 70000: must be at most 65535" in message
    assert "LOKI_QUEUE: queue.x = 1: unknown key" in message


def test_variables_of_others_set_nothing(place: Place) -> None:
    assert place.load("", LOKI_SERVER="h:1", PATH="/bin").settings == Settings()


def test_s_1_3_7_a_missing_default_file_gives_defaults_and_one_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    loaded = load_settings(None, None, {"LOKI_GRPC_PORT": "1"})
    assert (loaded.settings.grpc_port, loaded.path, loaded.folder) == (1, None, tmp_path)
    (warning,) = loaded.warnings
    assert str(tmp_path / "loki.toml") in warning


def test_s_1_3_7_the_default_file_is_read_without_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("loki.toml").write_text("grpc_port = 7")
    loaded = load_settings(None, None, {})
    assert (loaded.settings.grpc_port, loaded.warnings) == (7, ())


def test_s_1_3_7_a_named_file_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no such file"):
        load_settings(tmp_path / "loki.toml", None, {})


@pytest.mark.parametrize("text", ["grpc_port = ", "grpc_port = 1\ngrpc_port = 2"])
def test_s_1_3_7_an_invalid_file_is_refused(place: Place, text: str) -> None:
    assert place.refused(text).startswith(f"{place.file}: is no valid TOML")


def test_s_1_3_2_relative_paths_start_at_the_file(place: Place) -> None:
    loaded = place.load('script_storage_path = "a/b"\nstate_dir = ".loki"\ntools = "t.toml"')
    assert loaded.storage() == place.folder / "a" / "b"
    assert loaded.state_dir == place.folder / ".loki"
    assert loaded.tools == place.folder / "t.toml"


def test_s_1_3_2_a_missing_storage_is_created(place: Place) -> None:
    loaded = place.load('script_storage_path = "a/b"')
    assert loaded.storage().is_dir()
    assert loaded.storage().is_dir()  # A storage that is there is fine.


def test_s_1_3_2_a_storage_that_cannot_be_is_refused(place: Place) -> None:
    (place.folder / "a").touch()
    for path in ("a", "a/b"):
        loaded = place.load(f'\nscript_storage_path = "{path}"')
        with pytest.raises(ConfigurationError) as caught:
            loaded.storage()
        assert caught.value.message.startswith(f"{place.file}:2: script_storage_path = ")
        assert "name a folder that Loki may write" in caught.value.message


def test_s_1_3_2_without_a_storage_it_is_the_tool_files_folder(place: Place) -> None:
    assert place.load('tools = "x/t.toml"').storage() == place.folder / "x"


def test_s_1_3_2_the_home_directory_is_known(place: Place) -> None:
    assert place.load("").state_dir == Path.home() / ".local/state/loki"


def test_s_2_2_3_the_option_wins_over_variable_setting_and_default(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = place.folder / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    setting = 'tools = "setting.toml"'
    option = Path("option.toml")
    variable = {"LOKI_TOOLS": "variable.toml"}
    assert place.load(setting, tools=option, **variable).tools == elsewhere / "option.toml"
    assert place.load(setting, **variable).tools == elsewhere / "variable.toml"
    assert place.load(setting).tools == place.folder / "setting.toml"
    assert place.load("").tools == place.folder / "tools.toml"


def test_s_1_3_3_a_child_can_be_disabled_and_has_its_own_settings(place: Place) -> None:
    loaded = place.load("[children_config.hel]\nenabled = false\ntimeout_s = 3")
    assert loaded.child("hel", Own) == ChildSection(False, None, Own(timeout_s=3))
    assert loaded.child("fenrir", Own) == ChildSection(True, None, Own())


@pytest.mark.parametrize("missed", [0, 10, 1000])
def test_a_child_may_be_given_more_patience(place: Place, missed: int) -> None:
    loaded = place.load(f"[children_config.hel]\nmissed_heartbeats = {missed}")
    assert loaded.child("hel", Own).missed_heartbeats == missed


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("timeout_s = 0", "timeout_s = 0: must be more than 0"),
        ("timeout = 3", "timeout = 3: unknown key; did you mean 'timeout_s'?"),
        ("enabled = 1", "enabled = 1: must be true or false"),
        ('address = "b"', 'address = "b": children on other devices need a cluster'),
        ("address = 3", "address = 3: children on other devices"),
        ("missed_heartbeats = -1", "missed_heartbeats = -1: must be a whole number from 0 to"),
        ("missed_heartbeats = 1001", "missed_heartbeats = 1001: must be a whole number from 0"),
        ("missed_heartbeats = true", "missed_heartbeats = true: must be a whole number from 0"),
        ("missed_heartbeats = 2.5", "missed_heartbeats = 2.5: must be a whole number from 0 to"),
    ],
)
def test_s_1_3_3_errors_in_a_childs_settings_point_to_the_line(
    place: Place, line: str, error: str
) -> None:
    loaded = place.load(f"[children_config.hel]\n{line}")
    with pytest.raises(ConfigurationError) as caught:
        loaded.child("hel", Own)
    assert caught.value.message.startswith(f"{place.file}:2: children_config.hel.{error}")


def test_s_r_4_a_childs_secret_is_not_shown(place: Place) -> None:
    loaded = place.load("[children_config.hel]\npassword = 1234")
    with pytest.raises(ConfigurationError) as caught:
        loaded.child("hel", Own)
    assert "1234" not in caught.value.message


@pytest.mark.parametrize(
    ("module", "name"), [("hel_actor", "hel"), ("acme.disk_actor", "disk"), ("x", "x")]
)
def test_short_names(module: str, name: str) -> None:
    assert short_name(module) == name


KEYS = (PermissionKey(name="gpio", shape=PermissionShape.LIST, doc=""),)
MODULES = (LuaModule(name="fenrir", child="fenrir", doc="", functions=(), permissions=KEYS),)


def test_security_tables_get_their_normal_form(place: Place) -> None:
    loaded = place.load("[security.adhoc_permissions]\ngpio = [17]")
    assert loaded.permissions("adhoc_permissions", MODULES) == {"gpio": ("17",)}
    assert loaded.permissions("default_permissions", MODULES) == {}


def test_security_tables_are_checked(place: Place) -> None:
    loaded = place.load("[security.default_permissions]\ngpoi = [17]\ngpio = 3")
    with pytest.raises(ConfigurationError) as caught:
        loaded.permissions("default_permissions", MODULES)
    first, second = caught.value.message.splitlines()
    assert first.startswith(f"{place.file}:2: security.default_permissions.gpoi = [17]: no child")
    assert second.startswith(f"{place.file}:3: security.default_permissions.gpio = 3: must be")


TEXT = st.text(max_size=20)
PLAIN = st.booleans() | st.integers(-(2**63), 2**63 - 1) | TEXT | st.lists(TEXT, max_size=3)
TABLES = st.builds(
    dict,
    grpc_port=st.integers(0, 65535),
    grpc_host=st.sampled_from(["127.0.0.1", "::1"]),
    script_storage_path=TEXT,
    resource_limits=st.fixed_dictionaries({"max_memory_mb": st.integers(1, 256)}),
    queue=st.fixed_dictionaries({"max_length": st.integers(1, 10**6)}),
    children_config=st.dictionaries(
        st.sampled_from(["fenrir", "hel"]), st.dictionaries(TEXT, PLAIN, max_size=3)
    ),
    security=st.fixed_dictionaries({"default_permissions": st.dictionaries(TEXT, PLAIN)}),
)


@given(TABLES)
def test_s_1_3_6_json_and_toml_round_trip_to_equal_settings(table: dict[str, object]) -> None:
    settings = Settings.from_json(json.dumps(table))
    assert Settings.from_json(settings.to_json()) == settings
    assert Settings.from_toml(settings.to_toml()) == settings


def test_s_1_3_6_toml_keeps_what_json_says() -> None:
    settings = Settings(grpc_port=7)
    assert tomli.loads(settings.to_toml()) == json.loads(settings.to_json())


@pytest.mark.parametrize("text", ["{", "[]", '{"grpc_port": 70000}'])
def test_s_1_3_6_bad_json_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"settings\.json"):
        Settings.from_json(text)


EXAMPLES = Path(__file__).parents[3] / "examples"


def test_s_13_2_1_the_example_settings_load() -> None:
    loaded = load_settings(EXAMPLES / "loki.toml", None, {})
    assert loaded.tools == EXAMPLES / "tools.toml"
    assert loaded.settings.grpc_port == 50070
    assert os.path.commonpath([loaded.state_dir, EXAMPLES]) == str(EXAMPLES)


def test_a_file_that_is_far_too_large_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "loki.toml"
    file.write_text("#" * (MOST_BYTES + 1))
    with pytest.raises(ConfigurationError, match="larger than 256 KiB"):
        load_settings(file, None, {})
