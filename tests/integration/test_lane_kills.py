"""Starts that fail, deaths, stops: who hears of them, and that nothing is left."""

import asyncio
import contextlib
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from lane_actor import (
    DieOnASilentLane,
    Hang,
    ListExits,
    Spawn,
)
from lane_system import ANSWER_S, GONE_WITHIN_S, HERE, Running, gone, live, soon

from loki.actors.base.lifeline import process_start
from loki.actors.door.peer import parent_of
from loki.actors.start.system import Instance
from loki.errors import ConfigurationError, ServiceUnavailable
from loki.messages.lifecycle import ChildState, Stop

# Deaths.


def test_a_child_that_dies_is_noticed_and_leaves_no_file(tmp_path: Path) -> None:
    """Thespian gives a child a second address once it runs: its notices must still be known."""

    async def test(running: Running) -> None:
        names = tuple(f"runner-{n}" for n in range(3))
        for name in names:
            child = await running.door.ask("keeper", Spawn(name=name), timeout_s=ANSWER_S)
            assert (running.instance.run_dir / f"{name}.lane").exists()
            os.kill(child.peer_pid, signal.SIGKILL)

        async def noticed() -> bool:
            exits = await running.door.ask("keeper", ListExits(), timeout_s=ANSWER_S)
            return sorted(exits.names) == sorted(names)

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


def test_a_child_that_dies_before_a_lane_says_whose_it_is_comes_back(tmp_path: Path) -> None:
    """Its supervisor hears of that lane and of the death at once, and waits for the lane's end."""

    async def test(running: Running) -> None:
        pid = await running.pid("echo")
        root, echo = parent_of(pid), os.pidfd_open(pid)
        os.kill(root, signal.SIGSTOP)
        running.door.send("echo", DieOnASilentLane())
        assert await asyncio.to_thread(select.select, [echo], [], [], ANSWER_S)
        os.close(echo)
        os.kill(root, signal.SIGCONT)

        async def restarted() -> bool:
            child = (await running.children())["echo"]
            return child.state is ChildState.UP and child.restarts == 1

        await soon(restarted)
        assert await running.answers("echo")

    live(tmp_path, test)


# Starts that fail.


@pytest.mark.parametrize(
    ("role", "why"),
    [
        ("Refuses", "no such bus"),
        ("Vanishes", "killed"),
        ("IsNotThere", "has no attribute 'IsNotThere'"),
    ],
)
def test_a_start_that_fails_says_who_and_why(tmp_path: Path, role: str, why: str) -> None:
    async def never(_running: Running) -> None:
        raise AssertionError("it is not up")

    with pytest.raises(ServiceUnavailable, match=f"bad cannot start: .*{why}"):
        live(tmp_path, never, {"echo": "Server", "bad": role})


def test_a_start_that_hangs_says_who_and_for_how_long(tmp_path: Path) -> None:
    async def never(_running: Running) -> None:
        raise AssertionError("it is not up")

    with pytest.raises(ServiceUnavailable, match=r"bad cannot start: .*did not start within 1 s"):
        live(tmp_path, never, {"bad": "HangsAtStart"}, start_timeout_s=1.0)


# Stops.


def test_a_child_that_hangs_is_killed_and_the_others_stop_in_order(tmp_path: Path) -> None:
    async def test(running: Running) -> None:
        running.door.send("keeper", Hang())
        assert running.system._starter is not None
        down = running.system._starter.down
        running.door.send("loki", Stop(grace_s=1.0))
        await asyncio.wait_for(asyncio.shield(down), ANSWER_S)
        assert down.result().reason == "the root actor ended: shutdown"

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
    assert gone(starter.all)
    starter.process.wait(GONE_WITHIN_S)
    if victim != "starter":
        dead = {"admin": "the Thespian Admin", "root": "the root actor"}[victim]
        assert starter.last_word() == {"down": f"{dead} was killed"}
        assert starter.process.returncode == 0
    again = Starter(tmp_path)
    again.process.terminate()
    assert again.process.wait(ANSWER_S) == 0
    assert again.last_word() == {"down": "asked to"}
    assert gone(again.all, 0)
    again.close()


def test_an_actors_children_die_with_it_and_the_others_do_not(starter: Starter) -> None:
    os.kill(starter.pids["keeper"], signal.SIGKILL)
    dead = [starter.pids["keeper"], starter.pids["runner-1"]]
    assert gone(dead)
    assert not any(gone([starter.pids[name]], 0) for name in ("echo", "async", "root", "admin"))


def test_a_stopped_starter_leaves_nothing(starter: Starter, tmp_path: Path) -> None:
    starter.process.terminate()
    assert starter.process.wait(ANSWER_S) == 0
    assert gone(starter.all, 0)
    assert not (tmp_path / "run").exists()


def test_a_second_instance_is_refused_with_the_pid_of_the_first(
    starter: Starter, tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError, match=rf"pid {starter.process.pid}\b") as refused:
        Instance(tmp_path)
    assert str(tmp_path) in refused.value.message
    assert not any(gone([pid], 0) for pid in starter.all)


def test_a_start_ends_what_a_killed_starter_left_behind(tmp_path: Path) -> None:
    """Where the lifeline failed, the ledger names the survivors."""
    from loki.actors.base.lifeline import Ledger

    left = subprocess.Popen(["sleep", "3600"])
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    Ledger(run_dir / "processes.json").add(left.pid)
    instance = Instance(tmp_path)
    assert left.wait(ANSWER_S) == -signal.SIGKILL
    instance.release()
