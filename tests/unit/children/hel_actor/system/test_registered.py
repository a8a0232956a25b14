"""What the Library asks Hel: who may, and that the answer outlives her."""

import msgspec
import pytest
from msgspec import structs

from loki.actors.door.frame import MAX_MESSAGE_BYTES
from loki.actors.door.role import Context
from loki.errors import ErrorCode, PermissionRefused
from loki.messages.envelope import Done, Failure
from loki.messages.field_number import FieldNumber, ForgetNumbers, KeepNumbers, ReadNumbers
from loki.messages.registry import (
    DropScript,
    KeepScript,
    ReadRevision,
    ReadRevisions,
    ReadScripts,
    StoredScript,
)
from loki.messages.script import ValueType
from tests.unit.children.hel_actor.calling import Start

RUNNER = Context(peer="runner-1", peer_pid=2, kin=False, run="", trace="", deadline_s=None)


def stored(revision: str) -> StoredScript:
    return StoredScript(name="mine", revision=revision, content=revision.encode())


def kept(revision: str, expected: str = "") -> KeepScript:
    return KeepScript(script=stored(revision), expected=expected, principal="ann", time_ns=7)


def test_a_registration_is_there_when_hel_is_opened_again(start: Start) -> None:
    bench = start()
    assert bench.serve(kept("r1")) == Done()
    assert bench.serve(kept("r2", "r1")) == Done()
    bench.close()
    bench = start()
    assert bench.serve(ReadScripts()).scripts == (stored("r2"),)
    assert bench.serve(ReadRevision(name="mine", revision="r1")).script == stored("r1")
    page = bench.serve(ReadRevisions(name="mine")).revisions
    assert [(r.revision, r.principal, r.registered_ns, r.current) for r in page] == [
        ("r2", "ann", 7, True),
        ("r1", "ann", 7, False),
    ]


def test_a_refusal_is_answered_and_nobody_else_loses_his_change(start: Start) -> None:
    bench = start()
    bench.serve(kept("r1"))
    gone = DropScript(name="mine", expected="r9", principal="ann", time_ns=8)
    for refused in (bench.serve(kept("r2")), bench.serve(gone)):
        assert isinstance(refused, Failure)
        assert refused.code is ErrorCode.REVISION_CONFLICT
    missing = bench.serve(ReadRevision(name="mine", revision="r9"))
    assert isinstance(missing, Failure)
    assert bench.serve(ReadScripts()).scripts == (stored("r1"),)


def test_so_many_revisions_are_kept_as_the_settings_say(start: Start) -> None:
    bench = start(revisions_per_script=2)
    for number in range(5):
        assert bench.serve(kept(f"r{number}", f"r{number - 1}" if number else "")) == Done()
    page = bench.serve(ReadRevisions(name="mine")).revisions
    assert [each.revision for each in page] == ["r4", "r3"]


def test_a_script_may_not_ask(start: Start) -> None:
    bench = start()
    for request in (ReadScripts(), kept("r1"), ReadRevisions(name="mine")):
        with pytest.raises(PermissionRefused, match="only Loki's own parts"):
            bench.hel.handlers()[type(request)](request, RUNNER)
    assert bench.serve(ReadScripts()).scripts == ()


def test_field_numbers_are_there_when_hel_is_opened_again(start: Start) -> None:
    given = FieldNumber(service="Tool", parameter="n", type=ValueType.INTEGER, number=1)
    bench = start()
    assert bench.serve(KeepNumbers(numbers=(given,))) == Done()
    bench.close()
    bench = start()
    assert bench.serve(ReadNumbers()).numbers == (given,)
    other = bench.serve(KeepNumbers(numbers=(structs.replace(given, parameter="m"),)))
    assert isinstance(other, Failure)
    for request in (ReadNumbers(), ForgetNumbers(services=("Tool",))):
        with pytest.raises(PermissionRefused, match="only Loki's own parts"):
            bench.hel.handlers()[type(request)](request, RUNNER)
    assert bench.serve(ReadNumbers()).numbers == (given,)
    assert bench.serve(ForgetNumbers(services=("Tool",))) == Done()
    bench.close()
    assert start().serve(ReadNumbers()).numbers == ()


def test_a_service_with_more_numbers_than_a_message_carries_is_read_in_pages(start: Start) -> None:
    """An earlier Loki gave as many as were asked for."""
    many = [
        FieldNumber(
            service="Tool".ljust(60, "x"),
            parameter=f"p{n}_".ljust(64, "q"),
            type=ValueType.INTEGER,
            number=n,
        )
        for n in range(1, 70_001)
    ]
    bench = start()
    for first in (0, 35_000):
        kept = bench.serve(KeepNumbers(numbers=tuple(many[first : first + 35_000])))
        assert kept == Done()
    read: list[FieldNumber] = []
    page = ReadNumbers()
    while True:
        found = bench.serve(page)
        assert len(msgspec.msgpack.encode(found)) < MAX_MESSAGE_BYTES / 3
        read += found.numbers
        if not found.more:
            break
        page = ReadNumbers(service=read[-1].service, number=read[-1].number)
    assert read == many
