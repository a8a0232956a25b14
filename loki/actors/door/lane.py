"""Lanes: sockets between the actors of one device, several times faster than Thespian's messages.

Theory of operation. Every actor listens on a SOCK_SEQPACKET socket named after it in the run
directory, which only this user can enter. Whoever has something to say connects, sends one frame
with its own name, then messages; replies come back on the same lane. The kernel vouches for the
peer's pid and user. A peer that dies closes its lanes: that EOF is the fastest death notice there
is. A peer that is not there yet, because it is being restarted, is tried again for a second while
its messages wait in a bounded outbox; a sender that has a better use for that second is told at
once that the peer is away.
"""

import contextlib
import os
import socket
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from loki.actors.door.frame import (
    FRAME_BYTES,
    Assembler,
    FrameError,
    hello,
    name_in,
    require_room,
    split,
)
from loki.actors.door.peer import Peer, is_kin, peer_credentials
from loki.actors.door.poller import Poller
from loki.actors.door.run_directory import RunDirectory
from loki.clock import Clock
from loki.errors import ErrorCode, ResourceLimitExceeded

OUTBOX_BYTES = 32 * 1024 * 1024
RECONNECT_FIRST_S = 0.002
RECONNECT_LONGEST_S = 0.05
RECONNECT_WINDOW_S = 1.0
AGE_BYTES = 8  # By which a message may grow when what is left of its budget is written anew.
LANES_PER_PROCESS = 8  # Of three that it may need: each side connects once, and asks once.


class Lane:
    """One connection: ordered messages both ways, never blocking."""

    def __init__(self, exchange: "Exchange", connection: socket.socket, name: str) -> None:
        pid, uid = peer_credentials(connection)
        if uid != os.getuid():
            connection.close()
            raise PermissionError(f"user {uid} may not open a lane")
        connection.setblocking(False)
        self.peer = Peer(name, pid, is_kin(pid))
        self._exchange = exchange
        self._connection = connection
        self._fd = connection.fileno()
        self._assembler = Assembler()
        self._outbox: deque[bytes] = deque()
        self._outbox_bytes = 0
        exchange.poller.add_reader(self._fd, self._readable)

    @property
    def closed(self) -> bool:
        return self._fd < 0

    @property
    def descriptor(self) -> int:
        return self._fd

    def send(self, message: bytes) -> bool:
        """Whether it is on its way. If not, the peer is gone and has not got it: EOF follows.

        Raises: ResourceLimitExceeded when the peer has not read 32 MiB; FrameError.
        """
        if self.closed:
            return False
        if self._outbox_bytes > OUTBOX_BYTES:
            raise outbox_full(self.peer.name)
        return self.send_accepted(message)

    def send_accepted(self, message: bytes) -> bool:
        """Send what was promised already, whatever the peer has not read yet."""
        return all(map(self.send_frame, split(message)))

    def send_frame(self, frame: bytes) -> bool:
        if not self._outbox:
            try:
                self._connection.send(frame)
                return True
            except BlockingIOError:
                self._exchange.poller.add_writer(self._fd, self._writable)
            except OSError:
                self._give_up()
                return False
        self._outbox.append(frame)
        self._outbox_bytes += len(frame)
        return True

    def _writable(self) -> None:
        while self._outbox:
            try:
                self._connection.send(self._outbox[0])
            except BlockingIOError:
                return
            except OSError:
                self._outbox.clear()
                self._give_up()
                break
            self._outbox_bytes -= len(self._outbox.popleft())
        self._outbox_bytes = 0
        self._exchange.poller.remove_writer(self._fd)

    def _give_up(self) -> None:
        """Half a message must not be followed by others; EOF tells both sides.

        What the peer sent before can still be read.
        """
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def _readable(self) -> None:
        """Take ONE frame: the poll is level-triggered, so that no lane starves the others."""
        buffer = self._exchange.buffer
        try:
            size = self._connection.recv_into(buffer)
        except (BlockingIOError, ConnectionResetError):
            return  # A reset comes once, before what the peer sent last; EOF follows that.
        except OSError:
            size = 0
        if size == 0:
            self._exchange.lane_ended(self)
            return
        frame = memoryview(buffer)[:size]
        try:
            if not self.peer.name:
                self._greeted(name_in(frame))
                return
            message = self._assembler.feed(frame)
        except FrameError as error:
            self._exchange.log(f"lane to {self.peer.name} (pid {self.peer.pid}): {error}")
            self._exchange.lane_ended(self)
            return
        if message is not None:
            self._exchange.received(self, message)

    def _greeted(self, name: str) -> None:
        listens = self._exchange.directory.listener_pid
        if not self.peer.kin and listens(name) not in (self.peer.pid, 0):
            raise FrameError(f"says it is {name}, and is not")
        self.peer = Peer(name, self.peer.pid, self.peer.kin)
        self._exchange.lane_named(self)

    def close(self) -> None:
        if self.closed:
            return
        self._exchange.poller.remove_reader(self._fd)
        if self._outbox:
            self._exchange.poller.remove_writer(self._fd)
        self._fd = -1
        self._connection.close()

    def abandon(self) -> None:
        """Close the descriptor only: the poller belongs to the process we were forked from."""
        self._connection.close()


class PeerAway(Exception):
    """Nobody listens under that name, or has just ceased to."""


def outbox_full(peer: str) -> ResourceLimitExceeded:
    return ResourceLimitExceeded(
        f"{peer} does not read its messages; try again later", code=ErrorCode.QUEUE_FULL
    )


@dataclass(slots=True)
class Waiting:
    """Messages for a peer that cannot be reached at this moment."""

    messages: list[tuple[float, bytes]]  # Since when, on the monotonic clock.
    size: int
    delay_s: float
    left_s: float


class Exchange:
    """All lanes of one actor: its listener, and one lane for each peer it talks with."""

    def __init__(
        self,
        name: str,
        run_dir: Path,
        poller: Poller,
        *,
        received: Callable[[Lane, bytes], None],
        lost: Callable[[Peer], None],
        reached: Callable[[Lane], None],
        unreachable: Callable[[str], None],
        log: Callable[[str], None],
        clock: Clock,
        aged: Callable[[bytes, float], bytes],
    ) -> None:
        """`lost` is told when the last lane to a process closed.

        Of a peer that is away either `reached` is told, after its waiting messages were sent on
        that lane, or `unreachable`, after they were dropped: it stayed away for RECONNECT_WINDOW_S.
        `aged(message, seconds)` is what is sent of a message that waited so long.
        """
        self.name = name
        self.poller = poller
        self.received = received
        self.log = log
        self.buffer = bytearray(FRAME_BYTES + 1)  # One more: a longer frame must not look whole.
        self._lost = lost
        self._reached = reached
        self._unreachable = unreachable
        self._clock = clock
        self._aged = aged
        self.directory = RunDirectory(run_dir)
        self._lanes: set[Lane] = set()
        self._by_name: dict[str, Lane] = {}
        self._doubted: dict[int, dict[str, Peer]] = {}  # By pid and name.
        self._waiting: dict[str, Waiting] = {}
        self._listener = self.directory.listen(name)
        _open_exchanges.add(self)

    def descriptors(self) -> set[int]:
        """All that are open for it now."""
        lanes = {lane.descriptor for lane in self._lanes}
        return {self.directory.descriptor, self._listener.fileno(), *lanes}

    def hears(self, pid: int) -> bool:
        """Whether a lane to that process is open."""
        return any(lane.peer.pid == pid for lane in self._lanes)

    def open(self) -> None:
        """Accept from now on; who connected before has waited."""
        self.poller.add_reader(self._listener.fileno(), self._accept)

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        try:
            lane = Lane(self, connection, "")
        except PermissionError as error:
            self.log(f"refused a lane: {error}")
            return
        if sum(other.peer.pid == lane.peer.pid for other in self._lanes) < LANES_PER_PROCESS:
            self._lanes.add(lane)
        else:
            self.log(f"refused a lane: pid {lane.peer.pid} has enough")
            lane.close()

    def lane_named(self, lane: Lane) -> None:
        """A process that connected to us said who it is; from now on we reach it there.

        Unless we had connected to it at the same time: changing over would break the order.
        """
        name = lane.peer.name
        current = self._by_name.get(name)
        if current is None or current.peer.pid != lane.peer.pid:
            self._by_name[name] = lane
        self._send_waiting(name)
        if lane.peer.pid in self._doubted:
            self._doubt(lane.peer)

    def _send_waiting(self, name: str) -> None:
        waiting = self._waiting.pop(name, None)
        if waiting is None:
            return
        lane = self._by_name[name]
        now_s = self._clock.monotonic_s()
        for since_s, message in waiting.messages:
            lane.send_accepted(self._aged(message, now_s - since_s))
        self._reached(lane)

    def lane_ended(self, lane: Lane) -> None:
        lane.close()
        self._lanes.discard(lane)
        if self._by_name.get(lane.peer.name) is lane:
            del self._by_name[lane.peer.name]
        self._doubt(lane.peer)

    def _doubt(self, peer: Peer) -> None:
        """Lost is whom no lane can be to any more; one that has not said its name may be to any.

        A process that never said its name is lost without one, for somebody may wait for its end.
        """
        doubted = self._doubted.pop(peer.pid, {}) | {peer.name: peer}
        there = {lane.peer.name for lane in self._lanes if lane.peer.pid == peer.pid}
        if "" in there:
            self._doubted[peer.pid] = doubted
            return
        lost = [each for name, each in doubted.items() if name and name not in there]
        for each in lost or ([] if there else [peer]):
            self._lost(each)

    def post(self, peer: str, message: bytes) -> Lane | None:
        """Send, or let the message wait for a peer that is away: then None.

        Raises: ResourceLimitExceeded, FrameError.
        """
        lane = None
        if peer not in self._waiting:
            lane = self._by_name.get(peer) or self._connect(peer)
        if lane is not None:
            lane.send(message)
        else:
            self._wait(peer, message)
        return lane

    def deliver(self, peer: str, message: bytes) -> Lane:
        """`post` for who does not wait.

        Raises: PeerAway, and the peer has not got it; ResourceLimitExceeded, FrameError.
        """
        lane = None
        if peer not in self._waiting:
            lane = self._by_name.get(peer) or self._connect(peer)
        if lane is None or not lane.send(message):
            raise PeerAway(peer)
        return lane

    def _connect(self, peer: str) -> Lane | None:
        try:
            lane = Lane(self, self.directory.reach(peer), peer)
        except OSError:
            return None
        lane.send_frame(hello(self.name))
        self._lanes.add(lane)
        self._by_name[peer] = lane
        return lane

    def _wait(self, peer: str, message: bytes) -> None:
        require_room(len(message) + AGE_BYTES)  # Once it waits, nobody can be told any more.
        waiting = self._waiting.get(peer)
        if waiting is None:
            waiting = Waiting([], 0, RECONNECT_FIRST_S, RECONNECT_WINDOW_S)
            self._waiting[peer] = waiting
            self.poller.call_later(waiting.delay_s, lambda: self._try_again(peer, waiting))
        if waiting.size > OUTBOX_BYTES:
            raise outbox_full(peer)
        waiting.messages.append((self._clock.monotonic_s(), message))
        waiting.size += len(message)

    def _try_again(self, peer: str, waiting: Waiting) -> None:
        if self._waiting.get(peer) is not waiting:
            return
        if self._connect(peer) is not None:
            self._send_waiting(peer)
            return
        waiting.left_s -= waiting.delay_s
        if waiting.left_s <= 0:
            del self._waiting[peer]
            self._unreachable(peer)
            return
        waiting.delay_s = min(waiting.delay_s * 1.5, RECONNECT_LONGEST_S)
        self.poller.call_later(waiting.delay_s, lambda: self._try_again(peer, waiting))

    def close(self) -> None:
        """Stop listening and close every lane."""
        _open_exchanges.discard(self)
        if self._listener.fileno() >= 0:
            self.poller.remove_reader(self._listener.fileno())
            self._listener.close()
        for lane in self._lanes:
            lane.close()
        self._lanes.clear()
        self._by_name.clear()
        self._waiting.clear()
        self.directory.close()

    def abandon(self) -> None:
        """In a forked child: close the descriptors that belong to our parent's conversations."""
        self._listener.close()
        for lane in self._lanes:
            lane.abandon()
        self.directory.close()


_open_exchanges: set[Exchange] = set()


def _abandon_inherited() -> None:
    """Else the child would keep its parent's lanes open, and EOF would be no death notice."""
    for exchange in _open_exchanges:
        exchange.abandon()
    _open_exchanges.clear()


os.register_at_fork(after_in_child=_abandon_inherited)
