"""Stored values and keys that are damaged on the disk, as scripts meet them."""

import sqlite3
from concurrent.futures import Future
from contextlib import closing
from threading import Event
from typing import Any

import pytest
from hel_actor.messages import (
    AddToStored,
    ChangeStored,
    GetStored,
    ListStored,
    RemoveStored,
    SetStored,
    StoredChange,
    SwapStored,
    WatchStored,
)
from hel_actor.watch_messages import StoredWatched

from loki.errors import ErrorCode, LokiError
from loki.messages.envelope import Message
from loki.messages.value import NIL, pack, unpack
from tests.unit.children.hel_actor.calling import Start, run

BIG = run("big")
JS = run("js")
NEEDY = (
    GetStored(key="ba"),
    AddToStored(key="ba"),
    SwapStored(key="ba", value=pack(1)),
    ChangeStored(changes=(StoredChange(op="increment", key="ba"),)),
)


def damage(bench: Any, *statements: str) -> None:
    with closing(sqlite3.connect(bench.state_dir / "hel.sqlite")) as other, other:
        for statement in statements:
            other.execute(statement)


@pytest.fixture
def bench(start: Start) -> Any:
    """With a value of 'big' that no script wrote."""
    bench = start()
    bench.call(SetStored(key="ba", value=pack(7)), BIG)
    damage(bench, "UPDATE keyvalue SET value = x'c1c1c1'")
    return bench


@pytest.mark.parametrize("request_", NEEDY)
def test_s_8_3_1_a_call_that_needs_a_damaged_value_names_it(bench: Any, request_: Message) -> None:
    with pytest.raises(LokiError, match="the value of 'ba', stored by 'big', is damaged") as failed:
        bench.call(request_, BIG)
    assert failed.value.code is ErrorCode.DATA_LOSS
    bench.call(SetStored(key="ba", value=pack(1)), BIG)
    assert unpack(bench.call(GetStored(key="ba"), BIG).value) == 1


def test_s_8_3_1_a_damaged_value_can_be_removed(bench: Any) -> None:
    assert bench.call(RemoveStored(key="ba"), BIG).existed
    assert bench.call(GetStored(key="ba"), BIG).value == NIL


def test_s_8_3_2_calls_that_share_a_commit_with_a_damaged_value_go_on(bench: Any) -> None:
    go, calls = Event(), bench.hel.calls()
    bench.call(SetStored(key="k", value=pack(0)), JS)  # Files are counted by then.
    bench.shell.workers["database"].submit(go.wait, 20)
    answers: list[tuple[Message, Future[Any]]] = []
    for number, needy in enumerate(NEEDY):
        setting = SetStored(key=f"k{number}", value=pack(number))
        answers += [
            (setting, calls[SetStored](setting, JS)),
            (needy, calls[type(needy)](needy, BIG)),
        ]
    go.set()
    for request, answer in answers:
        failed = answer.exception(20)
        assert (failed is not None) == (request in NEEDY), request
    assert bench.call(ListStored(prefix="k"), JS).keys == ("k", "k0", "k1", "k2", "k3")


def test_s_8_3_1_a_damaged_key_can_be_found_and_removed(bench: Any) -> None:
    damage(bench, "UPDATE keyvalue SET key = x'62c341', value = x'01'")
    with pytest.raises(LokiError, match="a key stored by 'big' is damaged") as failed:
        bench.call(ListStored(), BIG)
    assert failed.value.code is ErrorCode.DATA_LOSS
    assert bench.call(ListStored(prefix="a"), BIG).keys == ()
    assert bench.call(RemoveStored(key=failed.value.details["key"]), BIG).existed
    assert bench.call(ListStored(), BIG).keys == ()


def watched(bench: Any) -> "Future[StoredWatched]":
    """A call that waits by now."""
    answer: Future[StoredWatched] = bench.hel.calls()[WatchStored](WatchStored(), BIG)
    bench.shell.workers["database"].submit(lambda: None).result(20)
    return answer


def test_s_8_3_1_who_waits_while_a_damaged_key_goes_reads_anew(bench: Any) -> None:
    damage(bench, "UPDATE keyvalue SET key = x'62c341'")
    waiting = watched(bench)
    changes = (
        StoredChange(op="set", key="a", value=pack(1)),
        StoredChange(op="remove", key=r"b\xc3A"),
    )
    assert bench.call(ChangeStored(changes=changes), BIG).done
    told = waiting.result(20)
    assert (told.reset, told.changes) == (True, ())
    waiting = watched(bench)
    bench.call(SetStored(key="b", value=pack(1)), BIG)
    assert [each.key for each in waiting.result(20).changes] == ["b"]


def test_s_8_3_2_a_damaged_name_of_a_script_is_nobodys_and_stops_nobody(
    start: Start, bench: Any
) -> None:
    bench.call(SetStored(key="k", value=pack(1)), JS)
    bench.close()
    for table in ("usage", "keyvalue"):
        damage(
            bench, f"UPDATE {table} SET namespace = CAST(x'c341' AS TEXT) WHERE namespace = 'big'"
        )
    again = start()
    assert unpack(again.call(GetStored(key="k"), JS).value) == 1
    assert again.call(ListStored(), BIG).keys == ()
    assert again.call(AddToStored(key="n"), BIG).number == 1
    assert again.hel.trouble == ""
