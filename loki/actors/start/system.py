"""The starter's side: boots the actor system under a lifeline, waits, and ends all of it.

Theory of operation. One asyncio loop in the starter's main thread holds the lifeline and a door of
its own. The Thespian system is created before that loop runs, because it forks. The way down is:
Stop to the root, which stops the actors in reverse order and ends; then the lifeline is cut, which
ends the Admin and whatever hung. If the root dies unasked, the system is over. Another one may be
booted then in this same process, when nothing of the old one is left: see `keeper`.
"""

import asyncio
import fcntl
import logging
import os
import secrets
import shutil
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import msgspec

from loki.actors.base import selector, transport
from loki.actors.base.lifeline import Ledger, Lifeline
from loki.actors.base.process import share_memory
from loki.actors.door.door import Door
from loki.actors.settings.owner import Configuration
from loki.actors.start.starter import Starter
from loki.core.supervisor.spec import SupervisorSpec
from loki.errors import ConfigurationError, LokiError, ServiceUnavailable
from loki.messages.lifecycle import ROOT, STARTER, Boot, Stop
from loki.messages.tree import SupervisorConfig

START_TIMEOUT_S = 30.0
KILL_TIMEOUT_S = 5.0  # A process that waits for its disk dies only when the disk has answered.

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
                f"state_dir {state_dir} cannot be used: {error.strerror or error}; "
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

    def clear(self) -> None:
        """Remove the sockets of a system that is no more; somebody may have removed them all."""
        for path in self.run_dir.glob("*"):
            if path.is_socket():
                path.unlink(missing_ok=True)


class System:
    """A booted system, or one on its way up or down. Lives in the starter's loop."""

    def __init__(
        self,
        instance: Instance,
        config: SupervisorConfig,
        configuration: Configuration | None = None,
    ) -> None:
        """Its actors are told of settings by the `configuration`."""
        self._instance = instance
        self._configuration = configuration
        self._config = config
        self._lifeline = Lifeline(instance.run_dir, instance.ledger)
        self._thespian: Any = None
        self._starter: Starter | None = None
        self._door: Door | None = None

    def boot(self) -> None:
        """Fork the actors; to be called while no loop or thread of the starter runs.

        Raises: ServiceUnavailable when Thespian cannot start; `end` clears what it left.
        """
        selector.install()
        base = transport.install(secrets.token_bytes(32))
        os.environ["THESPLOG_FILE"] = str(self._instance.run_dir / "thespian.log")
        from thespian.actors import ActorSystem, ActorSystemException

        from loki.actors.base.shell import ShellActor

        share_memory()
        capabilities = {"Admin Port": free_port(), "Process Startup Method": "fork"}
        try:
            self._thespian = ActorSystem(base, capabilities, transientUnique=True)
            root = self._thespian.createActor(ShellActor)
            self._thespian.tell(root, transport.Packet(msgspec.msgpack.encode(self._boot())))
        except ActorSystemException as error:
            raise ServiceUnavailable(f"the actor system cannot start: {error}") from error

    def _boot(self) -> Boot:
        return Boot(
            name=ROOT,
            parent=STARTER,
            role="loki.actors.tree.root:Root",
            incarnation=1,
            run_dir=self._config.run_dir,
            config=msgspec.Raw(msgspec.msgpack.encode(self._config)),
        )

    def connect(self) -> Starter:
        """Join the starter's loop, which is running now."""
        loop = asyncio.get_running_loop()
        self._lifeline.serve(loop)
        self._door = Door(STARTER, self._instance.run_dir, loop, crashed=self._crashed)
        self._starter = Starter(self._door, loop, self._configuration)
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

    @property
    def drain_s(self) -> float:
        """How long what is under way may hold up a stop, beyond its grace."""
        return msgspec.msgpack.decode(self._config.spec, type=SupervisorSpec).drain_s

    async def ask_to_stop(self, grace_s: float) -> None:
        """The orderly way down; over when the root is gone, or after `grace_s` and the drain."""
        assert self._starter is not None  # noqa: S101
        assert self._door is not None  # noqa: S101
        if not self._starter.down.done():
            try:
                self._door.send(ROOT, Stop(grace_s=grace_s))
                await asyncio.wait((self._starter.down,), timeout=grace_s + self.drain_s)
            except LokiError as error:
                log.warning("the root cannot be told to stop: %s", error)

    async def stop(self, grace_s: float) -> None:
        """Orderly within `grace_s` and the drain, then by force.

        Afterwards nothing is left, nor the instance.
        """
        await self.ask_to_stop(grace_s)
        try:
            self.end()
        finally:
            self._instance.release()

    def end(self) -> None:
        """By force, at once: no process of it is left, no socket, and nothing in the starter.

        Raises: ServiceUnavailable that names the processes which the kernel does not end.
        """
        left = self._lifeline.end_all(KILL_TIMEOUT_S)
        if self._starter is not None:
            self._starter.close()
        if self._door is not None:
            self._door.close(
                wait=True
            )  # A thread's locks would stay locked in what is forked next.
        self._lifeline.close()
        if self._thespian is not None:
            self._thespian._systemBase.transport.close()
        self._instance.clear()
        if left:
            raise ServiceUnavailable(f"processes that cannot be ended: {left}")

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
