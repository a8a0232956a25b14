"""The Thespian actor that hosts a role: boots it, carries its children's lives, ends it.

Every actor of Loki is this class, so that no parent imports what its child needs: the role is
named in Boot and imported in the new process. Thespian carries Boot and the notices of death;
all else goes through the door.
"""

import asyncio
import contextlib
import importlib
import logging
import os
import threading
import traceback
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, NoReturn

import msgspec
from thespian.actors import Actor, ActorAddress, ActorExitRequest, ChildActorExited

from loki.actors import lifeline
from loki.actors.door import Door
from loki.actors.lane import Poller
from loki.actors.process import give_back_memory, name_process
from loki.actors.role import Context, Handler, Role
from loki.actors.selector import LOOP
from loki.actors.transport import Packet
from loki.errors import LokiError
from loki.messages.lifecycle import Boot, Ended, Ready, Stop

REMEMBERED_DEATHS = 64
BUG_EXIT_CODE = 70  # Source: sysexits(3), EX_SOFTWARE.

_boots = msgspec.msgpack.Decoder(Boot)
_encode = msgspec.msgpack.Encoder().encode


class Family:
    """What a role with children of its own needs: to create them and to hear of their ends."""

    def __init__(self, actor: "ShellActor") -> None:
        self._actor = actor
        self._members: list[tuple[ActorAddress, Boot]] = []
        self._processes: dict[int, BaseProcess] = {}
        self.exited: Callable[[str, int], None] = lambda _name, _incarnation: None
        """Called with (name, incarnation) for each notice of an exit; notices may come twice."""

    def spawn(self, boot: Boot) -> int:
        """Fork an actor and tell it who it is; it answers Ready on its lane.

        Returns its pid, or 0 when the fork failed: then no notice will come.
        """
        LOOP.used_thespian = True
        address = self._actor.createActor(ShellActor)
        process = self._process_of(address)
        pid = 0
        if process is not None and process.pid is not None:
            pid = process.pid
            self._remember(pid, process)
            self._members.append((address, boot))
            self._actor.send(address, Packet(_encode(boot)))
        return pid

    def _remember(self, pid: int, process: BaseProcess) -> None:
        if len(self._processes) >= REMEMBERED_DEATHS:
            alive = {p: each for p, each in self._processes.items() if each.exitcode is None}
            self._processes = alive
        self._processes[pid] = process

    def killed_by(self, pid: int) -> int | None:
        """The signal that ended a member; 0 for none or an unknown one; None while it is alive."""
        process = self._processes.get(pid)
        if process is None:
            return 0
        code = process.exitcode
        if code is not None:
            del self._processes[pid]
        return None if code is None else max(0, -code)

    def _process_of(self, address: ActorAddress) -> BaseProcess | None:
        """Thespian 4.0.1 tells nobody; it keeps a record of each process it forked."""
        for child in getattr(self._actor._myRef, "_child_procs", ()):
            if child.childAddr == address:
                process: BaseProcess = child.childProc
                return process
        return None

    def notice(self, address: ActorAddress) -> None:
        """An exit, as Thespian tells it. Only `==` knows an address under its other name."""
        for member in self._members:
            if member[0] == address:
                self._members.remove(member)
                self._bury(member[1])
                return

    def _bury(self, boot: Boot) -> None:
        self.exited(boot.name, boot.incarnation)
        if all(other.name != boot.name for _, other in self._members):
            with contextlib.suppress(OSError):  # A killed process leaves the file of its lane.
                Path(boot.run_dir, f"{boot.name}.lane").unlink()


class ParentRole(Role):
    """A role that creates actors."""

    family: Family

    def child_exited(self, name: str, incarnation: int) -> None:
        """An actor that this role created is gone; may be said twice, or late."""


class ShellActor(Actor):  # type: ignore[misc]  # Thespian has no types.
    """Hosts one role. Nothing leaves `receiveMessage`: Thespian would run it a second time."""

    def __init__(self) -> None:
        super().__init__()
        lifeline.protect_actor()
        self._boot: Boot | None = None
        self._host: Host | None = None
        self._family = Family(self)

    def receiveMessage(self, message: Any, _sender: ActorAddress) -> None:  # noqa: N802
        try:
            self._receive(message)
        except Exception:  # See the class.
            logging.getLogger("loki.shell").exception("a bug ends this actor")
            os._exit(BUG_EXIT_CODE)

    def _receive(self, message: Any) -> None:
        if isinstance(message, Packet) and self._boot is None:
            self._boot = _boots.decode(message.data)
            self._host = host(self._boot, self._family)
        elif isinstance(message, ChildActorExited):
            self._family.notice(message.childAddress)
        elif isinstance(message, ActorExitRequest) and self._host is not None:
            self._host.end("shutdown")


def import_role(path: str) -> type[Role]:
    """The class at "module:Class"."""
    module, _, attribute = path.partition(":")
    role: type[Role] = getattr(importlib.import_module(module), attribute)
    return role


def host(boot: Boot, family: Family) -> "Host":
    """Start the role that `boot` names, in the thread and loop it asks for."""
    name_process(boot.name)
    try:
        role = import_role(boot.role)
    except Exception as error:  # noqa: BLE001  # Whatever it is, the parent must hear of it.
        nobody = Host(boot)
        nobody.open_door(LOOP)
        nobody.refused(error)
    return AsyncHost(boot, role) if role.asynchronous else InlineHost(boot, role, family)


class Host:
    """One role's life from Boot to its last word."""

    def __init__(self, boot: Boot) -> None:
        self.boot = boot
        self.door: Door | None = None

    def open_door(self, poller: Poller) -> Door:
        self.door = Door(
            self.boot.name,
            Path(self.boot.run_dir),
            poller,
            crashed=self._crashed,
            previous=self.boot.previous,
        )
        return self.door

    def serve(self, door: Door, role: Role, stop: Handler) -> None:
        """Let messages in, and tell the parent."""
        door.attach(role, {Stop: stop})
        ready = Ready(
            name=self.boot.name,
            incarnation=self.boot.incarnation,
            pid=os.getpid(),
            detail=role.detail,
        )
        door.send(self.boot.parent, ready)
        give_back_memory()

    def allowed(self, context: Context) -> bool:
        """Stop is obeyed from the family and from the starter, as the kernel knows them."""
        return context.kin or context.peer_pid == lifeline.starter_pid()

    def _crashed(self, error: BaseException, incident: str) -> None:
        self.end(f"incident {incident}: {type(error).__name__}: {error}", traceback_of(error))

    def refused(self, error: Exception) -> NoReturn:
        """The role cannot start: its parent hears why."""
        if not isinstance(error, LokiError):
            logging.getLogger("loki.shell").error("%s", traceback_of(error))
        self.end(str(error), traceback_of(error))

    def end(self, reason: str, trace: str = "") -> NoReturn:
        """Say why, and go at once: Thespian's own way out would wait for unread messages."""
        if self.door is not None:
            last_word = Ended(
                name=self.boot.name,
                incarnation=self.boot.incarnation,
                reason=reason,
                traceback=trace,
            )
            with contextlib.suppress(LokiError):
                self.door.send(self.boot.parent, last_word)
        logging.shutdown()
        os._exit(0 if reason == "shutdown" else BUG_EXIT_CODE)


def traceback_of(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


class InlineHost(Host):
    """A role whose lanes are served in Thespian's select, on the process's only main thread."""

    def __init__(self, boot: Boot, role_class: type[Role], family: Family) -> None:
        super().__init__(boot)
        LOOP.listen_to_threads()
        door = self.open_door(LOOP)
        try:
            self.role = role_class(door, bytes(boot.config))
            if isinstance(self.role, ParentRole):
                self.role.family = family
                family.exited = self.role.child_exited
            self.serve(door, self.role, self._stop)
            self.role.started()
        except Exception as error:  # noqa: BLE001  # A role that cannot start ends its actor.
            self.refused(error)

    def _stop(self, message: Stop, context: Context) -> None:
        if self.allowed(context):
            self.role.finish(message.grace_s, lambda: self.end("shutdown"))


class AsyncHost(Host):
    """A role in an asyncio loop of its own thread; Thespian keeps the main one."""

    def __init__(self, boot: Boot, role_class: type[Role]) -> None:
        super().__init__(boot)
        self._role_class = role_class
        threading.Thread(target=self._run, name=boot.name, daemon=True).start()

    def _run(self) -> None:
        try:
            asyncio.run(self._live())
        finally:
            os._exit(BUG_EXIT_CODE)  # A thread that ended would leave a deaf actor.

    async def _live(self) -> None:
        door = self.open_door(asyncio.get_running_loop())
        try:
            await self._serve_until_stopped(door)
        except Exception as error:  # noqa: BLE001  # In the loop, which the last word needs.
            self.refused(error)

    async def _serve_until_stopped(self, door: Door) -> None:
        role = self._role_class(door, bytes(self.boot.config))
        stopping: asyncio.Future[float] = asyncio.get_running_loop().create_future()

        def stop(message: Stop, context: Context) -> None:
            if self.allowed(context) and not stopping.done():
                stopping.set_result(message.grace_s)

        await role.begin()
        self.serve(door, role, stop)
        await role.drain(await stopping)
        role.stop()
        self.end("shutdown")
