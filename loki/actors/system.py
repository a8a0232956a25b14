"""The starter's side: boots the actor system under a lifeline, waits, and ends all of it.

Theory of operation. One asyncio loop in the starter's main thread holds the lifeline, a door of
its own and the signals. The Thespian system is created before that loop runs, because it forks.
The way down is: Stop to the root, which stops the actors in reverse order and ends; then the
lifeline is cut, which ends the Admin and whatever hung. If the root dies unasked, the system is
over: the starter says so, and its exit code tells the service manager.
"""

import asyncio
import fcntl
import logging
import os
import secrets
import shutil
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import msgspec

from loki.actors import selector, transport
from loki.actors.door import Door
from loki.actors.lifeline import Ledger, Lifeline, kill
from loki.actors.process import share_memory
from loki.actors.role import Context, Handler, Role
from loki.errors import ConfigurationError, LokiError, ServiceUnavailable
from loki.messages.envelope import Message
from loki.messages.lifecycle import Boot, Ended, Ready, Stop, SystemFailed, SystemUp
from loki.messages.tree import RootConfig

STARTER = "starter"
ROOT = "loki"
START_TIMEOUT_S = 30.0
KILL_TIMEOUT_S = 1.0

log = logging.getLogger("loki.system")


class Instance:
    """The state directory, held by one `loki serve` at a time."""

    def __init__(self, state_dir: Path) -> None:
        """Raises: ConfigurationError that names the holder's pid, or why it is not usable."""
        self.run_dir = state_dir / "run"
        try:
            self.run_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.run_dir.chmod(0o700)
            self._lock = (state_dir / "lock").open("a+")
        except OSError as error:
            raise ConfigurationError(
                f"state_dir {state_dir} cannot be used: {error.strerror}; "
                "choose another with the setting state_dir or LOKI_STATE_DIR"
            ) from error
        self._take(self._lock, state_dir)
        self.ledger = Ledger(self.run_dir / "processes.json")
        survivors = self.ledger.kill_survivors()
        if survivors:
            log.warning("ended what an earlier start had left behind: %s", survivors)

    @staticmethod
    def _take(lock: IO[str], state_dir: Path) -> None:
        """A POSIX record lock: children do not inherit it, and it ends with the process."""
        try:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.seek(0)
            pid = lock.read().strip() or "unknown"
            lock.close()
            raise ConfigurationError(
                f"another loki (pid {pid}) serves {state_dir}; "
                f"stop it with `kill {pid}`, or choose another state_dir"
            ) from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()

    def release(self) -> None:
        shutil.rmtree(self.run_dir, ignore_errors=True)
        self._lock.close()


@dataclass(frozen=True, slots=True)
class Down:
    """Why the system is not running (any more)."""

    reason: str


class Starter(Role):
    """Hears from the root how the system fares."""

    def __init__(self, door: Door, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(door, b"")
        self.up: asyncio.Future[Mapping[str, str]] = loop.create_future()
        self.down: asyncio.Future[Down] = loop.create_future()
        self._last_word = ""

    def handlers(self) -> Mapping[type[Message], Handler]:
        return {
            Ready: self._root_ready,
            SystemUp: self._is_up,
            SystemFailed: self._failed,
            Ended: self._root_ended,
        }

    def _root_ready(self, _message: Ready, _context: Context) -> None:
        """The root itself is ready; its actors are not yet."""

    def _is_up(self, message: SystemUp, _context: Context) -> None:
        if not self.up.done():
            self.up.set_result(message.details)

    def _failed(self, message: SystemFailed, _context: Context) -> None:
        if not self.up.done():
            error = ServiceUnavailable(f"{message.name} cannot start: {message.reason}")
            self.up.set_exception(error)

    def _root_ended(self, message: Ended, _context: Context) -> None:
        self._last_word = message.reason

    def lost(self, peer: str, pid: int) -> None:  # noqa: ARG002
        if peer == ROOT and not self.down.done():
            self.down.set_result(Down(self._last_word or "killed"))


class System:
    """A booted system, or one on its way up or down. Lives in the starter's loop."""

    def __init__(self, instance: Instance, config: RootConfig) -> None:
        self._instance = instance
        self._config = config
        self._lifeline = Lifeline(instance.run_dir, instance.ledger)
        self._thespian: Any = None
        self._starter: Starter | None = None
        self._door: Door | None = None

    def boot(self) -> None:
        """Fork the actors; to be called before any loop or thread of the starter runs."""
        selector.install()
        base = transport.install(secrets.token_bytes(32))
        os.environ["THESPLOG_FILE"] = str(self._instance.run_dir / "thespian.log")
        from thespian.actors import ActorSystem

        from loki.actors.shell import ShellActor

        share_memory()
        capabilities = {"Admin Port": free_port(), "Process Startup Method": "fork"}
        self._thespian = ActorSystem(base, capabilities, transientUnique=True)
        root = self._thespian.createActor(ShellActor)
        boot = Boot(
            name=ROOT,
            parent=STARTER,
            role="loki.actors.supervisor:Supervisor",
            incarnation=1,
            run_dir=self._config.run_dir,
            config=msgspec.Raw(msgspec.msgpack.encode(self._config)),
        )
        self._thespian.tell(root, transport.Packet(msgspec.msgpack.encode(boot)))

    def connect(self) -> Starter:
        """Join the starter's loop, which is running now."""
        loop = asyncio.get_running_loop()
        self._lifeline.serve(loop)
        self._door = Door(STARTER, self._instance.run_dir, loop, crashed=self._crashed)
        self._starter = Starter(self._door, loop)
        self._door.attach(self._starter, {})
        return self._starter

    async def up(self) -> Mapping[str, str]:
        """What the actors said when they were ready, by name.

        Raises: LokiError that says which one could not start, and why.
        """
        assert self._starter is not None  # noqa: S101
        first, _ = await asyncio.wait(
            (self._starter.up, self._starter.down),
            timeout=START_TIMEOUT_S,
            return_when=asyncio.FIRST_COMPLETED,
        )
        if self._starter.up in first:
            return await self._starter.up
        reason = self._starter.down.result().reason if first else "it did not start in time"
        raise ServiceUnavailable(f"the actor system cannot start: {reason}")

    async def stop(self, grace_s: float) -> None:
        """Orderly within `grace_s`, then by force; afterwards no process is left."""
        assert self._starter is not None  # noqa: S101
        assert self._door is not None  # noqa: S101
        if not self._starter.down.done():
            try:
                self._door.send(ROOT, Stop(grace_s=grace_s))
                await asyncio.wait((self._starter.down,), timeout=grace_s)
            except LokiError as error:
                log.warning("the root cannot be told to stop: %s", error)
        await self._end_processes()
        self._door.close()
        self._lifeline.close()
        self._instance.release()

    async def _end_processes(self) -> None:
        for pid in self._instance.ledger.pids:
            kill(pid)
        end = asyncio.get_running_loop().time() + KILL_TIMEOUT_S
        while self._lifeline.alive and asyncio.get_running_loop().time() < end:
            await asyncio.sleep(0.002)

    @staticmethod
    def _crashed(error: BaseException, incident: str) -> None:
        log.critical("incident %s: a bug ends the starter: %s", incident, error)
        os._exit(70)


def free_port() -> int:
    """A loopback port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
