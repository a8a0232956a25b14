"""What an actor has under way beside its mailbox ends with it, and leaves nothing behind."""

import asyncio
import contextlib
import threading

import pytest

from loki.errors import LokiError
from tests.unit.loki.actors.door.house import LONG_S, Add, House, in_house, total


@in_house
async def test_work_that_was_cancelled_is_no_bug(house: House) -> None:
    client, _ = house.open("client")
    server, _ = house.open("server", total)
    task = asyncio.ensure_future(asyncio.Event().wait())
    server.mind(task)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await house.reply(client)
    assert house.crashes == []


@in_house
async def test_a_door_that_waits_leaves_no_thread_behind(house: House) -> None:
    """Else what is forked next would inherit the locks that it holds."""
    server, _ = house.open("server", total)
    begun, done = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        done.wait(0.05)
        done.set()

    server.worker("files").submit(work)
    assert begun.wait(30)
    house.doors.remove(server)
    server.close(wait=True)
    assert done.is_set()
    assert not [t for t in threading.enumerate() if t.name.startswith("server-files")]


@in_house
async def test_tasks_and_timers_end_with_the_door(house: House) -> None:
    """Its threads are gone: whatever went on would fail for that, as if it were a bug."""
    server, _ = house.open("server", total)
    worker, called = server.worker("files"), asyncio.Event()

    async def ask_then_work() -> None:
        with contextlib.suppress(LokiError):  # The door answers for whoever was asked.
            await server.ask("nobody", Add(left=1, right=2), timeout_s=LONG_S)
        await asyncio.get_running_loop().run_in_executor(worker, called.set)

    task = asyncio.ensure_future(ask_then_work())
    server.mind(task)
    await asyncio.sleep(0)
    server.later(0.0, called.set)
    house.close(server)
    with pytest.raises(asyncio.CancelledError):
        await task
    for _ in range(3):  # Turns, in which the timer is due.
        await asyncio.sleep(0)
    assert not called.is_set()
    assert house.crashes == []
