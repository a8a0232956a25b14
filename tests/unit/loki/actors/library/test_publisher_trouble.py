"""People are told why typed methods stay away; a registration that could get none is refused."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from loki.actors.library.library import Library
from loki.actors.library.numbering import Numbering
from loki.actors.library.shortfall import PATIENCE
from loki.core.library.field_number import LAST
from loki.errors import ErrorCode, LokiError, ResourceLimitExceeded, ServiceUnavailable
from loki.messages.envelope import Done
from loki.messages.field_number import FieldNumber, ForgetNumbers, KeepNumbers, ReadNumbers
from loki.messages.interface import PublishInterfaces, SendInterfaces
from loki.messages.library import RollbackScript, UnregisterScript
from loki.messages.registry import KeepScript
from loki.messages.script import ValueType
from tests.unit.loki.actors.library.shelf import Shelf, ask
from tests.unit.loki.actors.library.test_library_reload import reread
from tests.unit.loki.actors.library.test_publisher import TYPED, numbers, register


@pytest.fixture
def shelf(tmp_path: Path) -> Any:
    made = Shelf(tmp_path)
    yield made
    made.shell.threads.shutdown()


def had(shelf: Shelf, service: str, last: int) -> None:
    """The service gave this number to a parameter of long ago."""
    old = FieldNumber(service=service, parameter="old", type=ValueType.NUMBER, number=last)
    assert shelf.shell.answers[KeepNumbers](KeepNumbers(numbers=(old,))) == Done()


def away(_request: Any) -> Done:
    raise ServiceUnavailable("it is not there")


def unreadable(_request: ReadNumbers) -> Done:
    raise LokiError("the message is too long", code=ErrorCode.BUG)


@pytest.mark.parametrize("what", [PublishInterfaces, ReadNumbers])
def test_what_stays_owed_is_told_until_it_is_paid(
    shelf: Shelf, caplog: pytest.LogCaptureFixture, what: Any
) -> None:
    async def test(library: Library) -> None:
        await ask(library, SendInterfaces())
        good = shelf.shell.answers[what]
        shelf.shell.answers[what] = away
        library.lost("hel", 7)
        await shelf.shell.settle()
        for _ in range(PATIENCE - 1):
            assert library.trouble == ""
            await shelf.shell.pass_time()
        for _ in range(3):
            await shelf.shell.pass_time()
            assert "it is not there" in library.trouble
        assert warnings(caplog) == 1
        shelf.shell.answers[what] = good
        await shelf.shell.pass_time()
        assert library.trouble == ""
        assert warnings(caplog) == 2  # Now it is over.

    shelf.tools.write_text(TYPED)
    shelf.open(test)


def test_a_gateway_that_asks_in_the_meantime_ends_the_trouble(shelf: Shelf) -> None:
    async def test(library: Library) -> None:
        await ask(library, SendInterfaces())
        shelf.shell.answers[PublishInterfaces] = away
        await register(library, "mine", "a")
        for _ in range(PATIENCE):
            await shelf.shell.pass_time()
        assert library.trouble
        library.lost("gateway", 7)
        with pytest.raises(ServiceUnavailable):
            await ask(library, SendInterfaces())
        shelf.shell.answers[PublishInterfaces] = lambda _: Done()
        await ask(library, SendInterfaces())
        assert library.trouble == ""
        assert numbers(shelf.shown()[-1]) == {"mine": (1,)}

    shelf.open(test)


def warnings(caplog: pytest.LogCaptureFixture) -> int:
    return sum("typed methods" in each.message for each in caplog.records)


@pytest.mark.parametrize("validate_only", [True, False])
def test_a_registration_without_room_is_refused_before_anything_is_kept(
    shelf: Shelf, validate_only: bool
) -> None:
    async def test(library: Library) -> None:
        await ask(library, SendInterfaces())
        first = (await register(library, "mine", "a")).script.revision
        before = len(shelf.shell._sent)
        more: Any = {"expected_revision": first, "validate_only": validate_only}
        with pytest.raises(ResourceLimitExceeded, match=r"script 'mine': .* parameter 'b'"):
            await register(library, "mine", "a", "b", **more)
        assert shelf.shell._sent[before:] == []
        await register(library, "mine", "old", **more)  # What it had is free.
        assert (library.trouble, len(shelf.shell.sent(KeepScript))) == ("", 2 - validate_only)

    had(shelf, "Mine", LAST - 1)
    shelf.open(test)


def test_a_registration_is_not_kept_while_nobody_knows_the_numbers(shelf: Shelf) -> None:
    async def test(library: Library) -> None:
        shelf.shell.answers[ReadNumbers] = unreadable
        library.lost("hel", 7)
        await shelf.shell.settle()
        with pytest.raises(LokiError, match="too long"):
            await register(library, "mine", "a")
        assert shelf.keeper.names() == []

    shelf.open(test)


def test_a_rollback_without_room_is_refused(shelf: Shelf) -> None:
    async def test(library: Library) -> None:
        first = (await register(library, "mine", "a")).script.revision  # It has no number yet.
        await ask(library, UnregisterScript(name="mine", principal="local"))
        await ask(library, SendInterfaces())
        again = RollbackScript(name="mine", revision=first, principal="local")
        had(shelf, "Mine", LAST)
        library.lost("hel", 7)
        await shelf.shell.settle()
        with pytest.raises(ResourceLimitExceeded, match="'a'"):
            await ask(library, again)
        assert shelf.keeper.names() == []

    shelf.open(test)


def test_a_files_script_without_room_is_served_untyped_and_told(shelf: Shelf) -> None:
    async def test(library: Library) -> None:
        await library._publishing
        assert "from_file" in {s.name for news in shelf.published() for s in news.changed}
        await ask(library, SendInterfaces())
        await register(library, "mine", "a")
        whole, news = shelf.shown()
        assert (numbers(whole), whole.complete, whole.others) == ({}, True, ())
        assert numbers(news) == {"mine": (1,)}
        assert (
            "script 'from_file': no field number is left for the parameter 'text'"
            in library.trouble
        )
        await reread(library, shelf, TYPED.replace('"n"', '"old"').replace("integer", "number"))
        assert library.trouble == ""
        assert numbers(shelf.shown()[-1]) == {"from_file": (LAST - 1, LAST)}
        await reread(library, shelf, TYPED)
        assert shelf.shown()[-1].removed == ("from_file",), "its old method is no more"
        assert library.trouble

    had(shelf, "FromFile", LAST - 1)
    shelf.tools.write_text(TYPED)
    shelf.open(test)


def test_removed_scripts_make_room_and_others_keep_their_numbers(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = partial(Numbering, most=6)
    monkeypatch.setattr("loki.actors.library.library.Numbering", small)

    async def test(library: Library) -> None:
        await ask(library, SendInterfaces())
        await register(library, "stays", "a")
        for name in ("one", "two", "three", "four"):
            await register(library, name, "a", "b")
            await ask(library, UnregisterScript(name=name, principal="local"))
        (_, forgotten, _), *_ = shelf.shell.sent(ForgetNumbers)
        assert forgotten.services[0] == "One"
        kept = {each.service for each in shelf.shell.answers[ReadNumbers](ReadNumbers()).numbers}
        assert kept == {"FromFile", "Stays", "Four"}
        with pytest.raises(ResourceLimitExceeded, match="6 at most"):
            await register(library, "huge", "a", "b", "c", "d")
        assert "huge" not in shelf.keeper.names()

    shelf.tools.write_text(TYPED)
    shelf.open(test)
