"""Field numbers: the first free one, and never one that another parameter ever had."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loki.core.library.field_number import (
    LAST,
    Ledger,
    Recorded,
    crowded,
    entries,
    excess,
    interface_of,
    missing,
    offer,
    record,
    refusal,
    spare,
)
from loki.errors import ErrorCode
from loki.messages.field_number import FieldNumber
from loki.messages.script import Parameter, Script, ValueType

TYPES = {
    "s": ValueType.STRING,
    "i": ValueType.INTEGER,
    "n": ValueType.NUMBER,
}


def parameters(*described: str) -> tuple[Parameter, ...]:
    """Of "name:t"."""
    return tuple(
        Parameter(name=name, type=TYPES[letter])
        for name, _, letter in (each.partition(":") for each in described)
    )


def script(name: str, *described: str) -> Script:
    return Script(name=name, source="", chunk=name, revision="r", parameters=parameters(*described))


@pytest.mark.parametrize(
    ("revisions", "numbers"),
    [
        (["a:s b:i"], (1, 2)),
        (["a:s b:i", "b:i a:s"], (2, 1)),
        (["a:s", "a:i"], (2,)),  # Another type is another parameter,
        (["a:s", "a:i", "a:s"], (1,)),  # and the old one has its number again.
        (["a:s b:s", "b:s", "b:s c:s"], (2, 3)),
        (["a:s", "", "b:s a:s"], (2, 1)),
        ([""], ()),
    ],
)
def test_numbers_of_the_last_of_several_revisions(
    revisions: list[str], numbers: tuple[int, ...]
) -> None:
    ledger: Ledger = {}
    for revision in revisions:
        now = script("tool", *revision.split())
        give(ledger, now)
    assert numbers_of(ledger, now) == numbers


def give(ledger: Ledger, *scripts: Script) -> tuple[FieldNumber, ...]:
    new = missing(ledger, scripts)
    record(ledger, new)
    return new


def numbers_of(ledger: Ledger, script: Script) -> tuple[int, ...] | None:
    interface = interface_of(ledger, script)
    return None if interface is None else interface.numbers


revision = st.dictionaries(st.sampled_from("abcde"), st.sampled_from(list(ValueType)), max_size=4)
history = st.lists(st.tuples(st.sampled_from(["tool", "other"]), revision), max_size=25)


@given(history)
def test_a_number_is_one_parameters_for_ever(past: list[tuple[str, dict[str, ValueType]]]) -> None:
    ledger: Ledger = {}
    owner: dict[tuple[str, int], tuple[str, ValueType]] = {}
    for name, declared in past:
        tool = Script(
            name=name,
            source="",
            chunk="",
            parameters=tuple(Parameter(name=n, type=t) for n, t in declared.items()),
        )
        give(ledger, tool)
        interface = interface_of(ledger, tool)
        assert interface is not None
        assert len(set(interface.numbers)) == len(declared)
        for key, number in zip(declared.items(), interface.numbers, strict=True):
            assert owner.setdefault((name, number), key) == key
    by_key = [(each.service, each.parameter, each.type) for each in entries(ledger)]
    assert len(set(by_key)) == len(by_key)


def test_a_script_without_numbers_has_no_interface_yet() -> None:
    ledger: Ledger = {}
    tool = script("tool", "a:s")
    assert interface_of(ledger, tool) is None
    assert numbers_of(ledger, script("bare")) == ()
    give(ledger, tool)
    assert numbers_of(ledger, tool) == (1,)


def test_names_with_one_camel_case_form_share_their_numbers() -> None:
    """Both are ReadSensorService to a client, one after the other."""
    ledger: Ledger = {}
    give(ledger, script("read_sensor", "a:s"))
    give(ledger, script("readSensor", "b:s"))
    assert numbers_of(ledger, script("readSensor", "b:s")) == (2,)
    assert numbers_of(ledger, script("read_sensor", "a:s")) == (1,)


def test_only_what_is_new_is_missing() -> None:
    ledger: Ledger = {}
    give(ledger, script("tool", "a:s"))
    new = missing(ledger, [script("tool", "a:s", "b:i"), script("other", "a:s")])
    assert [(n.service, n.parameter, n.number) for n in new] == [
        ("Tool", "b", 2),
        ("Other", "a", 1),
    ]
    assert missing(ledger, [script("tool", "a:s")]) == ()


def test_what_the_ledger_says_stays() -> None:
    ledger: Ledger = {}
    give(ledger, script("tool", "a:s", "b:s"))
    before = list(entries(ledger))
    other = FieldNumber(service="Tool", parameter="c", type=ValueType.STRING, number=2)
    another = FieldNumber(service="Tool", parameter="a", type=ValueType.STRING, number=9)
    free = FieldNumber(service="Tool", parameter="c", type=ValueType.STRING, number=3)
    assert record(ledger, before) == Recorded((), refused=False)
    for wrong in (other, another):
        assert record(ledger, (wrong,)) == Recorded((), refused=True)
    assert list(entries(ledger)) == before
    assert record(ledger, (other, free)) == Recorded((free,), refused=True)
    assert list(entries(ledger)) == [*before, free]


def filled(count: int, service: str = "Tool", first: int = 1) -> Ledger:
    """Of a service that has had parameters p1, p2 and so on."""
    ledger: Ledger = {}
    numbers = range(first, first + count)
    record(
        ledger,
        (
            FieldNumber(service=service, parameter=f"p{n}", type=ValueType.STRING, number=n)
            for n in numbers
        ),
    )
    return ledger


@pytest.mark.parametrize(
    ("had", "described", "too_many"),
    [
        (0, "a:s b:s c:s", ""),
        (1, "a:s b:s c:s", "'c'"),
        (1, "p1:s b:s c:s", ""),
        (3, "p1:s p2:s p3:s", ""),  # What it had is not new,
        (3, "p1:i", "'p1' (integer)"),  # but for another type.
        (3, "p1:s x:s", "'x'"),
        (3, "", ""),
        (9, "p8:s p9:s", ""),  # Older than the bound.
        (9, "p9:s x:s y:s", "'x'"),
    ],
)
def test_a_service_has_so_many_and_no_more(had: int, described: str, too_many: str) -> None:
    ledger, tool = filled(had), script("tool", *described.split())
    refused = refusal(ledger, tool, last=3)
    new = missing(ledger, [tool], last=3)
    record(ledger, new)
    assert (numbers_of(ledger, tool) is None) == bool(too_many)
    if not too_many:
        assert refused is None
        return
    assert new == ()
    assert refused is not None
    assert refused.code is ErrorCode.QUOTA
    assert all(word in refused.message for word in (too_many, "'tool'", "of 3 at most", "or give"))
    assert refused.details["script"] == "tool"
    assert refused.details["limit"] == "3"


def test_the_last_number_is_the_one_before_those_that_protobuf_reserves() -> None:
    ledger, tool = filled(LAST - 1), script("tool", "a:s")
    give(ledger, tool)
    assert numbers_of(ledger, tool) == (18999,)
    assert refusal(ledger, script("tool", "b:s")) is not None
    assert refusal(ledger, script("other", "b:s")) is None


def test_scripts_that_have_no_room_cost_others_nothing() -> None:
    ledger = filled(3)
    scripts = [script("tool", "x:s"), script("other", "a:s"), script("late", "a:s")]
    record(ledger, missing(ledger, scripts[:2], last=3))
    offered = offer(ledger, scripts, last=3)
    assert [each.name for each in offered.shown] == ["other"]
    assert offered.waiting == ("late",)
    assert list(offered.refused) == ["tool"]


def test_scripts_of_one_service_share_what_is_left() -> None:
    scripts = [script("read_it", "a:s", "b:s"), script("readIt", "b:s", "c:s"), script("ReadIt")]
    assert [n.parameter for n in missing({}, scripts, last=2)] == ["a", "b"]
    assert [n.number for n in missing({}, scripts, last=3)] == [1, 2, 3]


def test_what_follows_follows_the_greatest() -> None:
    ledger = filled(1, first=7)
    give(ledger, script("tool", "a:s"))
    assert numbers_of(ledger, script("tool", "a:s")) == (8,)


@pytest.mark.parametrize(
    ("count", "new", "must_go"),
    [(0, 80, 0), (79, 1, 0), (80, 0, 0), (90, 0, 0), (80, 1, 11), (79, 2, 11), (100, 1, 31)],
)
def test_so_many_must_go_before_there_is_room(count: int, new: int, must_go: int) -> None:
    assert excess(count, new, most=80) == must_go


@pytest.mark.parametrize(
    ("in_use", "wanted", "services", "count"),
    [
        ("", 0, "", 0),
        ("", 1, "A", 3),
        ("", 3, "A", 3),
        ("", 4, "AB", 6),
        ("", 99, "ABC", 9),
        ("A", 4, "BC", 6),
        ("AC", 4, "B", 3),
        ("ABC", 4, "", 0),
    ],
)
def test_services_of_scripts_that_are_gone_can_be_spared(
    in_use: str, wanted: int, services: str, count: int
) -> None:
    ledger = filled(3, "A") | filled(3, "B") | filled(3, "C")
    assert spare(ledger, in_use, wanted) == (tuple(services), count)


def test_where_the_device_is_full_the_largest_service_is_named() -> None:
    full = crowded(filled(3) | filled(4, "Big") | filled(1, "Late"), script("one", "a:s"), most=8)
    assert full.code is ErrorCode.QUOTA
    assert all(word in full.message for word in ("'one'", "8 at most", "BigService has had 4"))
