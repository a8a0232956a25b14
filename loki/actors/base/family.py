"""An actor's children as processes: forked by Thespian, watched by the kernel.

Thespian reports a death without a reason, sometimes twice, sometimes never. So its notices are not
used: a descriptor of each process becomes readable when that process has ended, once.
"""

import contextlib
import os
import signal
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import msgspec
from thespian.actors import Actor

from loki.actors.base.selector import LOOP
from loki.actors.base.transport import Packet
from loki.messages.lifecycle import Boot

REMEMBERED_DEATHS = 64

_encode = msgspec.msgpack.Encoder().encode


class Family:
    """What a role with children of its own needs: to create them and to hear of their ends."""

    def __init__(self, actor: Actor) -> None:
        self._actor = actor
        self._processes: dict[int, BaseProcess] = {}  # Each holds two pipes until it is forgotten.
        self._exit_codes: dict[int, int] = {}  # Of the dead whom nobody has asked about.
        self.exited: Callable[[str, int, str], None] = lambda _name, _incarnation, _reason: None
        """Called once with (name, incarnation, reason) for each child that has ended."""

    def spawn(self, boot: Boot) -> int:
        """Fork an actor and tell it who it is; it answers Ready on its lane.

        Returns its pid, or 0 when the fork failed: then no exit will be told.
        """
        LOOP.used_thespian = True
        try:
            address = self._actor.createActor(type(self._actor))
        except OSError:  # No process or no memory is left for it.
            return 0
        process = self._process_of(address)
        if process is None or process.pid is None:
            return 0
        self._processes[process.pid] = process
        self._watch(process, boot, address)
        self._actor.send(address, Packet(_encode(boot)))
        return process.pid

    def killed_by(self, pid: int) -> int | None:
        """The signal that ended a member; 0 for none or an unknown one; None while it is alive."""
        process = self._processes.get(pid)
        code = self._exit_codes.pop(pid, 0) if process is None else process.exitcode
        return None if code is None else max(0, -code)

    def _bury(self, process: BaseProcess, boot: Boot, address: Any) -> None:
        """A killed process leaves the file of its lane; no successor has been started yet."""
        with contextlib.suppress(OSError):
            Path(boot.run_dir, f"{boot.name}.lane").unlink()
        self._forget(process)
        forget_address(address)
        self.exited(boot.name, boot.incarnation, how_it_ended(process.exitcode))

    def _forget(self, process: BaseProcess) -> None:
        """All but its exit code; the oldest of too many codes goes, too."""
        if process.pid is None:
            return
        self._processes.pop(process.pid, None)
        self._exit_codes[process.pid] = process.exitcode or 0
        if len(self._exit_codes) > REMEMBERED_DEATHS:
            del self._exit_codes[next(iter(self._exit_codes))]

    def _process_of(self, address: object) -> BaseProcess | None:
        """Thespian 4.0.1 tells nobody; it keeps a record of each process it forked."""
        for child in getattr(self._actor._myRef, "_child_procs", ()):
            if child.childAddr == address:
                process: BaseProcess = child.childProc
                return process
        return None

    def _watch(self, process: BaseProcess, boot: Boot, address: Any) -> None:
        try:
            descriptor = os.pidfd_open(process.pid or 0)
        except ProcessLookupError:  # It has ended, and Thespian has seen to it.
            LOOP.call_later(0, lambda: self._bury(process, boot, address))
            return
        _watched.add(descriptor)
        LOOP.add_reader(descriptor, lambda: self._ended(descriptor, process, boot, address))

    def _ended(self, descriptor: int, process: BaseProcess, boot: Boot, address: Any) -> None:
        LOOP.remove_reader(descriptor)
        _watched.discard(descriptor)
        os.close(descriptor)
        self._bury(process, boot, address)


def forget_address(address: Any) -> None:
    """Of an actor that is dead: Thespian 4.0.1 would keep it for ever, hundreds of bytes each.

    Its place among the addresses stays, since those behind it are known by their numbers.
    """
    local = address.addressDetails
    local.addressManager._managed[local.addressInstanceNum] = None


def how_it_ended(exit_code: int | None) -> str:
    """What can be known from outside. A negative code is the signal."""
    if exit_code is None or exit_code == -signal.SIGKILL:
        return "killed"
    if exit_code < 0:
        return f"killed by {signal.Signals(-exit_code).name}"
    return "normal" if exit_code == 0 else f"ended with exit code {exit_code}"


_watched: set[int] = set()


def _abandon_inherited() -> None:
    """In a forked child: those are its siblings, and none of its business."""
    for descriptor in _watched:
        os.close(descriptor)
    _watched.clear()


os.register_at_fork(after_in_child=_abandon_inherited)
