"""The settings' file of one server, read again after somebody edited it."""

import json
from pathlib import Path

import pytest

from loki.bootstrap import load, plan
from loki.configuration import Configuration
from loki.errors import ConfigurationError
from loki.messages.configuration import ChangeSettings, SettingEdit, SettingEffect

START = """
grpc_port = 7
state_dir = "state"
[queue]
max_length = 10
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "loki.toml"
    path.write_text(START)
    return path


@pytest.fixture
def configuration(file: Path) -> Configuration:
    return Configuration(load(file, None), plan)


def shown(configuration: Configuration, key: str) -> tuple[str, str]:
    """What the file says, and what holds where that is something else."""
    (found,) = (each for each in configuration.describe(0).settings if each.key == key)
    return found.value, found.running


def test_s_1_3_9_an_edit_holds_as_far_as_it_can(configuration: Configuration, file: Path) -> None:
    file.write_text(START.replace("10", "20").replace("7", "8"))
    found = configuration.reread()
    assert (found.changed, found.waiting) == (("queue.max_length",), ("grpc_port",))
    assert configuration.setup.dispatcher.longest_queue == 10
    found.hold()
    assert configuration.setup.dispatcher.longest_queue == 20
    assert configuration.setup.gateway.port == 7
    assert shown(configuration, "queue.max_length") == ("20", "")
    assert shown(configuration, "grpc_port") == ("8", "7")
    again = configuration.reread()
    assert (again.changed, again.waiting) == ((), ("grpc_port",))


@pytest.mark.parametrize("text", ["[queue]\nmax_length = -1", "no toml", None])
def test_s_1_3_9_what_does_not_hold_changes_nothing(
    configuration: Configuration, file: Path, text: str | None
) -> None:
    """Nor does a file that was there and is not any more."""
    if text is None:
        file.unlink()
    else:
        file.write_text(text)
    with pytest.raises(ConfigurationError, match=r"loki\.toml"):
        configuration.reread()
    configuration.refuse("it is broken")
    assert configuration.describe(0).problem == "it is broken"
    assert shown(configuration, "queue.max_length") == ("10", "")
    file.write_text(START)
    configuration.reread().hold()
    assert configuration.describe(0).problem == ""


def test_a_file_may_come_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOKI_STATE_DIR", "state")
    configuration = Configuration(load(None, None), plan)
    assert configuration.reread().changed == ()
    configuration.file.write_text("[queue]\nmax_length = 3")
    assert configuration.reread().changed == ("queue.max_length",)


def test_the_command_line_still_names_the_tools(tmp_path: Path, file: Path) -> None:
    tools = tmp_path / "mine.toml"
    tools.touch()
    configuration = Configuration(load(file, tools), plan)
    assert configuration.reread().changed == ()


def test_what_is_told_and_kept_of_them_hides_secrets(tmp_path: Path) -> None:
    path = tmp_path / "loki.toml"
    path.write_text('tools = "store://user:hunter2@host/tools.toml"\nstate_dir = "state"')
    kept = Configuration(load(path, None), plan).record
    assert "hunter2" not in kept
    assert json.loads(kept)["tools"] == "store://(hidden)@host/tools.toml"


CERTIFICATES = """
[security]
tls_certificate = "c"
tls_key = "k"
tls_client_ca = "a"
[security.principals.pump]
certificate = "pump"
"""


def test_what_cannot_hold_without_what_waits_waits_too(
    configuration: Configuration, file: Path
) -> None:
    """Client certificates need an authority, which the running server does not ask for one."""
    file.write_text(START.replace("10", "20") + CERTIFICATES)
    found = configuration.reread()
    assert found.changed == ("queue.max_length",)
    assert "security.principals.pump.certificate" in found.waiting
    assert "security.tls_client_ca" in found.waiting
    found.hold()
    assert configuration.setup.gateway.access.principals == ()
    assert configuration.setup.dispatcher.longest_queue == 20


def test_children_and_their_settings_wait_together(
    configuration: Configuration, file: Path
) -> None:
    file.write_text('children = ["fenrir_actor"]\n' + START + "[children_config.fenrir]\n")
    configuration.reread().hold()
    assert [part.child.name for part in configuration.setup.parts][-1] == "hel"
    assert shown(configuration, "children")[0] == '["fenrir_actor"]'


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('children = ["no_such_actor"]\n', "'no_such_actor' is no child"),
        ("children = []\n[children_config.hel]\nquota_mb = 1\n", "is no child"),
        ("[children_config.hel]\nquota_mb = -1\n", "must be at least"),
        ("[security]\ndefault_permissions = {gpi = [1]}\n", "no child has such a permission"),
    ],
)
def test_what_would_fail_at_the_next_start_is_refused_now(
    configuration: Configuration, file: Path, text: str, problem: str
) -> None:
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=problem):
        configuration.reread()


def test_a_key_of_a_child_that_goes_has_its_default_again(
    configuration: Configuration, file: Path
) -> None:
    file.write_text(START + "[children_config.hel]\nquota_mb = 99\n")
    configuration.reread().hold()
    edit = SettingEdit(key="children_config.hel", value=None)
    done = configuration.change(ChangeSettings(edits=(edit,), principal="local"))
    (gone,) = done.changed
    assert (gone.key, gone.running) == ("children_config.hel.quota_mb", "99")
    assert gone.effect is SettingEffect.NOW
    assert int(gone.value) != 99
    default = int(gone.value)
    file.write_text(START + f"[children_config.hel]\nquota_mb = {default}\n")
    configuration.reread().hold()
    file.write_text(START)
    assert configuration.reread().changed == ()  # No child is restarted for that.
