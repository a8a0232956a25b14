"""The starter's own role: hears how the system fares, and watches the two whom nobody else does.

Theory of operation. The root supervises all others; the starter supervises the root, and the
Thespian Admin that created it. Both are watched for their end: the root by its lane, the Admin by
a pidfd. The root dies with the Admin, by its parent-death signal: when the root is gone, the Admin
is looked at first. Once the system is up, the root is asked every half a second whether it answers.
One that misses three answers hangs, and is killed: then it is gone like any other. An Admin that
merely stops is let alone: whatever is restarted is forked by its parent, without the Admin.
"""

import asyncio
import os
import select
from collections.abc import Mapping
from dataclasses import dataclass

from loki.actors.base.lifeline import kill
from loki.actors.door.door import Door
from loki.actors.door.peer import parent_of
from loki.actors.door.role import Context, Handler, Role
from loki.actors.settings.owner import Configuration, SettingsOwner
from loki.core.supervisor.reboot import BEAT_S, MOST_MISSED, Pulse
from loki.errors import ServiceUnavailable
from loki.messages.envelope import Failure, Message
from loki.messages.lifecycle import ROOT, Ended, Ping, Pong, Ready, SystemFailed, SystemUp


@dataclass(frozen=True, slots=True)
class Down:
    """Why the system is not running (any more): a clause for people."""

    reason: str


class Starter(Role):
    """Its `up` and `down` tell once each."""

    def __init__(
        self,
        door: Door,
        loop: asyncio.AbstractEventLoop,
        configuration: Configuration | None = None,
    ) -> None:
        """Without a `configuration`, nobody is told of settings."""
        super().__init__(door, b"")
        self.up: asyncio.Future[Mapping[str, str]] = loop.create_future()
        self.down: asyncio.Future[Down] = loop.create_future()
        self._loop = loop
        self._root_pid = 0
        self._admin = -1  # A pidfd.
        self._pulse = Pulse()
        self._asked_s = self._answered_s = float("-inf")
        self._last_word = ""
        self._settings = (
            SettingsOwner(door, configuration, self._is_family) if configuration else None
        )

    def handlers(self) -> Mapping[type[Message], Handler]:
        return {
            Ready: self._root_ready,
            SystemUp: self._is_up,
            SystemFailed: self._failed,
            Ended: self._root_ended,
            **(self._settings.handlers() if self._settings else {}),
        }

    def _is_family(self, context: Context) -> bool:
        """Whether the root created the sender."""
        return bool(self._root_pid) and parent_of(context.peer_pid) == self._root_pid

    @property
    def answers(self) -> bool:
        """Whether the root has answered within the time it is given."""
        age_s = self.shell.clock.monotonic_s() - self._answered_s
        return not self.down.done() and age_s < BEAT_S * MOST_MISSED

    def _root_ready(self, _message: Ready, context: Context) -> None:
        """The root itself is ready; its actors are not yet."""
        self._root_pid = context.peer_pid
        try:
            self._admin = os.pidfd_open(parent_of(context.peer_pid))
        except OSError:
            return  # Both are gone already, and the end of the root's lane tells it.
        self._loop.add_reader(self._admin, self._gone)

    def _is_up(self, message: SystemUp, _context: Context) -> None:
        if not self.up.done():
            self.up.set_result(message.details)
            self._ask()
            if self._settings is not None:
                self._settings.begin()

    def _failed(self, message: SystemFailed, _context: Context) -> None:
        if not self.up.done():
            error = ServiceUnavailable(f"{message.name} cannot start: {message.reason}")
            self.up.set_exception(error)
        elif not self.down.done():
            self._last_word = f"the root actor gave up on {message.name}: {message.reason}"

    def _root_ended(self, message: Ended, _context: Context) -> None:
        self._last_word = self._last_word or f"the root actor ended: {message.reason}"

    def lost(self, peer: str, pid: int) -> None:  # noqa: ARG002
        if peer == ROOT:
            self._gone()

    def _gone(self) -> None:
        """One of the two is."""
        if self.down.done():
            return
        if self._admin >= 0 and is_over(self._admin):
            self._last_word = "the Thespian Admin was killed"
        self.down.set_result(Down(self._last_word or "the root actor was killed"))
        self.close()

    # Whether the root answers.

    def _ask(self) -> None:
        if not self.down.done():
            self._asked_s = self.shell.clock.monotonic_s()
            self.shell.request(ROOT, Ping(), self._answered, timeout_s=BEAT_S)

    def _answered(self, reply: Pong | Failure) -> None:
        now_s = self.shell.clock.monotonic_s()
        self._pulse = self._pulse.felt(isinstance(reply, Pong))
        if self._pulse.hung and not self.down.done():
            hung_s = BEAT_S * MOST_MISSED
            self._last_word = f"the root actor did not answer for {hung_s:.3g} s and was killed"
            kill(self._root_pid)
            return
        if not self._pulse.missed:
            self._answered_s = now_s
        self.shell.later(max(0.0, self._asked_s + BEAT_S - now_s), self._ask)

    def close(self) -> None:
        """Watch no more."""
        if self._settings is not None:
            self._settings.close()
        if self._admin >= 0:
            self._loop.remove_reader(self._admin)
            os.close(self._admin)
            self._admin = -1


def is_over(pidfd: int) -> bool:
    """Source: pidfd_open(2): it is readable when its process has ended."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(0))
