"""What a system is made from: settings and children in, the plan of the tree out."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from loki import bootstrap
from loki.errors import ConfigurationError
from loki.lua.check import Checked
from loki.messages.gateway import GatewayReport
from loki.messages.library import LibraryReport

Load = Callable[[str], bootstrap.Setup]
ALL = 'children = ["hel_actor", "fenrir_actor", "jormungandr_actor"]\n'


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Settings from a text."""

    def load(text: str) -> bootstrap.Setup:
        path = tmp_path / "loki.toml"
        path.write_text(text)
        return bootstrap.load(path, None)

    return load


@pytest.mark.parametrize("by", ["--tools", "LOKI_TOOLS"])
def test_s_1_3_7_a_named_tool_file_that_is_missing_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    """Before anything is started."""
    settings = tmp_path / "loki.toml"
    settings.write_text("")
    missing = tmp_path / "none.toml"
    if by == "LOKI_TOOLS":
        monkeypatch.setenv(by, str(missing))
    setup = bootstrap.load(settings, missing if by == "--tools" else None)
    with pytest.raises(ConfigurationError) as raised:
        bootstrap.serve(setup, pytest.fail)
    assert raised.value.message == f"{missing}: no such file ({by} names it)"
    missing.mkdir()
    with pytest.raises(ConfigurationError, match="is no regular file"):
        bootstrap.serve(setup, pytest.fail)


def test_a_tool_file_of_the_settings_may_come_later(load: Load, tmp_path: Path) -> None:
    load('tools = "none.toml"').loaded.require_tools()
    (tmp_path / "here.toml").touch()
    bootstrap.load(None, tmp_path / "here.toml").loaded.require_tools()


def names(setup: bootstrap.Setup) -> list[str]:
    return [actor.name for actor in bootstrap.plan(setup).actors]


def test_s_9_1_1_the_tree_has_the_children_and_then_what_uses_them(load: Load) -> None:
    plan = bootstrap.plan(load(ALL))
    assert [actor.name for actor in plan.actors] == [
        "hel",
        "fenrir",
        "jormungandr",
        "library",
        "dispatcher",
        "gateway",
    ]
    assert [actor.service for actor in plan.actors] == [True] * 3 + [False] * 3


def test_s_1_3_3_a_disabled_child_is_not_in_the_tree(load: Load) -> None:
    setup = load(ALL + "[children_config.fenrir]\nenabled = false")
    assert "fenrir" not in names(setup)
    assert bootstrap.plan(setup).disabled == ("fenrir",)
    assert setup.dispatcher.disabled == ("fenrir",)


def test_the_settings_know_better_how_patient_to_be_with_a_child(load: Load) -> None:
    setup = load(ALL + "[children_config.fenrir]\nmissed_heartbeats = 12")
    patience = {part.child.name: part.child.missed_heartbeats for part in setup.parts}
    assert patience == {"hel": 3, "fenrir": 12, "jormungandr": 3}


def test_s_9_1_1_without_children_loki_still_has_its_own_parts(load: Load) -> None:
    assert names(load("children = []")) == ["library", "dispatcher", "gateway"]


@pytest.mark.parametrize("name", ["no_such_actor", "json"])
def test_a_child_that_is_none_is_named(load: Load, tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(f'children = ["{name}"]')
    assert str(tmp_path / "loki.toml") in caught.value.message
    assert f"children: '{name}' is no child" in caught.value.message


def test_a_childs_own_settings_are_checked_before_anything_starts(load: Load) -> None:
    with pytest.raises(ConfigurationError, match=r"loki.toml:3: .*children_config.fenrir.bakcend"):
        load(ALL + '[children_config.fenrir]\nbakcend = "simulated"')


def test_the_children_are_told_where_the_state_is(load: Load, tmp_path: Path) -> None:
    (part, *_) = load(ALL + 'state_dir = "mine"').parts
    assert msgspec.msgpack.decode(part.config)["state_dir"] == str(tmp_path / "mine")


def test_check_tells_what_is_wrong_with_the_tool_file(load: Load, tmp_path: Path) -> None:
    setup = load("children = []")
    assert bootstrap.check(setup) == Checked()
    (tmp_path / "tools.toml").write_text('[[tools]]\nname = "9"\n')
    assert any("tools.toml:2" in str(problem) for problem in bootstrap.check(setup).problems)


def test_a_tool_file_that_was_named_must_be_there(load: Load) -> None:
    (problem,) = bootstrap.check(load('children = []\ntools = "mine.toml"')).problems
    assert "mine.toml" in str(problem)


def test_what_is_announced_is_what_the_actors_said(load: Load, tmp_path: Path) -> None:
    report = LibraryReport(tools=("a", "b"), problems=("tools.toml:1: bad",))
    gateway = GatewayReport(grpc="127.0.0.1:1", http="http://127.0.0.1:2")
    details = {"library": msgspec.json.encode(report).decode(), "gateway": gateway.detail}
    (tmp_path / "tools.toml").write_text("read by the Library, and by nobody else")
    running = bootstrap._running(load(ALL), details)
    assert running.http == "http://127.0.0.1:2"
    assert (running.address, running.tools) == ("127.0.0.1:1", ("a", "b"))
    assert running.problems == ("tools.toml:1: bad",)
    assert running.children == ("hel", "fenrir", "jormungandr")


def test_a_system_that_is_booted_again_keeps_its_port(load: Load) -> None:
    setup = load("children = []\ngrpc_port = 0")
    ports = []
    for address in ("", "127.0.0.1:4711", "[::1]:4712"):
        former = GatewayReport(grpc=address).detail
        gateway = bootstrap.plan(setup, former).actors[-1]
        ports.append(msgspec.msgpack.decode(gateway.config)["port"])
    assert ports == [0, 4711, 4712]


def test_s_12_1_1_the_log_is_beside_the_state_and_as_large_as_it_is_set(
    load: Load, tmp_path: Path
) -> None:
    text = 'children = []\nstate_dir = "mine"\n'
    log = load(text).gateway.log
    assert (log.folder, log.max_bytes, log.files) == (str(tmp_path / "mine/log"), 5 << 20, 2)
    log = load(text + "[logging]\nmax_file_mb = 1\nfiles = 7").gateway.log
    assert (log.max_bytes, log.files) == (1 << 20, 7)


@pytest.mark.parametrize("line", ["max_file_mb = 0", "files = 0", 'level = "LOUD"'])
def test_a_log_that_makes_no_sense_is_refused(load: Load, line: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"loki.toml:3: logging.{line.split()[0]}"):
        load(f"children = []\n[logging]\n{line}")


@pytest.mark.parametrize(
    ("text", "keeper"), [(ALL, "hel"), (ALL + "[children_config.hel]\nenabled = false", "")]
)
def test_who_keeps_lokis_own_data_is_told_to_those_who_have_some(
    load: Load, text: str, keeper: str
) -> None:
    setup = load(text)
    assert {setup.library.keeper, setup.dispatcher.keeper, setup.gateway.keeper} == {keeper}


def test_two_that_keep_lokis_own_data_are_refused(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "second_actor.py").write_text(
        "from dataclasses import replace\n"
        "from hel_actor import CHILD as HEL\n"
        "module = type(HEL.module)(name='second', child='second', doc='', functions=())\n"
        "CHILD = replace(HEL, module=module)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigurationError, match="hel and second both keep Loki's own data"):
        load('children = ["hel_actor", "second_actor"]')


TLS = '[security]\ntls_certificate = "server.crt"\ntls_key = "server.key"\n'
PANEL = '[security.principals.panel]\ntoken_file = "panel.token"\n'


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("", ""),
        (PANEL, ""),
        (f"[security]\nanonymous_loopback = false\n{PANEL}", " --token-file FILE"),
        (TLS, " --tls-ca FILE"),
        (f"{TLS}anonymous_loopback = false\n{PANEL}", " --tls-ca FILE --token-file FILE"),
        (f'{TLS}tls_client_ca = "ca.crt"', " --tls-ca FILE --tls-cert FILE --tls-key FILE"),
    ],
)
def test_what_commands_of_this_device_have_to_give(load: Load, text: str, options: str) -> None:
    assert bootstrap.client_options(load(text).gateway.access) == options


def test_s_1_3_7_files_that_secure_nothing_end_it_all_at_once(load: Load, tmp_path: Path) -> None:
    (tmp_path / "panel.token").write_text("0123456789abcdef")
    (tmp_path / "panel.token").chmod(0o644)
    with pytest.raises(ConfigurationError) as raised:
        bootstrap.check(load(f"{TLS}{PANEL}"))
    token, certificate = raised.value.message.splitlines()
    assert token.startswith(f"{tmp_path}/panel.token: others may read")
    assert certificate.startswith(f"{tmp_path}/server.crt: cannot be read")
