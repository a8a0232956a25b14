"""What the starter makes of what it hears of the root, and of what it does not hear."""

import asyncio
import logging
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from loki.actors.door.role import Context
from loki.actors.start.starter import Starter
from loki.clock import FakeClock
from loki.errors import ErrorCode, ServiceUnavailable
from loki.messages.envelope import Failure, Message
from loki.messages.lifecycle import ROOT, Ended, Ping, Pong, Ready, SystemFailed, SystemUp

MISSED = Failure(code=ErrorCode.CHILD_DOWN, message="late")


class FakeShell:
    """Keeps what is asked of it, for the test to answer."""

    name = "starter"
    previous = ""
    log = logging.getLogger("test")

    def __init__(self) -> None:
        self.clock = FakeClock(monotonic_s=100.0)
        self.asked: list[Callable[[Any], None]] = []
        self.timers: list[tuple[float, Callable[[], None]]] = []

    def request(
        self, peer: str, request: Message, then: Callable[[Any], None], *, timeout_s: float
    ) -> None:
        assert (peer, request, timeout_s) == (ROOT, Ping(), 0.5)
        self.asked.append(then)

    def later(self, delay_s: float, action: Callable[[], None]) -> None:
        self.timers.append((delay_s, action))

    def answer(self, reply: Pong | Failure, after_s: float) -> float:
        """To the one question; then ask the next. The pause between."""
        self.clock.advance(after_s)
        (then,) = self.asked
        self.asked.clear()
        then(reply)
        if not self.timers:
            return -1.0
        ((delay_s, action),) = self.timers
        self.timers.clear()
        self.clock.advance(delay_s)
        action()
        return delay_s


@pytest.fixture
def root() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "3600"])
    yield process
    process.kill()
    process.wait()


def context(pid: int) -> Context:
    return Context(peer=ROOT, peer_pid=pid, kin=True, run="", trace="", deadline_s=None)


def lively(test: Callable[[Starter, FakeShell], Any], root_pid: int, *, up: bool = True) -> None:
    async def live() -> None:
        shell = FakeShell()
        starter = Starter(shell, asyncio.get_running_loop())  # type: ignore[arg-type]  # A fake.
        starter.handlers()[Ready](Ready(name=ROOT, incarnation=1, pid=1), context(root_pid))
        if up:
            starter.handlers()[SystemUp](SystemUp(details={"a": "b"}), context(root_pid))
        try:
            await test(starter, shell)
        finally:
            starter.close()

    asyncio.run(live())


def pong(pid: int) -> Pong:
    return Pong(name=ROOT, pid=pid)


def test_a_root_that_answers_is_asked_every_half_a_second(root: subprocess.Popen[bytes]) -> None:
    async def test(starter: Starter, shell: FakeShell) -> None:
        assert not starter.answers
        assert shell.answer(pong(root.pid), after_s=0.125) == 0.375
        assert starter.answers
        assert shell.answer(MISSED, after_s=0.5) == 0.0
        assert starter.answers
        assert shell.answer(MISSED, after_s=0.5) == 0.0
        assert starter.answers
        shell.clock.advance(0.125)
        assert not starter.answers  # The last answer is 1.5 s old.
        assert shell.answer(pong(root.pid), after_s=0.125) == 0.25
        assert starter.answers
        assert root.poll() is None

    lively(test, root.pid)


def test_a_root_that_misses_three_answers_is_killed(root: subprocess.Popen[bytes]) -> None:
    async def test(starter: Starter, shell: FakeShell) -> None:
        for _ in range(3):
            shell.answer(MISSED, after_s=0.5)
        assert root.wait(30) == -signal.SIGKILL
        starter.lost(ROOT, root.pid)
        assert "did not answer for 1.5 s" in starter.down.result().reason
        assert not shell.asked
        assert not starter.answers

    lively(test, root.pid)


def test_before_the_system_is_up_nobody_is_asked(root: subprocess.Popen[bytes]) -> None:
    async def test(_starter: Starter, shell: FakeShell) -> None:
        assert not shell.asked

    lively(test, root.pid, up=False)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ((), "the root actor was killed"),
        ((Ended(name=ROOT, incarnation=1, reason="incident 1: x"),), "ended: incident 1: x"),
        (
            (
                SystemFailed(name="hel", reason="it died"),
                Ended(name=ROOT, incarnation=1, reason="shutdown"),
            ),
            "gave up on hel: it died",
        ),
    ],
)
def test_the_reason_is_its_last_word(
    root: subprocess.Popen[bytes], words: tuple[Message, ...], reason: str
) -> None:
    async def test(starter: Starter, _shell: FakeShell) -> None:
        for word in words:
            starter.handlers()[type(word)](word, context(root.pid))
        starter.lost("somebody", 1)
        assert not starter.down.done()
        starter.lost(ROOT, root.pid)
        starter.lost(ROOT, root.pid)
        assert starter.down.result().reason.endswith(reason)

    lively(test, root.pid)


def test_an_admin_that_ends_is_down_and_named() -> None:
    """Its child, the root, lives on here: nobody told it to die with its parent."""
    shell = "sleep 3600 & echo $!; read line"
    with subprocess.Popen(
        ["sh", "-c", shell], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as admin:
        assert admin.stdout is not None
        root_pid = int(admin.stdout.readline())

        async def test(starter: Starter, _shell: FakeShell) -> None:
            admin.kill()
            down = await asyncio.wait_for(starter.down, 30)
            assert down.reason == "the Thespian Admin was killed"

        try:
            lively(test, root_pid)
        finally:
            os.kill(root_pid, signal.SIGKILL)


def test_a_start_that_fails_says_who_and_why(root: subprocess.Popen[bytes]) -> None:
    async def test(starter: Starter, _shell: FakeShell) -> None:
        failed = SystemFailed(name="gateway", reason="no port")
        starter.handlers()[SystemFailed](failed, context(root.pid))
        with pytest.raises(ServiceUnavailable, match="gateway cannot start: no port"):
            await starter.up

    lively(test, root.pid, up=False)
