"""The Thespian actor that hosts a role: boots it, carries its children's lives, ends it.

Every actor of Loki is this class, so that no parent imports what its child needs: the role is
named in Boot and imported in the new process. Thespian creates the process and carries Boot; all
else goes through the door.
"""

import asyncio
import contextlib
import importlib
import logging
import os
import threading
import traceback
from pathlib import Path
from typing import Any, NoReturn

import msgspec
from thespian.actors import Actor, ActorAddress, ActorExitRequest

from loki.actors.base import lifeline
from loki.actors.base.family import Family
from loki.actors.base.process import give_back_memory, name_process
from loki.actors.base.selector import LOOP
from loki.actors.base.transport import Packet
from loki.actors.door.door import Door
from loki.actors.door.poller import Poller
from loki.actors.door.role import Context, Handler, Role
from loki.core.supervisor.state import is_normal
from loki.errors import LokiError
from loki.messages.lifecycle import Boot, Ended, Ready, Stop

BUG_EXIT_CODE = 70  # Source: sysexits(3), EX_SOFTWARE.

_boots = msgspec.msgpack.Decoder(Boot)


class ParentRole(Role):
    """A role that creates actors."""

    family: Family

    def child_exited(self, name: str, incarnation: int, reason: str) -> None:
        """An actor that this role created is gone. `reason` is what can be seen from outside."""


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
        self.door.end = self.end
        return self.door

    def serve(self, door: Door, role: Role, stop: Handler) -> None:
        """Let messages in, and tell the parent."""
        door.ready = lambda: self._say_ready(door, role)
        door.attach(role, {Stop: stop})
        if not role.ready_by_itself:
            door.ready()
        give_back_memory()

    def _say_ready(self, door: Door, role: Role) -> None:
        ready = Ready(
            name=self.boot.name,
            incarnation=self.boot.incarnation,
            pid=os.getpid(),
            detail=role.detail,
        )
        door.send(self.boot.parent, ready)

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
        os._exit(0 if is_normal(reason) else BUG_EXIT_CODE)


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
