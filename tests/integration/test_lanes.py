"""The actor system as it is in production: real processes, killed in the middle of things."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from lane_actor import (
    AskFor,
    Counted,
    CountThespian,
    Echo,
    Flood,
    Hang,
    ListExits,
    Seen,
    Spawn,
)

from loki.actors.door import Door
from loki.actors.lifeline import process_start
from loki.actors.system import Instance, System
from loki.core import supervision
from loki.errors import ConfigurationError, ErrorCode, LokiError, ServiceUnavailable
from loki.messages.envelope import Failure, Message
from loki.messages.lifecycle import ChildState, ChildStatus, DescribeChildren, Stop
from loki.messages.tree import ActorPlan, RootConfig

HERE = Path(__file__).parent
GONE_WITHIN_S = 2.0

Roles = dict[str, str]
USUAL: Roles = {"echo": "Server", "async": "AsyncServer", "keeper": "Keeper"}


def state_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def is_alive(pid: int) -> bool:
    return state_of(pid) not in ("", "Z", "X")


def wait_until(true: Callable[[], bool], within_s: float) -> bool:
    """Whether it became true in time; other processes tell us nothing, so it is looked at."""
    end = time.monotonic() + within_s
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(0.002)
    return True


async def soon(true: Callable[[], Coroutine[Any, Any, bool]], within_s: float = 10.0) -> None:
    end = time.monotonic() + within_s
    while not await true():
        assert time.monotonic() < end, "it never happened"
        await asyncio.sleep(0.002)


class Running:
    """A system in this process, seen from its starter."""

    def __init__(self, system: System, instance: Instance) -> None:
        self.system = system
        self.instance = instance
        assert system._door is not None
        self.door: Door = system._door

    async def children(self) -> dict[str, ChildStatus]:
        listed = await self.door.ask("loki", DescribeChildren(), timeout_s=5)
        return {child.name: child for child in listed.children}

    async def pid(self, name: str) -> int:
        return (await self.children())[name].pid

    async def answers(self, name: str) -> bool:
        with contextlib.suppress(LokiError):
            await self.door.ask(name, Echo(), timeout_s=2)
            return True
        return False


def live(
    state_dir: Path,
    test: Callable[[Running], Coroutine[Any, Any, None]],
    roles: Roles | None = None,
) -> None:
    """Boot, test, stop; then nothing of it is left."""
    instance = Instance(state_dir)
    run_dir = str(instance.run_dir)
    config = msgspec.Raw(msgspec.msgpack.encode(run_dir))
    actors = tuple(
        ActorPlan(name=name, role=f"lane_actor:{role}", config=config)
        for name, role in (USUAL if roles is None else roles).items()
    )
    system = System(instance, RootConfig(actors=actors, run_dir=run_dir))
    system.boot()

    async def main() -> None:
        system.connect()
        try:
            await system.up()
            await test(Running(system, instance))
        finally:
            seen.extend(instance.ledger.pids)
            await system.stop(2.0)

    seen: list[int] = []
    descriptors = set(os.listdir("/proc/self/fd"))
    asyncio.run(main())
    assert wait_until(lambda: not any(map(is_alive, seen)), GONE_WITHIN_S)
    assert not instance.run_dir.exists()
    assert len(os.listdir("/proc/self/fd")) <= len(descriptors)


# Traffic.


def test_every_actor_is_reached_and_says_who_it_saw(tmp_path: Path) -> None:
    async def test(running: Running) -> None:
        for name in USUAL:
            reply = await running.door.ask(name, Echo(text=name), timeout_s=5)
            assert reply.text == name
            assert reply.pid == await running.pid(name)
            assert (reply.peer, reply.peer_pid) == ("starter", os.getpid())
        big = "x" * (8 * 1024 * 1024)
        for name in ("echo", "async"):
            assert (await running.door.ask(name, Echo(text=big), timeout_s=20)).text == big

    live(tmp_path, test)


def test_siblings_are_kin_and_a_childs_child_is_not(tmp_path: Path) -> None:
    async def test(running: Running) -> None:
        sibling = await running.door.ask("keeper", AskFor(peer="echo"), timeout_s=5)
        assert (sibling.peer, sibling.kin) == ("keeper", True)
        ready = await running.door.ask("keeper", Spawn(name="runner-1"), timeout_s=5)
        assert not ready.kin  # A parent does not obey its children.
        for name in ("echo", "async"):
            nephew = await running.door.ask("runner-1", AskFor(peer=name), timeout_s=5)
            assert (nephew.peer, nephew.peer_pid, nephew.kin) == ("runner-1", ready.peer_pid, False)
        child = await running.door.ask("runner-1", AskFor(peer="keeper"), timeout_s=5)
        assert not child.kin
        parent = await running.door.ask("keeper", AskFor(peer="runner-1"), timeout_s=5)
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
                victim, Echo(text=str(sent)), lambda reply: mine.append(reply), timeout_s=5
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
            await running.door.ask(other, Echo(), timeout_s=5)
        await traffic(lambda: all(replies.values()) or sum(map(bool, replies.values())) > 100)
        for _ in range(1000):
            if all(replies.values()):
                break
            await running.door.ask(victim, Echo(), timeout_s=5)
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
        await door.ask("keeper", Spawn(name="runner-1"), timeout_s=5)

        async def counted(name: str) -> int:
            reply: Counted = await door.ask(name, CountThespian(), timeout_s=5)
            return reply.messages

        # Thespian floods both; their lanes answer.
        await door.ask("keeper", Flood(in_flight=20), timeout_s=5)

        async def flooding() -> bool:
            return min(await counted("keeper"), await counted("runner-1")) > 50

        await soon(flooding)
        waits = []
        for name in ("keeper", "runner-1") * 100:
            began_s = time.monotonic()
            await door.ask(name, Echo(), timeout_s=5)
            waits.append(time.monotonic() - began_s)
        assert sorted(waits)[len(waits) // 2] < 0.1

        # Lanes flood both; Thespian's messages go on.
        before = {name: await counted(name) for name in ("keeper", "runner-1")}
        over = False

        async def flood(name: str) -> None:
            while not over:
                await door.ask(name, Echo(text="x" * 1000), timeout_s=5)

        floods = [
            asyncio.ensure_future(flood(n)) for n in ("keeper", "runner-1") for _ in range(32)
        ]

        async def thespian_goes_on() -> bool:
            return all([await counted(n) > before[n] + 100 for n in before])

        await soon(thespian_goes_on)
        spawned = await door.ask("keeper", Spawn(name="runner-2"), timeout_s=10)
        assert spawned.peer == "runner-2"
        over = True
        await asyncio.gather(*floods)

    live(tmp_path, test)


# Deaths.


def test_a_child_that_dies_is_noticed_and_leaves_no_file(tmp_path: Path) -> None:
    """Thespian gives a child a second address once it runs: its notices must still be known."""

    async def test(running: Running) -> None:
        names = tuple(f"runner-{n}" for n in range(3))
        for name in names:
            child = await running.door.ask("keeper", Spawn(name=name), timeout_s=5)
            assert (running.instance.run_dir / f"{name}.lane").exists()
            os.kill(child.peer_pid, signal.SIGKILL)

        async def noticed() -> bool:
            exits = await running.door.ask("keeper", ListExits(), timeout_s=5)
            return exits.names == names

        await soon(noticed)
        assert not list(running.instance.run_dir.glob("runner-*"))
        assert (running.instance.run_dir / "keeper.lane").exists()

    live(tmp_path, test)


def test_a_child_that_keeps_dying_does_not_take_the_others_with_it(tmp_path: Path) -> None:
    async def test(running: Running) -> None:
        keeper = await running.pid("keeper")
        for _ in range(3):
            pid = await running.pid("echo")
            os.kill(pid, signal.SIGKILL)

            async def another(pid: int = pid) -> bool:
                child = (await running.children())["echo"]
                return child.state is ChildState.UP and child.pid not in (0, pid)

            await soon(another)
        assert await running.answers("echo")
        assert await running.pid("keeper") == keeper

    live(tmp_path, test)


def test_the_pid_of_an_actor_is_told_by_the_kernel_not_by_the_actor(tmp_path: Path) -> None:
    """A runner that says `I am echo, and ready` does not become echo; nor may it stop anybody."""

    async def test(running: Running) -> None:
        from loki.messages.lifecycle import Ended, Ready

        echo = await running.pid("echo")
        running.door.send("loki", Ready(name="echo", incarnation=1, pid=1, detail="forged"))
        running.door.send("loki", Ended(name="echo", incarnation=1, reason="forged"))
        children = await running.children()
        assert children["echo"].pid == echo
        os.kill(echo, signal.SIGKILL)

        async def restarted() -> bool:
            child = (await running.children())["echo"]
            return child.state is ChildState.UP and child.restarts == 1

        await soon(restarted)
        assert (await running.children())["echo"].last_error == "killed"

    live(tmp_path, test)


# Starts that fail.


@pytest.mark.parametrize(
    ("role", "why"),
    [
        ("Refuses", "no such bus"),
        ("Vanishes", "killed"),
        ("IsNotThere", "has no attribute 'IsNotThere'"),
        ("HangsAtStart", "did not start in time"),
    ],
)
def test_a_start_that_fails_says_who_and_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, role: str, why: str
) -> None:
    if role == "HangsAtStart":
        monkeypatch.setattr(supervision.ChildSpec.__init__, "__defaults__", (0.3,))

    async def never(_running: Running) -> None:
        raise AssertionError("it is not up")

    began_s = time.monotonic()
    with pytest.raises(ServiceUnavailable, match=f"bad cannot start: .*{why}"):
        live(tmp_path, never, {"echo": "Server", "bad": role})
    assert time.monotonic() - began_s < 8


# Stops.


def test_a_child_that_hangs_is_killed_and_the_others_stop_in_order(tmp_path: Path) -> None:
    async def test(running: Running) -> None:
        running.door.send("keeper", Hang())
        assert running.system._starter is not None
        down = running.system._starter.down
        running.door.send("loki", Stop(grace_s=1.0))
        await asyncio.wait_for(asyncio.shield(down), 5)
        assert down.result().reason == "shutdown"

    live(tmp_path, test)


# Whole systems, in processes of their own.


class Starter:
    """`lane_starter.py`, running."""

    def __init__(self, state_dir: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "lane_starter.py"), str(state_dir)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            start_new_session=True,
            cwd=HERE,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the starter did not start"
        said = json.loads(line)
        self.pids: dict[str, int] = said["pids"]
        self.all: list[int] = said["all"]
        root = int(
            Path(f"/proc/{self.pids['echo']}/stat").read_text().rpartition(")")[2].split()[1]
        )
        admin = int(Path(f"/proc/{root}/stat").read_text().rpartition(")")[2].split()[1])
        self.pids |= {"root": root, "admin": admin, "starter": self.process.pid}

    def last_word(self) -> dict[str, str]:
        assert self.process.stdout is not None
        said: dict[str, str] = json.loads(self.process.stdout.readline())
        return said

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
        for pid in self.all:
            with contextlib.suppress(ProcessLookupError):
                if process_start(pid):
                    os.kill(pid, signal.SIGKILL)


@pytest.fixture
def starter(tmp_path: Path) -> Iterator[Starter]:
    made = Starter(tmp_path)
    yield made
    made.close()


def test_the_tree_is_as_designed(starter: Starter) -> None:
    assert set(starter.pids) == {
        "echo",
        "async",
        "keeper",
        "runner-1",
        "root",
        "admin",
        "starter",
    }
    assert set(starter.pids.values()) - {starter.process.pid} <= set(starter.all)


@pytest.mark.parametrize("victim", ["starter", "admin", "root"])
def test_nothing_outlives_a_killed_system_and_the_next_one_starts(
    starter: Starter, tmp_path: Path, victim: str
) -> None:
    os.kill(starter.pids[victim], signal.SIGKILL)
    assert wait_until(lambda: not any(map(is_alive, starter.all)), GONE_WITHIN_S)
    starter.process.wait(GONE_WITHIN_S)
    if victim != "starter":
        assert starter.last_word() == {"down": "killed"}
        assert starter.process.returncode == 0
    again = Starter(tmp_path)
    again.process.terminate()
    assert again.process.wait(5) == 0
    assert again.last_word() == {"down": "asked to"}
    assert not any(map(is_alive, again.all))
    again.close()


def test_an_actors_children_die_with_it_and_the_others_do_not(starter: Starter) -> None:
    os.kill(starter.pids["keeper"], signal.SIGKILL)
    gone = [starter.pids["keeper"], starter.pids["runner-1"]]
    assert wait_until(lambda: not any(map(is_alive, gone)), GONE_WITHIN_S)
    assert all(is_alive(starter.pids[name]) for name in ("echo", "async", "root", "admin"))


def test_a_stopped_starter_leaves_nothing(starter: Starter, tmp_path: Path) -> None:
    starter.process.terminate()
    assert starter.process.wait(5) == 0
    assert not any(map(is_alive, starter.all))
    assert not (tmp_path / "run").exists()


def test_a_second_instance_is_refused_with_the_pid_of_the_first(
    starter: Starter, tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError, match=rf"pid {starter.process.pid}\b") as refused:
        Instance(tmp_path)
    assert str(tmp_path) in refused.value.message
    assert all(map(is_alive, starter.all))


def test_a_start_ends_what_a_killed_starter_left_behind(tmp_path: Path) -> None:
    """Where the lifeline failed, the ledger names the survivors."""
    from loki.actors.lifeline import Ledger

    left = subprocess.Popen(["sleep", "3600"])
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    Ledger(run_dir / "processes.json").add(left.pid)
    instance = Instance(tmp_path)
    assert left.wait(1) == -signal.SIGKILL
    instance.release()
