"""A small actor for the tests of the sealed transport; its processes import it by name."""

import logging
import os
from typing import Any

from thespian.actors import Actor, ActorAddress, ChildActorExited, PoisonMessage

from loki.actors.base import transport
from loki.actors.base.transport import Packet

STORM = 300
NAME = "transport_actor.Probe"


class Probe(Actor):
    """Answers what it is asked, and counts."""

    def __init__(self) -> None:
        super().__init__()
        self.applied = 0
        self.child: ActorAddress | None = None
        self.asker: ActorAddress | None = None
        self.numbers: list[int] = []

    def receiveMessage(self, message: Any, sender: ActorAddress) -> None:  # noqa: N802
        if isinstance(message, ChildActorExited):
            self.send(self.asker, Packet(b"exited"))
        elif isinstance(message, PoisonMessage):
            self.send(self.asker, Packet(b"poison"))
        elif isinstance(message, Packet):
            word, _, argument = message.data.partition(b" ")
            getattr(self, f"on_{word.decode()}")(argument, sender)

    def on_echo(self, data: bytes, sender: ActorAddress) -> None:
        self.send(sender, Packet(data))

    def on_pid(self, _: bytes, sender: ActorAddress) -> None:
        self.send(sender, Packet(b"%d" % os.getpid()))

    def on_count(self, _: bytes, sender: ActorAddress) -> None:
        self.applied += 1

    def on_total(self, _: bytes, sender: ActorAddress) -> None:
        self.send(sender, Packet(b"%d" % self.applied))

    def on_log(self, text: bytes, sender: ActorAddress) -> None:
        logging.getLogger("probe").warning("%s", text.decode())
        self.send(sender, Packet(b"logged"))

    def on_forget_key(self, _: bytes, sender: ActorAddress) -> None:
        """Told by the parent, as no answer can be sent any more."""
        transport.forget_key()
        self.send(sender, Packet(b"echo never"))

    def on_forgetful(self, _: bytes, sender: ActorAddress) -> None:
        self.asker = sender
        self.child = self.createActor(Probe)
        self.send(self.child, Packet(b"pid_to_parent"))
        self.send(self.child, Packet(b"forget_key"))

    def on_raise(self, _: bytes, sender: ActorAddress) -> None:
        raise ValueError("as asked")

    def on_bytes(self, _: bytes, sender: ActorAddress) -> None:
        """Thespian gives back what cannot be sent, as poison."""
        self.asker = sender
        self.send(sender, b"not a packet")

    def on_spawn(self, _: bytes, sender: ActorAddress) -> None:
        """The child's pid goes to the asker; so does the notice of its exit."""
        self.asker = sender
        self.child = self.createActor(Probe)
        self.send(self.child, Packet(b"pid_to_parent"))

    def on_pid_to_parent(self, _: bytes, sender: ActorAddress) -> None:
        self.send(sender, Packet(b"child_pid %d" % os.getpid()))

    def on_child_pid(self, pid: bytes, sender: ActorAddress) -> None:
        self.send(self.asker, Packet(pid))

    def on_stillborn(self, _: bytes, sender: ActorAddress) -> None:
        self.asker = sender
        self.createActor(Stillborn)

    def on_storm(self, _: bytes, sender: ActorAddress) -> None:
        """Parent and child send to each other at the same time, on the same sockets."""
        self.asker = sender
        self.child = self.createActor(Probe)
        self.send(self.child, Packet(b"storm_back"))
        self._storm(self.child)

    def on_storm_back(self, _: bytes, sender: ActorAddress) -> None:
        self.asker = sender
        self._storm(sender)

    def _storm(self, peer: ActorAddress) -> None:
        for number in range(STORM):
            self.send(peer, Packet(b"number %d" % number))

    def on_number(self, number: bytes, sender: ActorAddress) -> None:
        self.numbers.append(int(number))
        if self.numbers == list(range(STORM)):
            self.send(self.asker, Packet(b"storm_over"))

    def on_storm_over(self, _: bytes, sender: ActorAddress) -> None:
        """From the child: it has them all, in order."""
        self.send(self.asker, Packet(b"child has all"))


class Stillborn(Actor):
    """Dies before it can tell its parent where it listens."""

    def __init__(self) -> None:
        os._exit(3)
