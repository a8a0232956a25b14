"""A Fenrir on a simulated board, and runs that use it, without any actor system."""

import logging
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from fenrir_actor.actor import Fenrir
from fenrir_actor.board import Board, board_of
from fenrir_actor.config import FenrirConfig

from loki.actors.door.role import Context
from loki.clock import FakeClock
from loki.messages.envelope import Message
from loki.messages.execution import DescribeRun, RunClosed, RunOpened

PID = 4711
DISPATCHER_PID = 815


class Inline(Executor):
    """A worker that is done at once."""

    def submit(self, work: Callable[..., Any], /, *given: Any, **named: Any) -> Future[Any]:
        promise: Future[Any] = Future()
        try:
            promise.set_result(work(*given, **named))
        except Exception as error:  # noqa: BLE001  # As a real one does.
            promise.set_exception(error)
        return promise


@dataclass
class FakeShell:
    """As much of the shell as Fenrir uses."""

    clock: FakeClock = field(default_factory=lambda: FakeClock(now_ns=1_700_000_000_000_000_000))
    name: str = "fenrir"
    log: logging.Logger = field(default_factory=lambda: logging.getLogger("fenrir"))
    previous: str = ""

    def worker(self, name: str) -> Inline:
        return Inline()

    def mind(self, promise: Future[Any]) -> None:
        promise.result(0)

    def request(self, peer: str, request: DescribeRun, then: Callable[..., None], **_: Any) -> None:
        """Stands in for the Dispatcher: every run that is asked about still runs."""
        then(opened(request.run))


def board(**settings: object) -> Board:
    return board_of(packed_config(FenrirConfig.model_validate(settings), Path("/nowhere")))


def packed_config(config: FenrirConfig, state_dir: Path) -> bytes:
    values = {**config.model_dump(mode="json"), "state_dir": str(state_dir)}
    return msgspec.msgpack.encode(values)


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

    def __init__(self, state_dir: Path, **settings: object) -> None:
        (state_dir / "run").mkdir(exist_ok=True)
        self._state_dir, self._settings = state_dir, settings
        self.restart()

    def restart(self) -> None:
        """A new incarnation; the last one had no time for anything."""
        self.shell = FakeShell()
        config = FenrirConfig.model_validate(self._settings)
        self.role = Fenrir(self.shell, packed_config(config, self._state_dir))

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
        while isinstance(answer, Future) and answer.done():
            answer = answer.result()
        return answer


@pytest.fixture
def fenrir(tmp_path: Path) -> Harness:
    return Harness(tmp_path)


@pytest.fixture
def fenrir_with(tmp_path: Path) -> Callable[..., Harness]:
    return partial(Harness, tmp_path)
