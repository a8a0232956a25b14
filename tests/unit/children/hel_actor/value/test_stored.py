"""Stored values as scripts call for them."""

import pytest
from hel_actor.messages import (
    AddToStored,
    BatchStored,
    ChangeStored,
    GetStored,
    ListOptions,
    ListStored,
    RemoveStored,
    SetStored,
    StoredChange,
    StoredNumber,
    SwapStored,
    ValueSwapped,
)
from msgspec.structs import replace

from loki.errors import (
    ErrorCode,
    InvalidArgument,
    PermissionRefused,
    ResourceLimitExceeded,
)
from loki.messages.envelope import Done, Failure
from loki.messages.value import NIL, ScriptValue, pack, unpack
from tests.unit.children.hel_actor.calling import Start, run

VALUES = [
    None,
    True,
    9007199254740993,
    -(2**63),
    5.0,
    "text",
    b"\xff\x00",
    [],
    {},
    [1, [2.5, None], {"a": b"\x00"}],
]


@pytest.mark.parametrize("value", VALUES)
def test_s_8_3_1_values_survive_a_restart_to_the_bit(start: Start, value: ScriptValue) -> None:
    bench = start()
    assert bench.call(SetStored(key="k", value=pack(value)), run()) == Done()
    bench.close()
    assert bytes(start().call(GetStored(key="k"), run()).value) == bytes(pack(value))


def test_s_8_3_1_missing_keys_are_nil(start: Start) -> None:
    bench = start()
    assert bench.call(GetStored(key="k"), run()).value == NIL
    assert bench.call(RemoveStored(key="k"), run()).existed is False
    bench.call(SetStored(key="k", value=pack(1)), run())
    assert bench.call(RemoveStored(key="k"), run()).existed is True
    assert bench.call(GetStored(key="k"), run()).value == NIL


def test_s_8_3_1_keys_by_prefix(start: Start) -> None:
    bench = start()
    for key in ("b", "a/2", "a/1"):
        bench.call(SetStored(key=key, value=pack(0)), run())
    assert bench.call(ListStored(), run()).keys == ("a/1", "a/2", "b")
    assert bench.call(ListStored(prefix="a/"), run()).keys == ("a/1", "a/2")


def test_s_8_3_1_keys_by_pages(start: Start) -> None:
    bench = start()
    changes = tuple(StoredChange(op="set", key=f"{n:05}", value=pack(n)) for n in range(1000))
    for hundred in range(6):
        moved = tuple(replace(each, key=f"{hundred}{each.key}") for each in changes)
        assert bench.call(ChangeStored(changes=moved), run()).done
    with pytest.raises(ResourceLimitExceeded, match="5000 keys"):
        bench.call(ListStored(), run())
    page = ListStored(options=ListOptions(limit=2, after="000998"))
    assert bench.call(page, run()).keys == ("000999", "100000")
    with pytest.raises(InvalidArgument, match="limit is 0"):
        bench.call(ListStored(options=ListOptions(limit=0)), run())


def test_s_8_3_1_a_batch_needs_permission_and_room(start: Start) -> None:
    bench = start()
    change = StoredChange(op="set", key="k", value=pack("x" * 100_000))
    with pytest.raises(PermissionRefused):
        bench.call(ChangeStored(changes=()), run(files=("rw",)))
    with pytest.raises(ResourceLimitExceeded, match="max_value_kb"):
        bench.call(ChangeStored(changes=(change,)), run())
    bench = start(max_value_kb=100, quota_mb=1)
    many = tuple(replace(change, key=f"{n}") for n in range(11))
    with pytest.raises(ResourceLimitExceeded) as refused:
        bench.call(ChangeStored(changes=many), run())
    assert refused.value.code is ErrorCode.DISK_BUDGET
    assert bench.call(ListStored(), run()).keys == ()


def test_s_8_3_1_a_batch_is_there_after_a_restart(start: Start) -> None:
    bench = start()
    changes = (
        StoredChange(op="set", key="a", value=pack(1)),
        StoredChange(op="cas", key="a", expected=pack(1), value=pack(2)),
        StoredChange(op="increment", key="a", by=40),
    )
    assert bench.call(ChangeStored(changes=changes), run()) == BatchStored(done=True, failed=None)
    bench.close()
    assert unpack(start().call(GetStored(key="a"), run()).value) == 42


def test_s_8_3_1_numbers_are_counted_and_what_is_none_is_refused(start: Start) -> None:
    bench = start()
    assert bench.call(AddToStored(key="n"), run()) == StoredNumber(number=1)
    assert bench.call(AddToStored(key="n", by=41), run()) == StoredNumber(number=42)
    bench.call(SetStored(key="n", value=pack("many")), run())
    refused = bench.call(AddToStored(key="n"), run())
    assert isinstance(refused, Failure)
    assert refused.code is ErrorCode.ARGUMENT_INVALID
    assert refused.message == "cannot add 1 to 'n': what is stored there is no integer"
    assert unpack(bench.call(GetStored(key="n"), run()).value) == "many"


def test_s_8_3_1_a_swap_needs_what_it_expects_and_the_permission(start: Start) -> None:
    bench = start()
    first = SwapStored(key="k", value=pack(1))
    assert bench.call(first, run()) == ValueSwapped(swapped=True)
    assert bench.call(first, run()) == ValueSwapped(swapped=False)
    with pytest.raises(PermissionRefused):
        bench.call(first, run(files=("rw",)))
    with pytest.raises(ResourceLimitExceeded):
        bench.call(SwapStored(key="k", value=pack("x" * 100_000)), run())
