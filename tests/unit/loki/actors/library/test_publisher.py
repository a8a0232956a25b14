"""What the Gateway hears of scripts: after the Dispatcher, with numbers that are on the disk."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from loki.actors.library.library import Library
from loki.errors import IoError, PermissionRefused, ServiceUnavailable
from loki.messages.envelope import Done, Message
from loki.messages.event import EventHappened
from loki.messages.field_number import FieldNumber, KeepNumbers, ReadNumbers
from loki.messages.interface import PublishInterfaces, SendInterfaces
from loki.messages.library import PublishScripts, RegisterScript, UnregisterScript
from loki.messages.registry import KeepScript
from loki.messages.script import ValueType
from loki.messages.value import pack
from tests.unit.loki.actors.library.shelf import FILE, RUNNER, Shelf, ask, definition

TYPED = FILE + 'parameters = [{ name = "n", type = "integer" }, { name = "text", type = "string" }]'


@pytest.fixture
def shelf(tmp_path: Path) -> Any:
    made = Shelf(tmp_path)
    yield made
    made.shell.threads.shutdown()


async def register(library: Library, name: str, *parameters: str, **more: Any) -> Any:
    typed = [{"name": p, "type": "number"} for p in parameters]
    body = pack(definition(name) | {"parameters": typed})
    return await ask(library, RegisterScript(definition=body, principal="local", **more))


def numbers(news: PublishInterfaces) -> dict[str, tuple[int, ...]]:
    return {each.name: each.numbers for each in news.changed}


def test_a_gateway_that_asks_gets_all(shelf: Shelf) -> None:
    async def test(library: Library) -> None:
        await register(library, "mine", "a")
        assert shelf.shown() == []  # Nobody asked yet.
        assert await ask(library, SendInterfaces()) == Done()
        (whole,) = shelf.shown()
        assert whole.complete
        assert numbers(whole) == {"from_file": (1, 2), "mine": (1,)}

    shelf.tools.write_text(TYPED)
    shelf.open(test)


def test_a_script_is_callable_first_then_visible_then_told_and_acknowledged(shelf: Shelf) -> None:
    order: list[type[Message]] = []

    async def test(library: Library) -> None:
        await library._publishing
        await ask(library, SendInterfaces())
        before = len(shelf.shell._sent)
        await register(library, "mine", "a")
        order.extend(type(message) for _, message, _ in shelf.shell._sent[before:])

    shelf.open(test)
    assert order == [KeepScript, PublishScripts, KeepNumbers, PublishInterfaces, EventHappened]


def test_numbers_outlive_the_library_and_the_removal_of_their_script(shelf: Shelf) -> None:
    async def first(library: Library) -> None:
        await ask(library, SendInterfaces())
        await register(library, "mine", "a", "b")
        await ask(library, UnregisterScript(name="mine", principal="local"))

    async def second(library: Library) -> None:
        await ask(library, SendInterfaces())
        await register(library, "mine", "c", "b")

    shelf.open(first)
    assert shelf.shown()[-1].removed == ("mine",)
    shelf.open(second)
    assert numbers(shelf.shown()[-1]) == {"mine": (3, 2)}


def test_all_tools_get_their_numbers_in_one_transaction(shelf: Shelf) -> None:
    async def test(library: Library) -> None:
        await asyncio.gather(ask(library, SendInterfaces()), ask(library, SendInterfaces()))

    entry = '[[tools]]\nname = "t{0}"\nreturn_type = "void"\nscript = {{ inline = "return" }}\n'
    typed = 'parameters = [{ name = "n", type = "integer" }]\n'
    shelf.tools.write_text("".join(entry.format(n) + typed for n in range(50)))
    shelf.open(test)
    ((_, kept, _),) = shelf.shell.sent(KeepNumbers)
    assert len(kept.numbers) == 50


def test_numbers_are_given_before_anybody_asks(shelf: Shelf) -> None:
    async def test(_library: Library) -> None:
        ((_, kept, _),) = shelf.shell.sent(KeepNumbers)
        assert [each.parameter for each in kept.numbers] == ["n", "text"]

    shelf.tools.write_text(TYPED)
    shelf.open(test)


def test_a_gateway_that_is_away_costs_no_registration_anything(shelf: Shelf) -> None:
    def away(_news: PublishInterfaces) -> Done:
        raise ServiceUnavailable("gateway is not there")

    async def test(library: Library) -> None:
        await ask(library, SendInterfaces())
        shelf.shell.answers[PublishInterfaces] = away
        await register(library, "mine", "a")
        waited_s = [(await shelf.shell.pass_time())[-1] for _ in range(8)]
        assert waited_s[0] < waited_s[-1] <= 20
        shelf.shell.answers[PublishInterfaces] = lambda _: Done()
        await shelf.shell.pass_time()
        assert shelf.shown()[-1].complete
        assert numbers(shelf.shown()[-1]) == {"mine": (1,)}
        assert await shelf.shell.pass_time() == []  # Nothing is owed any more.

    shelf.open(test)


def test_a_lost_gateway_is_owed_nothing_it_asks(shelf: Shelf) -> None:
    def away(_news: PublishInterfaces) -> Done:
        raise ServiceUnavailable("gateway is not there")

    async def test(library: Library) -> None:
        await ask(library, SendInterfaces())
        shelf.shell.answers[PublishInterfaces] = away
        await register(library, "mine", "a")
        before = len(shelf.shown())
        library.lost("gateway", 7)
        await register(library, "other", "a")
        await shelf.shell.pass_time()
        assert len(shelf.shown()) == before

    shelf.open(test)


def test_what_has_no_number_waits_for_the_keeper(shelf: Shelf) -> None:
    async def test(library: Library) -> None:
        with pytest.raises(ServiceUnavailable):
            await ask(library, SendInterfaces())
        (first,) = shelf.shown()
        assert (first.changed, first.complete) == ((), False)  # What the Gateway knows stays.
        shelf.keeper.away = False
        for _ in range(3):
            await shelf.shell.pass_time()
        assert numbers(shelf.shown()[-1]) == {"from_file": (1, 2)}

    shelf.tools.write_text(TYPED)
    shelf.keeper.away = True
    shelf.open(test)


def test_numbers_that_cannot_be_kept_are_not_shown(shelf: Shelf) -> None:
    def full(_request: KeepNumbers) -> Done:
        raise IoError("disk is full")

    async def test(library: Library) -> None:
        await ask(library, SendInterfaces())
        good = shelf.shell.answers[KeepNumbers]
        shelf.shell.answers[KeepNumbers] = full
        await register(library, "mine", "a")
        assert "mine" not in {name for news in shelf.shown() for name in numbers(news)}
        shelf.shell.answers[KeepNumbers] = good
        await shelf.shell.pass_time()
        assert numbers(shelf.shown()[-1]) == {"mine": (1,)}

    shelf.open(test)


def test_a_restored_backup_renumbers_nothing_that_clients_know(shelf: Shelf) -> None:
    async def test(library: Library) -> None:
        await ask(library, SendInterfaces())
        await register(library, "mine", "a")
        shelf.keeper.renew()
        library.lost("hel", 7)
        await shelf.shell.settle()
        await shelf.shell.pass_time()
        await register(library, "mine", "b", "a")
        assert numbers(shelf.shown()[-1]) == {"mine": (2, 1)}

    shelf.open(test)
    read = shelf.shell.answers[ReadNumbers](ReadNumbers())
    assert [(each.parameter, each.number) for each in read.numbers] == [("a", 1), ("b", 2)]


def test_what_the_database_says_otherwise_wins_and_all_is_shown_anew(shelf: Shelf) -> None:
    async def test(library: Library) -> None:
        await ask(library, SendInterfaces())
        shelf.keeper.renew()
        shelf.shell.answers[KeepNumbers](KeepNumbers(numbers=other.numbers[::-1]))
        library.lost("hel", 7)
        await shelf.shell.settle()
        await shelf.shell.pass_time()
        assert numbers(shelf.shown()[-1]) == {"from_file": (2, 1)}

    shelf.tools.write_text(TYPED)
    shelf.open(lambda library: ask(library, SendInterfaces()))
    read = shelf.shell.answers[ReadNumbers](ReadNumbers()).numbers
    swapped = [(a, b.number) for a, b in zip(read, read[::-1], strict=True)]
    other = KeepNumbers(numbers=tuple(msgspec.structs.replace(a, number=n) for a, n in swapped))
    shelf.open(test)


def test_without_a_keeper_numbers_are_in_memory(shelf: Shelf) -> None:
    async def test(library: Library) -> None:
        await ask(library, SendInterfaces())
        assert numbers(shelf.shown()[-1]) == {"from_file": (1, 2)}

    shelf.keeper_name = ""
    shelf.tools.write_text(TYPED)
    shelf.open(test)
    assert shelf.shell.sent(KeepNumbers) == []


def test_two_libraries_do_not_give_one_number_twice(shelf: Shelf) -> None:
    """One that is about to die, and the one that takes its place."""

    async def test(library: Library) -> None:
        await ask(library, SendInterfaces())
        theirs = FieldNumber(service="Mine", parameter="b", type=ValueType.NUMBER, number=1)
        shelf.shell.answers[KeepNumbers](KeepNumbers(numbers=(theirs,)))
        await register(library, "mine", "a")
        await shelf.shell.pass_time()
        assert numbers(shelf.shown()[-1]) == {"mine": (2,)}

    shelf.open(test)


def test_the_gateway_is_told_though_the_dispatcher_is_away(shelf: Shelf) -> None:
    def away(_message: PublishScripts) -> Done:
        raise ServiceUnavailable("dispatcher is not there")

    async def test(library: Library) -> None:
        await ask(library, SendInterfaces())
        await library._publishing
        shelf.shell.answers[PublishScripts] = away
        await register(library, "mine", "a")
        assert numbers(shelf.shown()[-1]) == {"mine": (1,)}

    shelf.open(test)


def test_a_runner_may_not_ask(shelf: Shelf) -> None:
    async def test(library: Library) -> None:
        with pytest.raises(PermissionRefused):
            await ask(library, SendInterfaces(), RUNNER)

    shelf.open(test)
