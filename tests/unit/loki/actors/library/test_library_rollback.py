"""An earlier revision becomes the current one again: who may, what is refused, what is told."""

from pathlib import Path
from typing import Any

import pytest

from loki.actors.library.library import Library
from loki.errors import ErrorCode, LokiError
from loki.messages.event import ScriptChange
from loki.messages.interface import SendInterfaces
from loki.messages.library import (
    GetScript,
    ListRevisions,
    RollbackScript,
    UnregisterScript,
)
from loki.messages.registry import KeepScript
from tests.unit.loki.actors.library.shelf import FILE, RUNNER, Shelf, ask, register
from tests.unit.loki.actors.library.test_registry import damage


@pytest.fixture
def shelf(tmp_path: Path) -> Any:
    made = Shelf(tmp_path)
    made.tools.write_text(FILE)
    yield made
    made.shell.threads.shutdown()


async def two(library: Library) -> tuple[str, str]:
    """Revisions of a script, of which the second one is the current one."""
    first = (await register(library, "mine", "return 1")).script.revision
    again = await register(library, "mine", "return 2", expected_revision=first)
    return first, again.script.revision


async def roll_back(library: Library, revision: str, name: str = "mine", **more: Any) -> Any:
    given = {"principal": "bob"} | more
    return await ask(library, RollbackScript(name=name, revision=revision, **given))


async def source(library: Library, name: str = "mine") -> str:
    return str((await ask(library, GetScript(name=name))).script.source)


def test_an_earlier_revision_is_served_published_told_and_kept(shelf: Shelf) -> None:
    revisions: list[str] = []

    async def test(library: Library) -> None:
        await ask(library, SendInterfaces())
        first, second = await two(library)
        revisions.append(first)
        found = await roll_back(library, first, expected_revision=second)
        assert (found.script.source, found.script.revision) == ("return 1", first)
        assert await source(library) == "return 1"
        (news,) = shelf.published()[-1].changed
        assert news.revision == first
        assert shelf.published()[-1].bytecode.keys() == {first}
        assert shelf.shown()[-1].changed[0].revision == first
        told = shelf.told()[-1]
        assert (told.name, told.revision, told.change) == ("mine", first, ScriptChange.CHANGED)
        newer, older = (await ask(library, ListRevisions(name="mine"))).revisions
        assert (newer.current, newer.current_by, newer.current_ns) == (False, "", 0)
        assert (older.principal, older.current, older.current_by) == ("local", True, "bob")
        assert older.current_ns >= newer.registered_ns >= older.registered_ns > 0

    async def later(library: Library) -> None:
        assert (await ask(library, GetScript(name="mine"))).script.revision == revisions[0]

    shelf.open(test)
    shelf.open(later)


def test_a_script_that_was_removed_comes_back(shelf: Shelf) -> None:
    async def test(library: Library) -> None:
        first, second = await two(library)
        await ask(library, UnregisterScript(name="mine", principal="local"))
        with pytest.raises(LokiError, match="is not registered any more"):
            await roll_back(library, first, expected_revision=second)
        await roll_back(library, first)
        assert await source(library) == "return 1"
        assert shelf.told()[-1].change is ScriptChange.ADDED

    shelf.open(test)


def test_the_current_revision_is_left_as_it_is(shelf: Shelf) -> None:
    async def test(library: Library) -> None:
        _, second = await two(library)
        kept, told = len(shelf.shell.sent(KeepScript)), len(shelf.told())
        assert (await roll_back(library, second)).script.source == "return 2"
        assert (len(shelf.shell.sent(KeepScript)), len(shelf.told())) == (kept, told)

    shelf.open(test)


@pytest.mark.parametrize(
    ("name", "revision", "expected", "code"),
    [
        ("mine", "0" * 16, "", ErrorCode.SCRIPT_NOT_FOUND),
        ("other", "first", "", ErrorCode.SCRIPT_NOT_FOUND),
        ("mine", "first", "first", ErrorCode.REVISION_CONFLICT),
        ("from_file", "first", "", ErrorCode.SCRIPT_EXISTS),
        ("Mine", "first", "", ErrorCode.SCRIPT_EXISTS),
    ],
)
def test_what_is_refused_changes_nothing(
    shelf: Shelf, name: str, revision: str, expected: str, code: ErrorCode
) -> None:
    async def test(library: Library) -> None:
        first, _ = await two(library)
        given = {"first": first}
        with pytest.raises(LokiError) as caught:
            await roll_back(
                library,
                given.get(revision, revision),
                name,
                expected_revision=given.get(expected, expected),
            )
        assert caught.value.code is code
        assert await source(library) == "return 2"

    shelf.open(test)


def test_a_script_that_cannot_be_read_is_mended_by_it(shelf: Shelf) -> None:
    first: list[str] = []

    async def begin(library: Library) -> None:
        first.append((await two(library))[0])

    async def test(library: Library) -> None:
        await roll_back(library, first[0])
        assert await source(library) == "return 1"

    shelf.open(begin)
    shelf.keeper.connection.execute(
        "UPDATE script_revision SET content = x'c1' WHERE revision != ?", (first[0],)
    )
    shelf.open(test)


@pytest.mark.parametrize(
    ("was", "is_", "said"),
    [
        (b"return 1", b"return (", "unexpected symbol"),
        (b"permissions\x80", b"permissions\x81\xa3gpo\x91\xa14", "permissions.gpo: no child has"),
    ],
)
def test_what_does_not_run_here_any_more_leaves_what_does(
    shelf: Shelf, was: bytes, is_: bytes, said: str
) -> None:
    """As after an update, or where a child was taken away."""

    async def test(library: Library) -> None:
        first, second = await two(library)
        database = shelf.keeper.connection
        where = "WHERE name = 'mine' AND revision = ?"
        ((held,),) = database.execute(f"SELECT content FROM script_revision {where}", (first,))
        assert was in held
        database.execute(
            f"UPDATE script_revision SET content = ? {where}", (held.replace(was, is_), first)
        )
        told = len(shelf.told())
        with pytest.raises(LokiError, match=said) as caught:
            await roll_back(library, first, expected_revision=second)
        assert caught.value.code is ErrorCode.SCRIPT_INVALID
        assert await source(library) == "return 2"
        assert len(shelf.told()) == told

    shelf.open(test)


def test_a_damaged_revision_is_refused(shelf: Shelf) -> None:
    async def test(library: Library) -> None:
        first, _ = await two(library)
        damage(shelf, "mine")
        with pytest.raises(LokiError, match="cannot be read"):
            await roll_back(library, first)

    shelf.open(test)


def test_a_runner_may_not_and_without_a_keeper_nobody_can(shelf: Shelf) -> None:
    async def test(library: Library) -> None:
        request = RollbackScript(name="mine", revision="r", principal="local")
        with pytest.raises(LokiError) as caught:
            await ask(library, request, RUNNER)
        assert caught.value.code is ErrorCode.ROLE
        with pytest.raises(LokiError) as caught:
            await ask(library, request)
        assert caught.value.code is ErrorCode.CHILD_DISABLED

    shelf.keeper_name = ""
    shelf.open(test)
