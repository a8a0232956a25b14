"""What is tied to the starter dies with it; what cannot be tied does not live; who was left."""

import asyncio
import errno
import json
import os
import select
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from loki.actors.base import lifeline
from loki.actors.base.lifeline import Ledger, Lifeline, boot_id, kill, process_start, starter_pid


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "processes.json")


@pytest.fixture
def line(tmp_path: Path, ledger: Ledger) -> Iterator[Lifeline]:
    made = Lifeline(tmp_path, ledger)
    yield made
    if lifeline._listeners:
        made.close()


def fork(action: Callable[[], int]) -> int:
    pid = os.fork()
    if pid == 0:
        code = 99
        try:
            code = action()
        finally:
            os._exit(code)
    return pid


def sleep_for_ever() -> int:
    while True:
        signal.pause()


def fork_tied() -> int:
    """A process that lives, once its hook is done."""
    read, write = os.pipe()

    def say_so_and_sleep() -> int:
        os.write(write, b"x")
        return sleep_for_ever()

    pid = fork(say_so_and_sleep)
    assert os.read(read, 1) == b"x"
    os.close(read)
    os.close(write)
    return pid


def test_kill_ends_a_process_and_does_not_mind_one_that_is_gone() -> None:
    pid = fork(sleep_for_ever)
    kill(pid)
    assert end_of(pid) == -signal.SIGKILL
    kill(pid)


def test_kill_takes_0_for_nobody_not_for_its_own_process_group() -> None:
    def spare_us() -> int:
        os.setpgid(0, 0)  # Else a failure would end the whole test run.
        kill(0)
        return 7

    assert end_of(fork(spare_us)) == 7


def end_of(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def serve_until(line: Lifeline, true: Callable[[], bool]) -> None:
    async def main() -> None:
        line.serve(asyncio.get_running_loop())
        async with asyncio.timeout(10):
            while not true():
                await asyncio.sleep(0)

    asyncio.run(main())


def test_cutting_the_line_kills_whoever_is_tied(line: Lifeline) -> None:
    child = fork_tied()
    line.close()
    assert end_of(child) == -signal.SIGKILL


def test_a_fork_of_a_fork_is_tied_too(line: Lifeline) -> None:
    """However it left its parent, as the Thespian Admin does."""
    read, write = os.pipe()

    def detach() -> int:
        os.setsid()
        grandchild = fork_tied()
        os.write(write, grandchild.to_bytes(4, "little"))
        return 0

    assert end_of(fork(detach)) == 0
    grandchild = os.pidfd_open(int.from_bytes(os.read(read, 4), "little"))
    os.close(read)
    os.close(write)
    line.close()
    assert select.select([grandchild], [], [], 10)[0] == [grandchild]
    os.close(grandchild)


def test_a_process_that_finds_its_starter_gone_ends_quietly(
    line: Lifeline, capfd: pytest.CaptureFixture[str]
) -> None:
    Path(lifeline._lifeline_path()).unlink()
    assert end_of(fork(lambda: 0)) == 1
    assert capfd.readouterr().err == ""


def test_a_process_never_finds_a_later_system(line: Lifeline, tmp_path: Path) -> None:
    """One that the old system forked in its last moment must not live in the next."""
    path = lifeline._lifeline_path()
    line.close()
    after = Lifeline(tmp_path, Ledger(tmp_path / "processes.json"))
    assert Path(lifeline._lifeline_path()).name != Path(path).name
    after.close()


def cannot_tie() -> NoReturn:
    raise OSError(errno.EMFILE, "too many open files")


def test_a_process_that_cannot_be_tied_does_not_live_and_says_why(
    line: Lifeline, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(lifeline, "_connect_tie", cannot_tie)
    assert end_of(fork(lambda: 0)) == 1
    assert "too many open files" in capfd.readouterr().err


def test_nor_does_one_that_cannot_even_say_so(
    line: Lifeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifeline, "_connect_tie", cannot_tie)
    stderr = os.dup(2)
    os.close(2)
    try:
        code = end_of(fork(lambda: 0))
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
    assert code == 1


def test_a_tie_knows_the_starter(line: Lifeline) -> None:
    starter = os.getpid()
    assert end_of(fork(lambda: 0 if starter_pid() == starter else 1)) == 0
    assert starter_pid() == 0


def test_without_a_line_forks_are_free() -> None:
    assert end_of(fork(lambda: 0)) == 0


def test_the_ledger_follows_who_lives(line: Lifeline, ledger: Ledger, tmp_path: Path) -> None:
    child = fork(sleep_for_ever)
    serve_until(line, lambda: ledger.pids == (child,))
    assert line.alive
    written = json.loads((tmp_path / "processes.json").read_text())
    assert written == {"boot": boot_id(), "alive": {str(child): process_start(child)}}
    os.kill(child, signal.SIGKILL)
    end_of(child)
    line.close()
    assert not line.alive


def test_an_end_is_entered_in_the_ledger(line: Lifeline, ledger: Ledger) -> None:
    child = fork(sleep_for_ever)
    seen: list[tuple[int, ...]] = []

    def came_and_went() -> bool:
        if ledger.pids and not seen:
            seen.append(ledger.pids)
            os.kill(child, signal.SIGKILL)
            end_of(child)
        return bool(seen) and not ledger.pids

    serve_until(line, came_and_went)
    assert seen == [(child,)]
    assert not line.alive


def test_a_closed_line_leaves_its_loop_clean(line: Lifeline, ledger: Ledger) -> None:
    """Else the next socket that gets one of its descriptor numbers cannot be watched."""
    child = fork(sleep_for_ever)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        line.serve(loop)
        while not ledger.pids:
            await asyncio.sleep(0)
        line.close()
        pairs = [socket.socketpair() for _ in range(4)]
        ends = [end for pair in pairs for end in pair]
        heard: set[int] = set()
        for end in ends:
            end.send(b"x")
            loop.add_reader(end.fileno(), heard.add, end.fileno())
        async with asyncio.timeout(10):
            while len(heard) < len(ends):
                await asyncio.sleep(0)
        for end in ends:
            loop.remove_reader(end.fileno())
            end.close()

    asyncio.run(main())
    assert end_of(child) == -signal.SIGKILL


# Survivors of an earlier starter.


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "3600"]) as process:
        yield process
        process.kill()


def test_survivors_are_ended_and_waited_for(
    ledger: Ledger, tmp_path: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    ledger.add(sleeper.pid)
    assert Ledger(tmp_path / "processes.json").kill_survivors() == [sleeper.pid]
    assert sleeper.poll() == -signal.SIGKILL


@pytest.mark.parametrize("difference", ["start", "boot"])
def test_another_process_with_the_same_pid_is_left_alone(
    tmp_path: Path, sleeper: subprocess.Popen[bytes], difference: str
) -> None:
    start = process_start(sleeper.pid) - (difference == "start")
    boot = "another" if difference == "boot" else boot_id()
    path = tmp_path / "processes.json"
    path.write_text(json.dumps({"boot": boot, "alive": {str(sleeper.pid): start}}))
    assert Ledger(path).kill_survivors() == []
    assert sleeper.poll() is None


def test_who_is_gone_already_is_no_survivor(ledger: Ledger, tmp_path: Path) -> None:
    gone = fork(lambda: 0)
    end_of(gone)
    ledger._alive = {gone: 7}
    ledger._write()
    assert Ledger(tmp_path / "processes.json").kill_survivors() == []


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"boot": 1}', "null"])
def test_a_ledger_that_cannot_be_read_names_nobody(tmp_path: Path, text: str) -> None:
    path = tmp_path / "processes.json"
    path.write_text(text)
    assert Ledger(path).kill_survivors() == []
    assert Ledger(tmp_path / "none.json").kill_survivors() == []


def test_all_that_is_tied_is_ended_also_who_still_waits_at_the_door(
    line: Lifeline, ledger: Ledger
) -> None:
    asleep = fork_tied()
    os.kill(asleep, signal.SIGSTOP)
    os.waitpid(asleep, os.WUNTRACED)
    others = [fork_tied() for _ in range(3)]
    assert line.end_all(5.0) == []
    assert ledger.pids == ()
    assert not line.alive
    for pid in (asleep, *others):
        with pytest.raises(ChildProcessError):  # Nor is it a zombie.
            os.waitpid(pid, 0)


def test_our_own_child_that_ends_by_itself_is_no_zombie(line: Lifeline) -> None:
    """Thespian's Admin detaches itself by way of one."""
    child = fork(lambda: 0)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    assert line._accept()
    line._ended(child)
    with pytest.raises(ChildProcessError):
        os.waitpid(child, 0)


def test_a_process_that_forks_while_it_is_ended_leaves_nothing(line: Lifeline) -> None:
    """Those of its children that are tied wait at the door; the others cannot live."""

    def fork_for_ever() -> int:
        while True:
            if os.fork() == 0:
                return sleep_for_ever()

    fork(fork_for_ever)
    while line._accept() or len(line._ties) < 20:
        pass
    assert line.end_all(5.0) == []
    assert line.end_all(0.0) == []


def test_an_actor_leaves_stopping_to_the_starter() -> None:
    def stay() -> int:
        lifeline.leave_stopping_to_starter()
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
        return 7

    assert end_of(fork(stay)) == 7


def test_a_ledger_that_cannot_be_written_keeps_its_account_in_memory(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As on a full disk: here the folder is gone."""
    ledger = Ledger(tmp_path / "gone" / "processes.json")
    ledger.add(os.getpid())
    ledger.add(os.getppid())
    assert ledger.pids == (os.getpid(), os.getppid())
    ledger.remove(os.getpid())
    assert ledger.pids == (os.getppid(),)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    (tmp_path / "gone").mkdir()
    ledger.remove(os.getppid())
    assert (tmp_path / "gone" / "processes.json").exists()
