"""Traffic in the actor system as it is in production: real processes, killed in the middle."""

import asyncio
import os
import signal
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from lane_actor import (
    AskFor,
    Counted,
    CountThespian,
    Echo,
    Flood,
    Seen,
    Spawn,
)
from lane_system import ANSWER_S, USUAL, Running, live, soon

from loki.errors import ErrorCode
from loki.messages.envelope import Failure, Message

# Traffic.


def test_every_actor_is_reached_and_says_who_it_saw(tmp_path: Path) -> None:
    async def test(running: Running) -> None:
        for name in USUAL:
            reply = await running.door.ask(name, Echo(text=name), timeout_s=ANSWER_S)
            assert reply.text == name
            assert reply.pid == await running.pid(name)
            assert (reply.peer, reply.peer_pid) == ("starter", os.getpid())
        big = "x" * (8 * 1024 * 1024)
        for name in ("echo", "async"):
            assert (await running.door.ask(name, Echo(text=big), timeout_s=ANSWER_S)).text == big

    live(tmp_path, test)


def test_siblings_are_kin_and_a_childs_child_is_not(tmp_path: Path) -> None:
    async def test(running: Running) -> None:
        sibling = await running.door.ask("keeper", AskFor(peer="echo"), timeout_s=ANSWER_S)
        assert (sibling.peer, sibling.kin) == ("keeper", True)
        ready = await running.door.ask("keeper", Spawn(name="runner-1"), timeout_s=ANSWER_S)
        assert not ready.kin  # A parent does not obey its children.
        for name in ("echo", "async"):
            nephew = await running.door.ask("runner-1", AskFor(peer=name), timeout_s=ANSWER_S)
            assert (nephew.peer, nephew.peer_pid, nephew.kin) == ("runner-1", ready.peer_pid, False)
        child = await running.door.ask("runner-1", AskFor(peer="keeper"), timeout_s=ANSWER_S)
        assert not child.kin
        parent = await running.door.ask("keeper", AskFor(peer="runner-1"), timeout_s=ANSWER_S)
        assert parent.kin

    live(tmp_path, test)


@pytest.mark.parametrize("victim", ["echo", "async"])
def test_a_peer_killed_in_the_middle_of_traffic(tmp_path: Path, victim: str) -> None:
    """Every request is answered once; traffic goes on after the restart; others feel nothing."""

    async def test(running: Running) -> None:
        replies: dict[int, list[Message]] = {}
        sent = 0
        last_good = 0.0

        def ask() -> None:
            nonlocal sent
            sent += 1
            mine: list[Message] = []
            replies[sent] = mine
            running.door.request(
                victim, Echo(text=str(sent)), lambda reply: mine.append(reply), timeout_s=ANSWER_S
            )

        async def traffic(until: Callable[[], bool]) -> None:
            nonlocal last_good
            while not until():
                while sum(not got for got in replies.values()) < 32:
                    ask()
                await asyncio.sleep(0)

        def good_after(pid: int) -> int:
            return sum(
                isinstance(r, Seen) and r.pid != pid for got in replies.values() for r in got
            )

        first = await running.pid(victim)
        for _ in range(5):
            before = sent
            await traffic(lambda before=before: sent > before + 200)
            os.kill(first, signal.SIGKILL)
            await traffic(lambda first=first: good_after(first) > 50)
            for number in list(replies):
                if replies[number]:
                    assert len(replies.pop(number)) == 1
            first = await running.pid(victim)
            other = "async" if victim == "echo" else "echo"
            await running.door.ask(other, Echo(), timeout_s=ANSWER_S)
        await traffic(lambda: all(replies.values()) or sum(map(bool, replies.values())) > 100)

        async def answered() -> bool:
            return all(replies.values())

        await soon(answered)
        assert all(len(got) == 1 for got in replies.values())
        for (reply,) in replies.values():
            good = isinstance(reply, Seen)
            assert good or (isinstance(reply, Failure) and reply.code is ErrorCode.CHILD_DOWN)
        child = (await running.children())[victim]
        assert child.restarts == 5
        assert child.last_error == "killed"

    live(tmp_path, test)


def test_lanes_and_thespian_do_not_starve_each_other(tmp_path: Path) -> None:
    async def test(running: Running) -> None:
        door = running.door
        await door.ask("keeper", Spawn(name="runner-1"), timeout_s=ANSWER_S)

        async def counted(name: str) -> int:
            reply: Counted = await door.ask(name, CountThespian(), timeout_s=ANSWER_S)
            return reply.messages

        # Thespian floods both; their lanes answer.
        await door.ask("keeper", Flood(in_flight=20), timeout_s=ANSWER_S)

        async def flooding() -> bool:
            return min(await counted("keeper"), await counted("runner-1")) > 50

        await soon(flooding)
        for name in ("keeper", "runner-1"):
            counts = [await counted(name) for _ in range(101)]
            passed = sorted(after - before for before, after in pairwise(counts))

            assert passed[50] < 1000

        # Lanes flood both; Thespian's messages go on.
        before = {name: await counted(name) for name in ("keeper", "runner-1")}
        over = False

        async def flood(name: str) -> None:
            while not over:
                await door.ask(name, Echo(text="x" * 1000), timeout_s=ANSWER_S)

        floods = [
            asyncio.ensure_future(flood(n)) for n in ("keeper", "runner-1") for _ in range(32)
        ]

        async def thespian_goes_on() -> bool:
            return all([await counted(n) > before[n] + 100 for n in before])

        await soon(thespian_goes_on)
        spawned = await door.ask("keeper", Spawn(name="runner-2"), timeout_s=ANSWER_S)
        assert spawned.peer == "runner-2"
        over = True
        await asyncio.gather(*floods)

    live(tmp_path, test)
