"""A Fenrir on a simulated board, and runs that use it, without any actor system."""

import logging
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
from fenrir_actor.actor import Fenrir
from fenrir_actor.config import FenrirConfig

from loki.actors.role import Context
from loki.clock import FakeClock
from loki.messages.envelope import Message
from loki.messages.execution import DescribeRun, RunClosed, RunOpened

PID = 4711
DISPATCHER_PID = 815


@dataclass
class FakeShell:
    """As much of the shell as Fenrir uses."""

    clock: FakeClock = field(default_factory=lambda: FakeClock(now_ns=1_700_000_000_000_000_000))
    name: str = "fenrir"
    log: logging.Logger = field(default_factory=lambda: logging.getLogger("fenrir"))
    previous: str = ""

    def request(self, peer: str, request: DescribeRun, then: Callable[..., None], **_: Any) -> None:
        """Stands in for the Dispatcher: every run that is asked about still runs."""
        then(opened(request.run))


def packed_config(config: FenrirConfig) -> bytes:
    return msgspec.msgpack.encode({**config.model_dump(mode="json"), "state_dir": "/nowhere"})


def opened(
    run: str, script: str = "blink", permissions: dict[str, tuple[str, ...]] | None = None
) -> RunOpened:
    return RunOpened(
        run=run,
        script=script,
        principal="local",
        permissions=permissions or {},
        declared_in="tools.toml",
        runner_pid=PID,
        dispatcher_pid=DISPATCHER_PID,
    )


class Harness:
    """Speaks to a role as the shell does: messages in, replies or LokiErrors out."""

    def __init__(self, **settings: object) -> None:
        self.shell = FakeShell()
        self.role = Fenrir(self.shell, packed_config(FenrirConfig.model_validate(settings)))

    def open(self, run: str, script: str = "blink", **permissions: tuple[str, ...]) -> None:
        self._deliver(opened(run, script, permissions), "", kin=True)

    def close(self, run: str) -> None:
        self._deliver(RunClosed(run=run), "", kin=True)

    def call(self, run: str, request: Message) -> Message:
        wire = msgspec.msgpack.encode(request)
        return self._deliver(msgspec.msgpack.decode(wire, type=type(request)), run)

    def _deliver(self, message: Message, run: str, *, kin: bool = False) -> Message:
        context = Context(
            peer="runner-1", peer_pid=PID, kin=kin, run=run, trace="", deadline_s=None
        )
        answer = self.role.handlers()[type(message)](message, context)
        return answer.result() if isinstance(answer, Future) and answer.done() else answer


@pytest.fixture
def fenrir() -> Harness:
    return Harness()


@pytest.fixture
def fenrir_with() -> Callable[..., Harness]:
    return Harness
