"""Keys that are changed in a text, and all else that stays."""

import copy
import json
from typing import Any

import pytest
import tomli
import tomlkit
from hypothesis import given
from hypothesis import strategies as st

from loki.core.settings.change import MISSING, changes, found_at, key_text
from loki.errors import InvalidArgument, LokiError
from loki.settings_edit import Edit, edited, read_key, read_value

TEXT = """# The board in the hall
grpc_port = 50070   # ours

[queue]  # few
# at night
max_length = 50 # keep
max_runners = 4

[security.principals."a.b"]
roles = ["read",
         "run"]  # no more
"""


@pytest.mark.parametrize(
    ("key", "at"),
    [
        ("grpc_port", ("grpc_port",)),
        ("queue.max_length", ("queue", "max_length")),
        ('security.principals."a.b".roles', ("security", "principals", "a.b", "roles")),
        (" a . 'b c' ", ("a", "b c")),
        ('"="', ("=",)),
    ],
)
def test_a_key_is_read_as_toml_has_it(key: str, at: tuple[str, ...]) -> None:
    assert read_key(key) == at


@pytest.mark.parametrize(
    "key",
    [
        "",
        " ",
        "a b",
        "a.",
        "a = 0 #",
        "a = 1\nb",
        "a\r",
        "[a]",
        "a =",
        '"a',
        "ö",
        "a\x85b",
        "a." * 32 + "b",
        "#",
    ],
)
def test_what_is_no_key_is_refused(key: str) -> None:
    with pytest.raises(InvalidArgument, match="is no key as in TOML"):
        read_key(key)


VISIBLE = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), max_size=8)


@given(st.lists(VISIBLE, min_size=1, max_size=4))
def test_every_key_that_is_shown_can_be_given(names: list[str]) -> None:
    at = tuple(names)
    assert read_key(key_text(at)) == at


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is no JSON"),
        ("nope", "is no JSON"),
        ("NaN", "JSON knows no NaN"),
        ("1 2", "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        ("null", "have no null"),
        ('{"a": [null]}', "have no null"),
        ("[" * 34 + "]" * 34, "more than 32 deep"),
        ("[" * 500 + "]" * 500, "more than 32 deep"),
        ('"\\ud800"', "characters that no text has"),
        ('{"\\u0000": 1}', "characters that no text has"),
    ],
)
def test_what_is_no_value_is_refused(text: str, problem: str) -> None:
    with pytest.raises(InvalidArgument, match=problem) as raised:
        read_value("a.b", text)
    assert raised.value.message.startswith("a.b: ")


@pytest.mark.parametrize(
    ("at", "value", "line"),
    [
        (("grpc_port",), 1, "grpc_port = 1   # ours"),
        (("queue", "max_length"), 7, "max_length = 7 # keep"),
        (("queue", "runners"), 2, "runners = 2"),
        (("tools",), "t.toml", 'tools = "t.toml"'),
        (("security", "principals", "a.b", "scripts"), ["x*"], 'scripts = ["x*"]'),
        (("security", "principals", "new", "roles"), ["run"], 'roles = ["run"]'),
        (("security", "principals", "new"), {"roles": ["run"]}, 'roles = ["run"]'),
        (("http", "port"), 0, "port = 0"),
    ],
)
def test_one_line_changes_and_no_other(at: tuple[str, ...], value: object, line: str) -> None:
    after = edited(TEXT, [Edit(at, value)], as_json=False)
    assert line in after.splitlines()
    assert found_at(tomli.loads(after), at) == value
    gone = set(TEXT.splitlines()) - set(after.splitlines())
    assert all(old.startswith(at[-1]) for old in gone)


def test_a_key_is_taken_out_with_nothing_else() -> None:
    after = edited(TEXT, [Edit(("queue", "max_length"), MISSING)], as_json=False)
    assert "max_length" not in after
    assert "# at night" in after
    assert edited(TEXT, [Edit(("http", "port"), MISSING)], as_json=False) == TEXT
    without = edited(TEXT, [Edit(("security", "principals", "a.b"), MISSING)], as_json=False)
    assert "a.b" not in tomli.loads(without).get("security", {}).get("principals", {})


def test_a_file_in_json_is_changed_too() -> None:
    after = edited('{"queue": {"max_length": 5}}', [Edit(("http", "port"), 0)], as_json=True)
    assert json.loads(after) == {"queue": {"max_length": 5}, "http": {"port": 0}}
    assert json.loads(edited("", [Edit(("tools",), "x")], as_json=True)) == {"tools": "x"}


def test_line_ends_stay_as_they_are() -> None:
    after = edited("a = 1\r\nb = 2\r\n", [Edit(("a",), 3)], as_json=False)
    assert after == "a = 3\r\nb = 2\r\n"


def test_what_is_no_table_takes_no_key() -> None:
    with pytest.raises(LokiError, match="'queue' is no table there"):
        edited("queue = 5\n", [Edit(("queue", "runners"), 1)], as_json=False)


NAMES = st.sampled_from(["a", "b", "c.d", "e f"])
LEAVES = (
    st.integers(-5, 5)
    | st.booleans()
    | st.text("xyz\"'\\ö", max_size=4)
    | st.lists(st.integers(0, 3), max_size=3)
)
TABLES = st.dictionaries(
    NAMES, st.recursive(LEAVES, lambda inner: st.dictionaries(NAMES, inner, max_size=3)), max_size=4
)


@given(TABLES, st.lists(NAMES, min_size=1, max_size=3), LEAVES | st.just(MISSING))
def test_any_file_says_afterwards_what_it_should(
    data: dict[str, Any], names: list[str], value: Any
) -> None:
    expected = copy.deepcopy(data)
    table: Any = expected
    for name in names[:-1]:
        table = table.setdefault(name, {}) if value is not MISSING else table.get(name, {})
        if not isinstance(table, dict):
            return  # Refused: see above.
    if value is MISSING:
        table.pop(names[-1], None)
    else:
        table[names[-1]] = value
    after = edited(tomlkit.dumps(data), [Edit(tuple(names), value)], as_json=False)
    assert changes(tomli.loads(after), expected) == ()
