"""What differs between settings, and what holds without a restart."""

import pytest

from loki.core.settings.change import (
    ANY,
    EFFECTS,
    MISSING,
    changes,
    effect_of,
    few,
    found_at,
    key_text,
    leaves,
    merged,
    summary,
)
from loki.messages.configuration import SettingEffect
from loki.messages.event import SettingsChanged

NOW, NEXT_RUN, RESTART = SettingEffect


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (("grpc_port",), "grpc_port"),
        (("queue", "max_length"), "queue.max_length"),
        (("security", "principals", "a.b@c", "roles"), 'security.principals."a.b@c".roles'),
        (("x", 'q"ö'), 'x."q\\"ö"'),
    ],
)
def test_a_key_is_as_toml_has_it(at: tuple[str, ...], text: str) -> None:
    assert key_text(at) == text


def test_leaves_are_values_and_empty_tables_in_order() -> None:
    table = {"b": {"y": [1, {"z": 2}], "x": {}}, "a": None}
    assert list(leaves(table)) == [
        (("a",), None),
        (("b", "x"), {}),
        (("b", "y"), [1, {"z": 2}]),
    ]


@pytest.mark.parametrize(
    ("at", "found"),
    [
        ((), {"a": {"b": 1}}),
        (("a",), {"b": 1}),
        (("a", "b"), 1),
        (("a", "b", "c"), MISSING),
        (("x",), MISSING),
    ],
)
def test_what_is_at_a_place(at: tuple[str, ...], found: object) -> None:
    assert found_at({"a": {"b": 1}}, at) == found


@pytest.mark.parametrize(
    ("old", "new", "keys"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": 2}, ["a"]),
        ({"a": 1}, {"a": True}, []),  # As Python compares; the models let no such change through.
        ({}, {"a": {"c": 1, "b": 2}}, ["a.b", "a.c"]),
        ({"a": {"b": 1}}, {}, ["a.b"]),
        ({"a": {}}, {}, []),
        ({"a": {}}, {"a": {"b": 1}}, ["a.b"]),
        ({"a": [1, 2]}, {"a": [2, 1]}, ["a"]),
    ],
)
def test_changes_name_each_key(
    old: dict[str, object], new: dict[str, object], keys: list[str]
) -> None:
    assert [change.key for change in changes(old, new)] == keys


def test_what_nobody_knows_holds_after_a_restart() -> None:
    assert effect_of(("grpc_port",)) is SettingEffect.RESTART


@pytest.mark.parametrize(
    ("key", "effect"),
    [
        ("queue.max_length", NOW),
        ("resource_limits.max_memory_mb", NEXT_RUN),
        ("resource_limits.ceiling.max_execution_time_ms", NEXT_RUN),
        ("resource_limits.ceiling.max_memory_mb", RESTART),
        ("children_config.hel.quota_mb", NOW),
        ("children_config.hel.enabled", RESTART),
        ("security.principals.ann.roles", NOW),
        ("security.tls_key", RESTART),
        ("supervision.intensity", NOW),
        ("supervision.heartbeat_ms", RESTART),
        ("http.port", RESTART),
        ("queues", RESTART),
    ],
)
def test_s_1_3_9_when_a_setting_holds(key: str, effect: SettingEffect) -> None:
    assert effect_of(tuple(key.split("."))) is effect


@pytest.mark.parametrize("pattern", EFFECTS, ids=key_text)
def test_what_is_in_a_table_holds_as_the_table_does(pattern: tuple[str, ...]) -> None:
    at = tuple("hel" if part == ANY else part for part in pattern)
    assert effect_of((*at, "inner")) is EFFECTS[pattern]


HELD = {
    "grpc_port": 1,
    "queue": {"max_length": 1000},
    "children_config": {"hel": {"quota_mb": 64, "enabled": True}},
}


@pytest.mark.parametrize(
    ("tables", "holds"),
    [
        ({}, {}),
        ({"queue": {"max_length": 5}}, {"queue": {"max_length": 5}}),
        ({"grpc_port": 2}, {}),
        ({"grpc_port": 2, "queue": {"max_length": 5}}, {"queue": {"max_length": 5}}),
        ({"children_config": {}}, {"children_config": {"hel": {"enabled": True}}}),
        ({"http": {"port": 1}}, {"http": {}}),
    ],
)
def test_s_1_3_9_what_holds_without_a_restart(
    tables: dict[str, object], holds: dict[str, object]
) -> None:
    found = merged(HELD, {**HELD, **tables})
    assert found == {**HELD, **holds}
    assert all(change.effect is RESTART for change in changes(found, {**HELD, **tables}))


@pytest.mark.parametrize(
    ("fact", "text"),
    [
        (SettingsChanged(changed=("a", "b.c")), "a, b.c changed"),
        (
            SettingsChanged(changed=("a",), waiting=("p",), restarted=("hel",)),
            "a changed; hel restarted; p waiting for the next start",
        ),
        (SettingsChanged(changed=()), "all of the file holds"),
    ],
)
def test_a_change_is_told_in_a_line(fact: SettingsChanged, text: str) -> None:
    told = summary(changed=fact.changed, restarted=fact.restarted, waiting=fact.waiting)
    assert told == text


def test_of_many_names_the_first_are_told() -> None:
    names = [f"k{n}" for n in range(100)]
    assert few(names[:20]) == tuple(names[:20])
    assert few(names) == (*names[:19], "and 81 more")
    assert few([]) == ()


def test_tables_may_be_held_back_as_a_whole() -> None:
    running = {"security": {"principals": {}}, "queue": {"runners": 1}}
    wanted = {"security": {"principals": {"a": {"roles": []}}}, "queue": {"runners": 2}}
    assert merged(running, wanted) == wanted
    assert merged(running, wanted, ("security",)) == running | {"queue": {"runners": 2}}
    assert merged({}, wanted, ("security",)) == {"queue": {"runners": 2}}
