"""Stored values: exact, apart by namespace, found by prefix."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest
from hel_actor.database.migration import migrate
from hel_actor.schema import MIGRATIONS
from hel_actor.value import keyvalue
from hypothesis import given
from hypothesis import strategies as st

from loki.errors import ErrorCode, InvalidArgument, LokiError
from loki.messages.value import NIL, ScriptValue, pack


@pytest.fixture
def table() -> Iterator[sqlite3.Connection]:
    with closing(fresh()) as connection:
        yield connection


def fresh() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection, MIGRATIONS)
    return connection


@pytest.mark.parametrize("value", [b"\xc0", b"", b"\x00\xff", b"\xcf" + b"\xff" * 8, b"x" * 70_000])
def test_s_8_3_1_gives_back_exactly_what_was_put(table: sqlite3.Connection, value: bytes) -> None:
    keyvalue.put(table, "tool", "k", value)
    assert keyvalue.get(table, "tool", "k") == value


def test_s_8_3_1_put_replaces_and_remove_says_whether_it_did(table: sqlite3.Connection) -> None:
    assert keyvalue.get(table, "tool", "k") is None
    keyvalue.put(table, "tool", "k", b"1")
    keyvalue.put(table, "tool", "k", b"2")
    assert keyvalue.get(table, "tool", "k") == b"2"
    assert keyvalue.remove(table, "tool", "k") is True
    assert keyvalue.remove(table, "tool", "k") is False
    assert keyvalue.get(table, "tool", "k") is None


def test_s_8_3_1_namespaces_are_apart(table: sqlite3.Connection) -> None:
    keyvalue.put(table, "one", "k", b"1")
    keyvalue.put(table, "two", "k", b"2")
    assert keyvalue.get(table, "one", "k") == b"1"
    assert keyvalue.remove(table, "one", "k")
    assert keyvalue.keys(table, "one") == ()
    assert keyvalue.get(table, "two", "k") == b"2"


def test_s_8_3_1_a_prefix_is_no_pattern(table: sqlite3.Connection) -> None:
    for key in ("a%", "a%b", "ab", "a_c", "A%", "b"):
        keyvalue.put(table, "tool", key, b"")
    assert keyvalue.keys(table, "tool", "a%") == ("a%", "a%b")
    assert keyvalue.keys(table, "tool", "a_") == ("a_c",)
    assert keyvalue.keys(table, "tool", "") == ("A%", "a%", "a%b", "a_c", "ab", "b")


@given(
    st.sets(st.text(alphabet=st.sampled_from("aé\0\U0010ffff%*"), min_size=1, max_size=4)),
    st.text(alphabet=st.sampled_from("aé\0\U0010ffff%*"), max_size=2),
)
def test_s_8_3_1_keys_are_those_with_the_prefix(keys: set[str], prefix: str) -> None:
    with closing(fresh()) as table:
        for key in keys:
            keyvalue.put(table, "tool", key, b"")
        wanted = sorted((key for key in keys if key.startswith(prefix)), key=str.encode)
        assert keyvalue.keys(table, "tool", prefix) == tuple(wanted)


def test_s_8_3_1_pages_of_keys_are_all_keys_once(table: sqlite3.Connection) -> None:
    names = sorted((f"{prefix}/{n}" for prefix in "ab" for n in range(25)), key=str.encode)
    for name in names:
        keyvalue.put(table, "tool", name, b"")
    found: list[str] = []
    while page := keyvalue.keys(table, "tool", "a/", 7, found[-1] if found else ""):
        assert len(page) == 7 or len(found) == 21
        found += page
    assert found == [name for name in names if name.startswith("a/")]
    assert keyvalue.keys(table, "tool", "a/", 7, "a/zzz") == ()
    assert keyvalue.keys(table, "tool", "b/", 1, "a") == ("b/0",)


VALUES: list[ScriptValue] = [None, True, 1, 1.0, 0, "1", b"1", [], [1], {}, {"a": 1}, {"a": 1.0}]


@pytest.mark.parametrize("stored", VALUES, ids=repr)
def test_s_8_3_1_only_the_expected_value_is_replaced(
    table: sqlite3.Connection, stored: ScriptValue
) -> None:
    """Type counts: in Python True == 1 == 1.0."""
    for number, expected in enumerate(VALUES):
        key = f"k{number}"
        if stored is not None:
            keyvalue.put(table, "tool", key, bytes(pack(stored)))
        swapped = keyvalue.compare_and_set(table, "tool", key, pack(expected), pack("new"))
        assert swapped is (repr(expected) == repr(stored))
        left = keyvalue.get(table, "tool", key)
        kept = None if stored is None else bytes(pack(stored))
        assert left == (bytes(pack("new")) if swapped else kept)


def test_s_8_3_1_the_order_of_keys_makes_no_difference(table: sqlite3.Connection) -> None:
    keyvalue.put(table, "tool", "k", bytes(pack({"a": [1, {"x": 1, "y": 2}], "b": 2})))
    expected = pack({"b": 2, "a": [1, {"y": 2, "x": 1}]})
    assert keyvalue.compare_and_set(table, "tool", "k", expected, NIL)
    assert keyvalue.get(table, "tool", "k") is None


@pytest.mark.parametrize(
    ("stored", "by", "result"),
    [
        (None, 5, 5),
        (5, -7, -2),
        (2**63 - 2, 1, 2**63 - 1),
        (2**63 - 1, 1, "9223372036854775808 does not fit in 64 bits"),
        (1.0, 1, "what is stored there is no integer"),
        (True, 1, "what is stored there is no integer"),
        ("1", 1, "what is stored there is no integer"),
    ],
)
def test_s_8_3_1_adding(
    table: sqlite3.Connection, stored: ScriptValue, by: int, result: int | str
) -> None:
    if stored is not None:
        keyvalue.put(table, "tool", "k", bytes(pack(stored)))
    assert keyvalue.add(table, "tool", "k", by) == result
    left = keyvalue.get(table, "tool", "k")
    assert left == bytes(pack(result if isinstance(result, int) else stored))


def test_keys_have_1_to_1024_bytes() -> None:
    for good in ("k", "k" * 1024, "ü" * 512):
        assert keyvalue.checked_key(good) == good
    for bad in ("", "k" * 1025, "ü" * 512 + "k"):
        with pytest.raises(InvalidArgument, match="1 to 1024") as refused:
            keyvalue.checked_key(bad)
        assert refused.value.code is ErrorCode.ARGUMENT_INVALID
        assert refused.value.details == {"field": "key"}


def damaged(table: sqlite3.Connection, key: str = "k", value: object = b"\xc1\xc1") -> None:
    table.execute("INSERT OR REPLACE INTO keyvalue VALUES ('tool', ?, ?)", (key.encode(), value))


@pytest.mark.parametrize("value", [b"\xc1\xc1", "a text", 10**15, 1.5])
def test_s_8_3_1_a_damaged_value_is_an_error_of_those_who_need_it(
    table: sqlite3.Connection, value: object
) -> None:
    damaged(table, value=value)
    told = [
        keyvalue.read(table, "tool", "k"),
        keyvalue.add(table, "tool", "k", 1),
        keyvalue.compare_and_set(table, "tool", "k", NIL, pack(1)),
        keyvalue.compare_and_set(table, "tool", "k", pack(1), NIL),
    ]
    assert [each.code for each in told if isinstance(each, LokiError)] == [ErrorCode.DATA_LOSS] * 4
    assert keyvalue.keys(table, "tool") == ("k",)
    keyvalue.put(table, "tool", "k", bytes(pack(1)))
    assert keyvalue.add(table, "tool", "k", 1) == 2
    damaged(table, value=value)
    assert keyvalue.remove(table, "tool", "k")
    assert keyvalue.read(table, "tool", "k") == NIL


def test_s_8_3_1_a_damaged_key_is_an_error_of_pages_that_have_it(
    table: sqlite3.Connection,
) -> None:
    for key in ("a", "b\\xc3", "z"):
        keyvalue.put(table, "tool", key, b"\x01")
    table.execute("INSERT INTO keyvalue VALUES ('tool', x'62c3', x'01'), ('tool', 'text', x'01')")
    refused = keyvalue.keys(table, "tool")
    assert isinstance(refused, LokiError)
    assert refused.details == {"script": "tool", "key": "b\\xc3"}
    assert keyvalue.keys(table, "tool", limit=2) == ("a", "b\\xc3"), "a sound key of that look"
    assert keyvalue.keys(table, "tool", after="c") == ("z",)
    assert keyvalue.remove(table, "tool", "b\\xc3")
    assert keyvalue.remove(table, "tool", "b\\xc3"), "the damaged one, now that no other is meant"
    assert not keyvalue.remove(table, "tool", "b\\xc3")
    assert keyvalue.keys(table, "tool") == ("a", "z")
