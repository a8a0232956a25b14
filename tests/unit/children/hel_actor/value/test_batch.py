"""Several changes as one."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest
from hel_actor.database.migration import migrate
from hel_actor.messages import BatchStored, StoredChange
from hel_actor.quota import usage
from hel_actor.schema import MIGRATIONS
from hel_actor.value import batch, keyvalue
from hypothesis import given
from hypothesis import strategies as st

from loki.errors import ErrorCode, InvalidArgument, LokiError
from loki.messages.value import NIL, ScriptValue, pack, unpack

DONE = BatchStored(done=True, failed=None)


@pytest.fixture
def table() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate(connection, MIGRATIONS)
        connection.execute("BEGIN")
        yield connection


def change(op: str, key: str, value: ScriptValue = None, **rest: object) -> StoredChange:
    return StoredChange(op=op, key=key, value=pack(value), **rest)  # type: ignore[arg-type]


def stored(table: sqlite3.Connection) -> dict[str, ScriptValue]:
    rows = table.execute("SELECT key, value FROM keyvalue WHERE namespace = 'tool'")
    return {key.decode(): unpack(keyvalue.packed(value)) for key, value in rows}


def perform(table: sqlite3.Connection, *changes: StoredChange) -> BatchStored | LokiError:
    batch.check(changes, 1000)
    return batch.perform(table, "tool", changes)


def test_s_8_3_1_each_change_sees_those_before_it(table: sqlite3.Connection) -> None:
    first = (change("set", "a", 1), change("set", "b", "x"), change("set", "c", True))
    assert perform(table, *first) == DONE
    second = (
        change("increment", "a", by=4),
        change("cas", "a", "five", expected=pack(5)),
        change("remove", "b"),
        change("remove", "missing"),
        change("cas", "c", expected=pack(True)),
        change("cas", "d", 1.5),
    )
    assert perform(table, *second) == DONE
    assert stored(table) == {"a": "five", "d": 1.5}
    assert perform(table) == DONE


@pytest.mark.parametrize("at", [0, 1, 3])
def test_s_8_3_1_a_cas_that_fails_undoes_all_and_tells_which(
    table: sqlite3.Connection, at: int
) -> None:
    perform(table, change("set", "a", 1))
    changes = [change("set", "a", 2), change("remove", "a"), change("set", "b", 3)]
    changes.insert(at, change("cas", "c", 4, expected=pack("never")))
    assert perform(table, *changes) == BatchStored(done=False, failed=at + 1)
    assert stored(table) == {"a": 1}
    assert perform(table, change("set", "b", 1)) == DONE


def test_s_8_3_1_what_cannot_be_counted_undoes_all(table: sqlite3.Connection) -> None:
    refused = perform(table, change("set", "a", "text"), change("increment", "a"))
    assert isinstance(refused, InvalidArgument)
    assert refused.message == ("change 2: cannot add 1 to 'a': what is stored there is no integer")
    assert stored(table) == {}


@pytest.mark.parametrize("op", ["cas", "increment"])
def test_s_8_3_1_a_damaged_value_undoes_the_batch_that_needs_it(
    table: sqlite3.Connection, op: str
) -> None:
    keyvalue.put(table, "tool", "b", b"\xc1")
    refused = perform(table, change("set", "a", 1), change(op, "b"))
    assert isinstance(refused, LokiError)
    assert (refused.code, refused.details["key"]) == (ErrorCode.DATA_LOSS, "b")
    assert keyvalue.keys(table, "tool") == ("b",)
    assert perform(table, change("set", "b", 1), change("increment", "b", by=1)) == DONE
    assert stored(table) == {"b": 2}


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (change("put", "a", 1), "change 2: op is 'put'; there are set, remove, cas, increment"),
        (change("set", "a"), "change 2: a value is missing; op = 'remove' removes one"),
        (change("remove", ""), "key has 0 bytes"),
        (change("set", "a", "x" * 1000), "max_value_kb"),
    ],
)
def test_a_wrong_change_is_named(wrong: StoredChange, text: str) -> None:
    with pytest.raises(LokiError, match=text):
        batch.check([change("set", "a", 1), wrong], 1000)


def test_no_more_than_1000_changes_at_once() -> None:
    changes = [StoredChange(op="remove", key="k", expected=NIL)] * 1000
    batch.check(changes, 1000)
    with pytest.raises(InvalidArgument, match="1001 changes; 1000 are allowed"):
        batch.check([*changes, *changes[:1]], 1000)


CHANGES = st.builds(
    lambda op, key, value, by: StoredChange(op=op, key=key, value=pack(value), by=by),
    st.sampled_from(batch.OPERATIONS),
    st.sampled_from("aé"),
    st.sampled_from(["", "x" * 300, 5, 2**40]),
    st.integers(-(2**40), 2**40),
)


@given(st.lists(CHANGES, max_size=8))
def test_s_5_2_4_no_batch_grows_by_more_than_is_claimed_for_it(changes: list[StoredChange]) -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as table:
        migrate(table, MIGRATIONS)
        for change in changes:
            before = usage.of(table, "tool").size_bytes
            batch.perform(table, "tool", [change])
            grown = usage.of(table, "tool").size_bytes - before
            assert grown <= batch.growth([change])
        assert usage.of(table, "tool").size_bytes <= batch.growth(changes)
