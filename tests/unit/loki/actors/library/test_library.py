"""The Library: what it says when it is ready, what it keeps, what the Dispatcher hears of it."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from loki.actors.library.library import Library
from loki.core.runner.script_table import ScriptTable
from loki.errors import ErrorCode, IoError, LokiError, PermissionRefused, ServiceUnavailable
from loki.messages.envelope import Done, Message
from loki.messages.event import ConfigRejected, ScriptChange, ScriptChanged
from loki.messages.library import (
    GetScript,
    LibraryReport,
    ListRevisions,
    ListScripts,
    PublishScripts,
    ReadHeader,
    RegisterScript,
    SendScripts,
    UnregisterScript,
)
from loki.messages.registry import DropScript, KeepScript, ReadScripts
from loki.messages.script import Origin, Script, ValueType
from loki.messages.value import pack
from tests.unit.loki.actors.library.shelf import (
    FILE,
    RUNNER,
    Shelf,
    ask,
    definition,
    nothing,
    register,
)


@pytest.fixture
def shelf(tmp_path: Path) -> Any:
    made = Shelf(tmp_path)
    yield made
    made.shell.threads.shutdown()


def test_without_a_tool_file_there_is_nothing_to_say(shelf: Shelf) -> None:
    assert shelf.open(nothing) == LibraryReport(tools=(), problems=())


def test_s_2_2_1_the_good_entries_are_served_and_the_bad_ones_told(shelf: Shelf) -> None:
    shelf.tools.write_text(FILE + '\n[[tools]]\nname = "9lives"\n')
    report = shelf.open(nothing)
    assert report.tools == ("from_file",)
    assert any("9lives" in problem for problem in report.problems)
    told = shelf.told()
    assert all(isinstance(fact, ConfigRejected) for fact in told)
    assert [f"{fact.file}: {fact.problem}" for fact in told] == list(report.problems)


def test_s_r_7_a_script_with_a_header_in_the_scripts_folder_is_a_tool(shelf: Shelf) -> None:
    async def asked(library: Library) -> None:
        found = await ask(library, GetScript(name="dropped"))
        assert found.script.chunk == "dropped.lua"

    shelf.tools.write_text(FILE)
    (shelf.folder / "dropped.lua").write_text("--- loki: return_type = 'integer'\nreturn 3")
    (shelf.folder / "module.lua").write_text("return {}")
    (shelf.folder / "bad.lua").write_text("--- loki: return_type = 'int'\nreturn 3")
    (shelf.folder / "from_file.lua").write_text("--- loki: return_type = 'void'\nreturn")
    (shelf.state / "mine.lua").write_text("--- loki: return_type = 'void'\nreturn")
    report = shelf.open(asked)
    assert report.tools == ("dropped", "from_file")
    bad, twice = report.problems
    assert bad.startswith(f"{shelf.folder}/bad.lua:1: header 'bad': return_type = \"int\": must")
    assert twice.startswith(f"{shelf.folder}/from_file.lua:1: header 'from_file': name = ")
    assert "given twice" in twice


def test_s_3_1_5_a_registration_outlives_the_library(shelf: Shelf) -> None:
    async def first(library: Library) -> None:
        await register(library, "mine")

    async def second(library: Library) -> None:
        found = await ask(library, GetScript(name="mine"))
        assert found.script.source == "return 2"
        listed = await ask(library, ListScripts())
        assert [script.name for script in listed.scripts] == ["from_file", "mine"]

    shelf.tools.write_text(FILE)
    assert shelf.open(first).tools == ("from_file",)
    assert shelf.open(second).tools == ("from_file", "mine")


def test_a_registered_script_that_a_tool_file_hides_is_told(shelf: Shelf) -> None:
    async def first(library: Library) -> None:
        await register(library, "from_file")

    async def second(library: Library) -> None:
        assert (await ask(library, GetScript(name="from_file"))).script.source == "return 1"

    shelf.open(first)
    shelf.tools.write_text(FILE)
    report = shelf.open(second)
    (told,) = shelf.told()[-1:]
    assert told.file == str(shelf.tools)
    assert told.problem == (
        "the registered script 'from_file' is hidden by that of this file; rename one of the two"
    )
    assert report.problems == (f"{told.file}: {told.problem}",)


def test_s_3_1_5_validate_only_changes_nothing(shelf: Shelf) -> None:
    async def test(library: Library) -> None:
        await library._publishing
        before = len(shelf.published())
        await register(library, "mine", validate_only=True)
        with pytest.raises(LokiError) as caught:
            await ask(library, GetScript(name="mine"))
        assert caught.value.code is ErrorCode.SCRIPT_NOT_FOUND
        assert len(shelf.published()) == before

    shelf.open(test)
    assert shelf.keeper.names() == []


def test_s_3_1_6_every_change_is_published_to_the_dispatcher(shelf: Shelf) -> None:
    async def test(library: Library) -> None:
        await shelf.shell.settle()
        old = (await register(library, "mine")).script
        new = (await register(library, "mine", "return 3", expected_revision=old.revision)).script
        assert new.revision != old.revision
        await ask(library, UnregisterScript(name="mine", principal="local"))
        await ask(library, SendScripts())
        *_, added, changed, removed, everything = shelf.published()
        assert [s.revision for s in added.changed] == [old.revision]
        assert [s.revision for s in changed.changed] == [new.revision]
        assert removed.removed == ("mine",)
        assert everything.complete
        assert [s.name for s in everything.changed] == ["from_file"]

    shelf.tools.write_text(FILE)
    shelf.open(test)


def test_every_change_of_scripts_is_an_event(shelf: Shelf) -> None:
    async def test(library: Library) -> None:
        old = (await register(library, "mine")).script
        await register(library, "other", validate_only=True)
        new = (await register(library, "mine", "return 3", expected_revision=old.revision)).script
        await ask(library, UnregisterScript(name="mine", principal="local"))
        revisions = [old.revision, new.revision, new.revision]
        told = shelf.told()
        assert [fact.revision for fact in told] == revisions
        assert [fact.change for fact in told] == list(ScriptChange)
        assert {(type(fact), fact.name) for fact in told} == {(ScriptChanged, "mine")}

    shelf.open(test)


def test_a_change_that_is_kept_is_done_though_the_dispatcher_is_away(shelf: Shelf) -> None:
    def away(_message: PublishScripts) -> Done:
        assert shelf.told() == []  # Who hears of a script may call it at once.
        raise ServiceUnavailable("dispatcher is not there")

    async def test(library: Library) -> None:
        await library._publishing
        hears = shelf.shell.answers[PublishScripts]
        shelf.shell.answers[PublishScripts] = away
        await register(library, "mine")
        assert [fact.name for fact in shelf.told()] == ["mine"]
        shelf.shell.answers[PublishScripts] = hears
        await shelf.shell.settle()
        await shelf.shell.pass_time()
        last = shelf.published()[-1]
        assert [script.name for script in last.changed] == ["mine"]

    shelf.open(test)


class Gone:
    """A keeper that ends when it is asked for a change, before or after the change is kept."""

    def __init__(self, shelf: Shelf, kind: type[Message], *, done: bool) -> None:
        keep = shelf.shell.answers[kind]

        def end(request: Any) -> Message:
            if done:
                keep(request)
            shelf.shell.answers[kind] = keep
            raise LokiError("hel ended", code=ErrorCode.OUTCOME_UNKNOWN)

        shelf.shell.answers[kind] = end


@pytest.mark.parametrize("kind", [KeepScript, DropScript])
def test_a_change_whose_answer_was_lost_is_looked_up(shelf: Shelf, kind: type[Message]) -> None:
    async def test(library: Library) -> None:
        await register(library, "old")
        removal = UnregisterScript(name="old", principal="p")
        for done in (False, True):
            Gone(shelf, kind, done=done)
            change = register(library, "new") if kind is KeepScript else ask(library, removal)
            if done:
                await change
                continue
            with pytest.raises(ServiceUnavailable, match="has changed nothing"):
                await change
        await shelf.shell.settle()
        name, what = ("new", ScriptChange.ADDED), ("old", ScriptChange.REMOVED)
        told = [(fact.name, fact.change) for fact in shelf.told()]
        assert told[1:] == [name if kind is KeepScript else what], "told once"
        assert shelf.keeper.names() == (["new", "old"] if kind is KeepScript else [])

    shelf.open(test)


def test_what_nobody_can_look_up_is_told_as_unknown(shelf: Shelf) -> None:
    async def test(library: Library) -> None:
        Gone(shelf, KeepScript, done=True)

        def lost(_request: ReadScripts) -> Message:
            raise ServiceUnavailable("hel is not there")

        read = shelf.shell.answers[ReadScripts]
        shelf.shell.answers[ReadScripts] = lost
        with pytest.raises(LokiError, match="hel ended") as raised:
            await register(library, "mine")
        assert raised.value.code is ErrorCode.OUTCOME_UNKNOWN
        shelf.shell.answers[ReadScripts] = read
        await shelf.shell.pass_time()
        assert (await ask(library, GetScript(name="mine"))).script.name == "mine"

    shelf.open(test)


def test_s_3_1_5_registrations_at_the_same_time_do_not_undo_each_other(shelf: Shelf) -> None:
    async def test(library: Library) -> None:
        await asyncio.gather(*(register(library, f"t{n}") for n in range(8)))
        refused = await asyncio.gather(
            *(register(library, "same") for _ in range(3)), return_exceptions=True
        )
        assert sum(isinstance(answer, LokiError) for answer in refused) == 2

    shelf.open(test)
    assert len(shelf.open(nothing).tools) == 9


def test_a_registration_that_cannot_be_stored_is_not_served(shelf: Shelf) -> None:
    def full(_request: KeepScript) -> Done:
        raise IoError("the store could not do this, and changed nothing: disk is full")

    async def test(library: Library) -> None:
        shelf.shell.answers[KeepScript] = full
        with pytest.raises(IoError, match="changed nothing"):
            await register(library, "mine")
        assert (await ask(library, ListScripts())).scripts == ()

    shelf.open(test)
    assert shelf.told() == []


@pytest.mark.parametrize(
    "request_",
    [
        RegisterScript(definition=pack(definition("mine")), principal="local"),
        UnregisterScript(name="from_file", principal="local"),
        SendScripts(),
        GetScript(name="from_file", revision="of old"),
        ListRevisions(name="from_file"),
    ],
    ids=lambda request: type(request).__name__,
)
def test_a_runner_may_not_change_the_library_nor_read_its_past(
    shelf: Shelf, request_: Message
) -> None:
    async def test(library: Library) -> None:
        with pytest.raises(PermissionRefused):
            await ask(library, request_, RUNNER)

    shelf.tools.write_text(FILE)
    shelf.open(test)


def test_a_definition_that_is_no_table_is_refused(shelf: Shelf) -> None:
    async def test(library: Library) -> None:
        with pytest.raises(LokiError) as caught:
            await ask(library, RegisterScript(definition=pack("mine"), principal="local"))
        assert caught.value.code is ErrorCode.SCRIPT_INVALID

    shelf.open(test)


def test_s_11_1_1_what_is_published_is_compiled(shelf: Shelf) -> None:
    shelf.tools.write_text(FILE)

    async def test(library: Library) -> None:
        await register(library, "fresh")

    shelf.open(test)
    for message in shelf.published():
        assert message.bytecode.keys() == {script.revision for script in message.changed}
        assert all(code.startswith(b"\x1bLua") for code in message.bytecode.values())


def test_s_11_1_1_the_registered_are_compiled_again_by_each_library(shelf: Shelf) -> None:
    async def first(library: Library) -> None:
        await register(library, "kept")

    async def second(library: Library) -> None:
        await ask(library, SendScripts())

    shelf.open(first)
    before = len(shelf.published())
    shelf.open(second)
    for message in shelf.published()[before:]:
        assert len(message.bytecode) == len(message.changed) == 1


def test_it_reads_headers_for_the_gateway_only(shelf: Shelf) -> None:
    source = "--- loki: return_type = 'void'\nreturn ="  # Whoever runs it tells what is wrong.
    sent = Script(name="adhoc", source=source, chunk="a.lua", origin=Origin.ADHOC)

    async def test(library: Library) -> None:
        read = await ask(library, ReadHeader(script=sent))
        assert read.script.return_type is ValueType.VOID
        with pytest.raises(PermissionRefused):
            await ask(library, ReadHeader(script=sent), RUNNER)

    shelf.open(test)


def test_a_whole_library_does_not_undo_a_change_that_comes_meanwhile(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = ScriptTable((), cache_size=10)

    def hear(message: PublishScripts) -> Done:
        heard.published(message)
        return Done()

    async def test(library: Library) -> None:
        shelf.shell.answers[PublishScripts] = hear
        await register(library, "t0")
        await asyncio.gather(
            ask(library, SendScripts()), register(library, "t1"), ask(library, SendScripts())
        )
        assert sorted(heard.scripts) == ["from_file", "t0", "t1"]

    shelf.tools.write_text(FILE)
    monkeypatch.setattr("loki.actors.library.publisher.PART_BYTES", 1)  # Each script is a part.
    shelf.open(test)


def test_whoever_asks_for_all_at_once_gets_it_once(shelf: Shelf) -> None:
    async def test(library: Library) -> None:
        await shelf.shell.settle()
        before = len(shelf.published())
        await asyncio.gather(*(ask(library, SendScripts()) for _ in range(5)))
        assert len(shelf.published()) == before + 1
        await ask(library, SendScripts())
        assert len(shelf.published()) == before + 2

    shelf.open(test)


def test_others_are_answered_while_many_scripts_are_compiled(shelf: Shelf) -> None:
    """A heartbeat that waits for all of them would be one of a hung library."""

    async def first(library: Library) -> None:
        for number in range(20):
            await register(library, f"t{number}")

    async def second(library: Library) -> None:
        answered = 0
        while not library._publishing.done():
            await asyncio.sleep(0)
            answered += 1
        assert answered > 20

    shelf.open(first)
    shelf.open(second)
