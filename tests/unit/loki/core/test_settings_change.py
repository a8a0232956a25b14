"""What differs between settings, and what holds without a restart."""

import pytest

from loki.core.settings_change import MISSING, changes, effect_of, found_at, key_text, leaves
from loki.messages.configuration import SettingEffect


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
