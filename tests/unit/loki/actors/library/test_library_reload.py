"""Files that are read again while the Library serves: what is published and what is told."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from loki.actors.library.library import Library
from loki.errors import LokiError, ServiceUnavailable
from loki.messages.envelope import Done
from loki.messages.event import ConfigRejected, ScriptChange, ScriptChanged
from loki.messages.interface import SendInterfaces
from loki.messages.library import GetScript, PublishScripts, RegisterScript
from loki.messages.lifecycle import ChangeConfig
from loki.messages.registry import KeepScript
from loki.messages.script import Limits
from loki.messages.value import pack
from tests.unit.loki.actors.library.shelf import FILE, Shelf, ask, definition, register

OTHER = FILE.replace("from_file", "other")


@pytest.fixture
def shelf(tmp_path: Path) -> Any:
    made = Shelf(tmp_path)
    made.tools.write_text(FILE)
    yield made
    made.shell.threads.shutdown()


async def reread(library: Library, shelf: Shelf, text: str | None = None) -> list[Any]:
    """After an edit; what was told of it."""
    await library._publishing
    before = len(shelf.told())
    if text is not None:
        shelf.tools.write_text(text)
    library._files._burst = None
    await library._files._reload()
    await shelf.shell.settle()
    return shelf.told()[before:]


def changes(told: list[Any]) -> list[tuple[str, ScriptChange]]:
    return [(fact.name, fact.change) for fact in told if isinstance(fact, ScriptChanged)]


async def source(library: Library, name: str) -> str:
    found = await ask(library, GetScript(name=name))
    return str(found.script.source)


def test_s_2_4_1_an_edit_is_published_then_shown_then_told(shelf: Shelf) -> None:
    async def test(library: Library) -> None:
        await ask(library, SendInterfaces())
        told = await reread(library, shelf, FILE.replace("return 1", "return 9") + OTHER)
        assert changes(told) == [
            ("from_file", ScriptChange.CHANGED),
            ("other", ScriptChange.ADDED),
        ]
        (news,) = shelf.published()[-1:]
        assert [script.source for script in news.changed] == ["return 9", "return 1"]
        assert news.bytecode.keys() == {script.revision for script in news.changed}
        assert not news.complete
        assert [each.name for each in shelf.shown()[-1].changed] == ["from_file", "other"]
        told = await reread(library, shelf, OTHER)
        assert changes(told) == [("from_file", ScriptChange.REMOVED)]
        assert shelf.published()[-1].removed == ("from_file",)
        assert shelf.shown()[-1].removed == ("from_file",)

    shelf.open(test)


def test_an_edit_that_changes_nothing_is_not_told(shelf: Shelf) -> None:
    async def test(library: Library) -> None:
        before = len(shelf.published())
        assert await reread(library, shelf, "# a comment\n" + FILE) == []
        assert len(shelf.published()) == before + 1  # That of the start.

    shelf.open(test)


def test_s_2_4_1_a_bad_edit_keeps_what_was_good_and_is_told_once(shelf: Shelf) -> None:
    async def test(library: Library) -> None:
        bad = FILE.replace('"integer"', '"integr"') + OTHER
        told = await reread(library, shelf, bad)
        (rejected, added) = told
        assert isinstance(rejected, ConfigRejected)
        assert rejected.file == f"{shelf.tools}:4"
        assert rejected.problem.startswith(
            "tools[1] 'from_file': return_type = \"integr\": must be"
        )
        assert added.name == "other"
        assert await source(library, "from_file") == "return 1"
        assert await reread(library, shelf, bad + "# saved again\n") == []
        assert await reread(library, shelf, FILE + OTHER) == []
        assert await reread(library, shelf, bad) == [rejected]
        (unread,) = await reread(library, shelf, "[[tools")
        assert isinstance(unread, ConfigRejected)
        assert await source(library, "from_file") == "return 1"
        assert await source(library, "other") == "return 1"

    shelf.open(test)


def test_registered_scripts_are_hidden_and_come_back(shelf: Shelf) -> None:
    async def test(library: Library) -> None:
        await register(library, "other", "return 5")
        hides, changed = await reread(library, shelf, FILE + OTHER)
        assert "registered script 'other' is hidden" in hides.problem
        assert changes([changed]) == [("other", ScriptChange.CHANGED)]
        assert await source(library, "other") == "return 1"
        (back,) = await reread(library, shelf, FILE)
        assert changes([back]) == [("other", ScriptChange.CHANGED)]
        assert await source(library, "other") == "return 5"

    shelf.open(test)


def test_a_file_that_takes_a_name_while_it_is_registered_wins(shelf: Shelf) -> None:
    async def test(library: Library) -> None:
        await library._publishing
        shelf.shell.held = asyncio.Event()
        registering = asyncio.create_task(register(library, "other", "return 5"))
        while library._registry.changing.locked() is False:
            await asyncio.sleep(0)
        await reread(library, shelf, FILE + OTHER)
        shelf.shell.held.set()
        await registering
        assert await source(library, "other") == "return 1"
        assert "is hidden" in shelf.told()[-1].problem
        await reread(library, shelf, FILE)
        assert await source(library, "other") == "return 5"

    shelf.open(test)


def test_a_dispatcher_that_is_away_gets_it_later(shelf: Shelf) -> None:
    def away(_message: PublishScripts) -> Done:
        raise ServiceUnavailable("dispatcher is not there")

    async def test(library: Library) -> None:
        await library._publishing
        good = shelf.shell.answers[PublishScripts]
        shelf.shell.answers[PublishScripts] = away
        told = await reread(library, shelf, OTHER)
        assert len(changes(told)) == 2
        shelf.shell.answers[PublishScripts] = good
        for _ in range(3):
            await shelf.shell.pass_time()
        last = shelf.published()[-1]
        assert last.complete
        assert [script.name for script in last.changed] == ["other"]

    shelf.open(test)


def test_a_refused_registration_leaves_nothing_behind(shelf: Shelf) -> None:
    async def test(library: Library) -> None:
        before = set(library._publisher._bytecode)
        with pytest.raises(LokiError):
            await ask(
                library,
                RegisterScript(definition=pack(definition("from_file")), principal="local"),
            )
        await register(library, "mine", validate_only=True)
        assert set(library._publisher._bytecode) == before
        assert shelf.shell.sent(KeepScript) == []

    shelf.open(test)


def test_s_1_3_9_other_settings_read_the_files_again(shelf: Shelf) -> None:
    """What was good may be above its ceiling now; what says nothing has other defaults."""
    shelf.tools.write_text(FILE + OTHER + "limits = { max_memory_mb = 5 }")

    async def test(library: Library) -> None:
        config = msgspec.structs.replace(
            library._settings,
            default_limits=Limits(max_execution_time_ms=77),
            ceiling=Limits(max_memory_mb=3),
        )
        await library._publishing
        change = ChangeConfig(config=msgspec.Raw(msgspec.msgpack.encode(config)))
        changing = asyncio.ensure_future(ask(library, change))
        await asyncio.sleep(0)
        library._files._burst = None
        await library._files._reload()
        assert await changing == Done()
        found = await ask(library, GetScript(name="from_file"))
        assert found.script.limits.max_execution_time_ms == 77
        (rejected,) = [fact for fact in shelf.told() if isinstance(fact, ConfigRejected)]
        assert "max_memory_mb" in rejected.problem

    shelf.open(test)
