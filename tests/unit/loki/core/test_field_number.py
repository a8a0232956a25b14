"""Field numbers: the first free one, and never one that another parameter ever had."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loki.core.field_number import (
    Ledger,
    assigned,
    entries,
    interface_of,
    missing,
    record,
)
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
    known: Any = {}
    given_now: tuple[int, ...] = ()
    for revision in revisions:
        known, given_now = assigned(known, parameters(*revision.split()))
    assert given_now == numbers


def test_what_protobuf_reserves_is_passed_over() -> None:
    _, numbers = assigned({("a", ValueType.STRING): 18998}, parameters("b:s", "c:s", "d:s"))
    assert numbers == (18999, 20000, 20001)


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
    before = entries(ledger)
    other = FieldNumber(service="Tool", parameter="c", type=ValueType.STRING, number=2)
    another = FieldNumber(service="Tool", parameter="a", type=ValueType.STRING, number=9)
    record(ledger, (other, another))
    assert entries(ledger) == before
