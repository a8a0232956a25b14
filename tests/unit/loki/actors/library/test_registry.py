"""Registered scripts while the keeper comes and goes, and what an earlier version left."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from loki.actors.library.library import Library
from loki.errors import ErrorCode, IoError, LokiError, ScriptNotFound, ServiceUnavailable
from loki.messages.envelope import Done
from loki.messages.event import ConfigRejected, ScriptChange
from loki.messages.library import (
    GetScript,
    ListRevisions,
    ListScripts,
    SendScripts,
    UnregisterScript,
)
from loki.messages.registry import DropScript, KeepScript, ReadScripts, StoredScript
from loki.messages.script import Origin, Script
from tests.unit.loki.actors.library.shelf import FILE, Shelf, ask, nothing, register


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    made = Shelf(tmp_path)
    made.tools.write_text(FILE)
    yield made
    made.shell.threads.shutdown()


async def names(library: Library) -> list[str]:
    return [script.name for script in (await ask(library, ListScripts())).scripts]


async def source_of(library: Library, name: str, revision: str = "") -> str:
    found = await ask(library, GetScript(name=name, revision=revision))
    return str(found.script.source)


async def registered(library: Library) -> None:
    await register(library, "mine", principal="ann")


# Revisions.


def test_every_revision_can_be_read_and_says_who_registered_it(shelf: Shelf) -> None:
    async def test(library: Library) -> None:
        one = (await register(library, "mine", principal="ann")).script.revision
        change = {"expected_revision": one, "principal": "bob"}
        two = (await register(library, "mine", "return 3", **change)).script.revision
        listed = await ask(library, ListRevisions(name="mine"))
        assert [(r.revision, r.principal, r.current) for r in listed.revisions] == [
            (two, "bob", True),
            (one, "ann", False),
        ]
        assert await source_of(library, "mine") == await source_of(library, "mine", two)
        assert await source_of(library, "mine", one) == "return 2"
        with pytest.raises(ScriptNotFound, match="there is no revision r9 of a script 'mine'"):
            await source_of(library, "mine", "r9")

    shelf.open(test)


def test_a_script_that_was_removed_has_a_past_and_can_come_back(shelf: Shelf) -> None:
    async def test(library: Library) -> None:
        old = (await register(library, "mine", principal="ann")).script.revision
        await ask(library, UnregisterScript(name="mine", principal="bob"))
        with pytest.raises(ScriptNotFound):
            await source_of(library, "mine")
        (was,) = (await ask(library, ListRevisions(name="mine"))).revisions
        assert (was.revision, was.principal, was.current) == (old, "ann", False)
        assert await source_of(library, "mine", old) == "return 2"
        await register(library, "mine", principal="bob")
        (again,) = (await ask(library, ListRevisions(name="mine"))).revisions
        assert (again.current_by, again.current_ns >= was.registered_ns) == ("bob", True)
        assert again == msgspec.structs.replace(
            was, current=True, current_by="bob", current_ns=again.current_ns
        )

    shelf.open(test)


def test_a_file_has_the_revision_that_it_has(shelf: Shelf) -> None:
    async def test(library: Library) -> None:
        (only,) = (await ask(library, ListRevisions(name="from_file"))).revisions
        assert (only.registered_ns, only.principal, only.current) == (0, "", True)
        assert await source_of(library, "from_file", only.revision) == "return 1"
        with pytest.raises(ScriptNotFound, match="did you mean 'from_file'"):
            await ask(library, ListRevisions(name="from_fil"))

    shelf.open(test)


# A keeper that is away, slow, or another one than before.


def test_without_a_keeper_registrations_are_refused_with_a_remedy(shelf: Shelf) -> None:
    async def test(library: Library) -> None:
        with pytest.raises(LokiError, match=f"switch it on, or put .* into {shelf.folder}") as no:
            await register(library, "mine")
        assert no.value.code is ErrorCode.CHILD_DISABLED
        with pytest.raises(ScriptNotFound):
            await source_of(library, "mine")
        with pytest.raises(ScriptNotFound, match="has revision"):
            await source_of(library, "from_file", "of old")
        assert len((await ask(library, ListRevisions(name="from_file"))).revisions) == 1
        assert await ask(library, SendScripts()) == Done()

    shelf.keeper_name = ""
    assert shelf.open(test).tools == ("from_file",)
    assert all(message.complete for message in shelf.published())


def test_files_are_served_while_the_keeper_is_away_and_the_others_follow(
    shelf: Shelf, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(library: Library) -> None:
        assert await names(library) == ["from_file"]
        with pytest.raises(
            ServiceUnavailable, match=r"'mine' is not among .* try again.*`loki doctor`"
        ):
            await source_of(library, "mine")
        with pytest.raises(ServiceUnavailable):
            await ask(library, SendScripts())  # So that it asks again.
        assert not any(message.complete for message in shelf.published())
        with pytest.raises(ServiceUnavailable, match="hel is not there"):
            await register(library, "other")
        await shelf.shell.pass_time()
        assert await names(library) == ["from_file"]

        shelf.keeper.away = False
        await shelf.shell.pass_time()
        assert await source_of(library, "mine") == "return 2"
        assert [(fact.name, fact.change) for fact in shelf.told()] == [("mine", ScriptChange.ADDED)]
        assert shelf.published()[-1].complete
        assert await ask(library, SendScripts()) == Done()

    shelf.open(registered)
    shelf.shell = type(shelf.shell)(shelf.keeper)
    shelf.keeper.away = True
    assert shelf.open(test).tools == ("from_file",)
    assert [record.message for record in caplog.records] == [
        "registered scripts are served later: hel is not there",
        "registered scripts were read again: 1",
    ]


def test_a_keeper_that_stays_away_is_asked_ever_more_rarely(shelf: Shelf) -> None:
    async def test(_library: Library) -> None:
        waits = [max(await shelf.shell.pass_time()) for _ in range(12)]
        assert waits == sorted(waits[:6]) + waits[6:]
        assert 0.2 <= waits[0] < 0.3
        assert all(5.0 <= wait <= 6.0 for wait in waits[6:])

    shelf.keeper.away = True
    shelf.open(test)


def test_a_slow_keeper_does_not_hold_up_the_files(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(library: Library) -> None:
        assert await names(library) == ["from_file"]
        assert shelf.shell.held is not None
        shelf.shell.held.set()
        await shelf.shell.settle()
        assert await names(library) == ["from_file", "mine"]

    shelf.open(registered)
    monkeypatch.setattr("loki.actors.library.library.PATIENCE_S", 0.01)
    shelf.shell.held = asyncio.Event()
    assert shelf.open(test).tools == ("from_file",)


def test_the_same_database_is_no_news(shelf: Shelf) -> None:
    async def test(library: Library) -> None:
        await registered(library)
        await shelf.shell.settle()
        told, published = len(shelf.told()), len(shelf.published())
        library.lost("hel", 2)
        await shelf.shell.settle()
        assert len(shelf.shell.sent(ReadScripts)) == 2
        assert (len(shelf.told()), len(shelf.published())) == (told, published)

    shelf.open(test)


def test_another_database_is_read_when_the_keeper_is_back(shelf: Shelf) -> None:
    async def test(library: Library) -> None:
        await registered(library)
        before = len(shelf.told())
        shelf.keeper.renew()
        library.lost("fenrir", 1)
        await shelf.shell.settle()
        assert await names(library) == ["from_file", "mine"]
        library.lost("hel", 2)
        await shelf.shell.settle()
        assert await names(library) == ["from_file"]
        (told,) = shelf.told()[before:]
        assert (told.name, told.change) == ("mine", ScriptChange.REMOVED)
        whole = shelf.published()[-1]
        assert whole.complete
        assert [script.name for script in whole.changed] == ["from_file"]

    shelf.open(test)


def test_what_was_read_is_served_while_the_keeper_is_away(shelf: Shelf) -> None:
    async def test(library: Library) -> None:
        await registered(library)
        shelf.keeper.away = True
        library.lost("hel", 2)
        await shelf.shell.settle()
        assert await source_of(library, "mine") == "return 2"
        for change in (registered, unregistered):
            with pytest.raises(ServiceUnavailable):
                await change(library)
        assert await names(library) == ["from_file", "mine"]
        shelf.keeper.away = False
        await unregistered(library)
        assert await names(library) == ["from_file"]

    async def unregistered(library: Library) -> None:
        await ask(library, UnregisterScript(name="mine", principal="ann"))

    shelf.open(test)


@pytest.mark.parametrize("error", [ServiceUnavailable("hel ended"), IoError("fsync failed")])
@pytest.mark.parametrize("lost", ["request", "answer"])
def test_a_change_whose_answer_got_lost_is_looked_up(
    shelf: Shelf, lost: str, error: LokiError
) -> None:
    """The keeper, or its disk, failed at it: before it was done, or after."""
    keep = shelf.shell.answers[KeepScript]

    def die(request: KeepScript) -> Done:
        shelf.shell.answers[KeepScript] = keep
        if lost == "answer":
            keep(request)
        raise error

    async def test(library: Library) -> None:
        shelf.shell.answers[KeepScript] = die
        with pytest.raises(type(error), match=error.message):
            await register(library, "mine")
        await shelf.shell.settle()
        assert await names(library) == ["from_file", *shelf.keeper.names()]
        assert shelf.keeper.names() == (["mine"] if lost == "answer" else [])
        assert [fact.name for fact in shelf.told()] == shelf.keeper.names()

    shelf.open(test)


def test_two_libraries_do_not_undo_each_other(shelf: Shelf) -> None:
    """An old one that has not heard of its end, and a new one."""

    async def old(library: Library) -> None:
        mine = (await register(library, "mine")).script.revision
        theirs = Script(name="mine", source="", chunk="", revision="r2", origin=Origin.REGISTERED)
        content = msgspec.msgpack.encode(theirs)
        stored = StoredScript(name="mine", revision="r2", content=content)
        shelf.shell.answers[KeepScript](
            KeepScript(script=stored, expected=mine, principal="new", time_ns=1)
        )
        with pytest.raises(LokiError, match="has revision r2 now") as conflict:
            await register(library, "mine", "return 4", expected_revision=mine)
        assert conflict.value.code is ErrorCode.REVISION_CONFLICT
        await shelf.shell.settle()
        found = await ask(library, GetScript(name="mine"))
        assert found.script.revision == "r2"

    shelf.open(old)


# Damage.


def damage(shelf: Shelf, name: str) -> None:
    shelf.keeper.connection.execute(
        "UPDATE script_revision SET content = x'c1' WHERE name = ?", (name,)
    )


def test_a_script_that_cannot_be_read_is_told_and_the_others_are_served(shelf: Shelf) -> None:
    async def first(library: Library) -> None:
        await register(library, "bad")
        await register(library, "good")

    async def test(library: Library) -> None:
        with pytest.raises(ScriptNotFound, match="register it again, or remove it"):
            await source_of(library, "bad")
        assert await source_of(library, "good") == "return 2"
        before = len(shelf.told())
        library.lost("hel", 1)
        await shelf.shell.settle()
        assert shelf.told()[before:] == []  # It is no news.
        await register(library, "bad", "return 5")
        assert await source_of(library, "bad") == "return 5"

    shelf.open(first)
    damage(shelf, "bad")
    report = shelf.open(test)
    assert report.tools == ("from_file", "good")
    (problem,) = report.problems
    assert "'bad'" in problem
    assert ConfigRejected(file="hel", problem=problem.removeprefix("hel: ")) in shelf.told()
    assert shelf.open(nothing).problems == ()


def test_a_script_that_cannot_be_read_can_be_removed(shelf: Shelf) -> None:
    async def test(library: Library) -> None:
        remove = UnregisterScript(name="mine", principal="ann", expected_revision="r9")
        with pytest.raises(LokiError) as conflict:
            await ask(library, remove)
        assert conflict.value.code is ErrorCode.REVISION_CONFLICT
        await ask(library, UnregisterScript(name="mine", principal="ann"))
        assert shelf.keeper.names() == []
        assert shelf.published()[-1].removed == ("mine",)

    shelf.open(registered)
    damage(shelf, "mine")
    shelf.open(test)
    assert len(shelf.shell.sent(DropScript)) == 1
