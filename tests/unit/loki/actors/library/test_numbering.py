"""Numbers are read again where they are in doubt, and not shown before they are kept."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from msgspec import structs

from loki.actors.library.numbering import Numbering
from loki.errors import ErrorCode, LokiError, ResourceLimitExceeded, ServiceUnavailable
from loki.messages.envelope import Done, Message
from loki.messages.field_number import (
    FieldNumber,
    ForgetNumbers,
    KeepNumbers,
    NumbersRead,
    ReadNumbers,
)
from loki.messages.script import Parameter, Script, ValueType
from tests.unit.loki.conftest import FakeShell

A = FieldNumber(service="Tool", parameter="a", type=ValueType.STRING, number=1)
TOOL = Script(
    name="tool",
    source="",
    chunk="",
    parameters=(Parameter(name="a", type=ValueType.STRING),),
)


def shell(keep: Callable[[KeepNumbers], Message], *kept: NumbersRead) -> FakeShell:
    made = FakeShell()
    pages = iter(kept)
    made.answers[ReadNumbers] = lambda _request: next(pages)
    made.answers[KeepNumbers] = keep
    return made


def given(numbering: Numbering) -> Any:
    shown = numbering.offer([TOOL]).shown
    return shown[0].numbers if shown else None


def test_all_pages_are_read_and_once_only() -> None:
    first = NumbersRead(numbers=(structs.replace(A, parameter="b"),), more=True)
    made = shell(lambda _: Done(), first, NumbersRead(numbers=(structs.replace(A, number=7),)))
    numbering = Numbering(made, "hel")
    for _ in range(2):
        assert asyncio.run(numbering.give([TOOL])) is False
    asked = [(request.service, request.number) for _, request, _ in made.sent(ReadNumbers)]
    assert asked == [("", 0), ("Tool", 1)]
    assert given(numbering) == (7,)
    assert made.sent(KeepNumbers) == []


@pytest.mark.parametrize(
    ("code", "reads"), [(ErrorCode.REVISION_CONFLICT, 2), (ErrorCode.DRAINING, 1)]
)
def test_what_cannot_be_kept_is_not_given(code: ErrorCode, reads: int) -> None:
    def refuse(_request: KeepNumbers) -> Done:
        raise LokiError("no", code=code)

    made = shell(refuse, NumbersRead(numbers=()), NumbersRead(numbers=()))
    numbering = Numbering(made, "hel")
    for _ in range(2):
        with pytest.raises(LokiError):
            asyncio.run(numbering.give([TOOL]))
        assert given(numbering) is None
    assert len(made.sent(ReadNumbers)) == reads


def test_another_number_than_before_is_told() -> None:
    theirs = structs.replace(A, number=5)
    made = shell(lambda _: Done(), NumbersRead(numbers=()), NumbersRead(numbers=(theirs,)))
    numbering = Numbering(made, "hel")
    asyncio.run(numbering.give([TOOL]))
    assert given(numbering) == (1,)
    numbering.lost("gateway")
    assert asyncio.run(numbering.give([TOOL])) is False
    numbering.lost("hel")
    assert asyncio.run(numbering.give([TOOL])) is True
    assert given(numbering) == (5,)


def test_another_number_that_a_check_found_is_told_later() -> None:
    theirs = structs.replace(A, number=5)
    made = shell(lambda _: Done(), NumbersRead(numbers=()), NumbersRead(numbers=(theirs,)))
    numbering = Numbering(made, "hel")
    asyncio.run(numbering.give([TOOL]))
    numbering.lost("hel")
    asyncio.run(numbering.check(TOOL))
    assert [asyncio.run(numbering.give([TOOL])) for _ in range(2)] == [True, False]


def test_what_has_no_room_is_refused_and_nothing_is_kept_for_it() -> None:
    made = shell(lambda _: Done(), NumbersRead(numbers=(A,)))
    numbering = Numbering(made, "hel", last=1)
    asyncio.run(numbering.check(TOOL))
    b = structs.replace(TOOL.parameters[0], name="b")
    full = structs.replace(TOOL, parameters=(*TOOL.parameters, b))
    with pytest.raises(ResourceLimitExceeded, match="'b'"):
        asyncio.run(numbering.check(full))
    asyncio.run(numbering.give([full]))
    assert made.sent(KeepNumbers) == []
    assert list(numbering.offer([full]).refused) == ["tool"]


def crowd(*services: str) -> FakeShell:
    kept = tuple(structs.replace(A, service=service) for service in services)
    made = shell(lambda _: Done(), NumbersRead(numbers=kept), NumbersRead(numbers=kept))
    made.answers[ForgetNumbers] = lambda _: Done()
    return made


def test_numbers_of_scripts_that_are_gone_make_room() -> None:
    made = crowd("A", "B", "C")
    numbering = Numbering(made, "hel", lambda: {"B", "Tool"}, most=3)
    asyncio.run(numbering.check(TOOL))
    assert made.sent(ForgetNumbers) == [], "it is not registered yet"
    asyncio.run(numbering.give([TOOL]))
    ((_, forgotten, _),) = made.sent(ForgetNumbers)
    assert forgotten.services == ("A",)
    assert given(numbering) == (1,)
    asyncio.run(numbering.give([TOOL, structs.replace(TOOL, name="B")]))
    assert len(made.sent(ForgetNumbers)) == 1


@pytest.mark.parametrize("known", [True, False])
def test_where_nothing_is_gone_only_registrations_are_refused(known: bool) -> None:
    made = crowd("A", "B", "C")
    numbering = Numbering(made, "hel", lambda: set("ABC") if known else None, most=3)
    with pytest.raises(ResourceLimitExceeded, match="3 at most"):
        asyncio.run(numbering.check(TOOL))
    asyncio.run(numbering.check(structs.replace(TOOL, name="A")))  # It brings nothing new.
    asyncio.run(numbering.give([TOOL]))  # Of a file, of which nobody waits for the answer.
    assert made.sent(ForgetNumbers) == []
    assert given(numbering) == (1,)


def test_what_is_not_forgotten_for_sure_is_read_again() -> None:
    def away(_request: ForgetNumbers) -> Done:
        raise ServiceUnavailable("hel is not there")

    made = crowd("A", "B", "C")
    good, made.answers[ForgetNumbers] = made.answers[ForgetNumbers], away
    numbering = Numbering(made, "hel", lambda: {"Tool"}, most=3)
    with pytest.raises(ServiceUnavailable):
        asyncio.run(numbering.give([TOOL]))
    assert given(numbering) is None
    made.answers[ForgetNumbers] = good
    asyncio.run(numbering.give([TOOL]))
    assert len(made.sent(ReadNumbers)) == 2
    assert given(numbering) == (1,)


def test_a_keeper_that_is_away_stays_in_doubt() -> None:
    def away(_request: ReadNumbers) -> NumbersRead:
        raise ServiceUnavailable("hel is not there")

    made = shell(lambda _: Done())
    made.answers[ReadNumbers] = away
    numbering = Numbering(made, "hel")
    with pytest.raises(ServiceUnavailable):
        asyncio.run(numbering.give([TOOL]))
    made.answers[ReadNumbers] = lambda _: NumbersRead(numbers=(A,))
    asyncio.run(numbering.give([TOOL]))
    assert given(numbering) == (1,)


def test_many_are_kept_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loki.actors.library.numbering.PART", 2)
    made = shell(lambda _: Done(), NumbersRead(numbers=()))
    asyncio.run(Numbering(made, "hel").give([structs.replace(TOOL, name=n) for n in "abc"]))
    assert [len(request.numbers) for _, request, _ in made.sent(KeepNumbers)] == [2, 1]


def test_others_have_their_turn_while_much_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loki.actors.library.numbering.STEP", 1)
    made = shell(lambda _: Done(), NumbersRead(numbers=()), NumbersRead(numbers=()))
    numbering = Numbering(made, "hel")
    scripts = [structs.replace(TOOL, name=f"tool{n}") for n in range(20)]

    async def test() -> int:
        await numbering.give(scripts)
        numbering.lost("hel")
        again, turns = asyncio.create_task(numbering.give(scripts)), 0
        while not again.done():
            await asyncio.sleep(0)
            turns += 1
        return turns

    assert asyncio.run(test()) > len(scripts)
    assert len(numbering.offer(scripts).shown) == len(scripts)
