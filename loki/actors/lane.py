"""Lanes: sockets between the actors of one device, several times faster than Thespian's messages.

Theory of operation. Every actor listens on a SOCK_SEQPACKET socket named after it in the run
directory, which only this user can enter. Whoever has something to say connects, sends one frame
with its own name, then messages; replies come back on the same lane. The kernel vouches for the
peer's pid and user. A peer that dies closes its lanes: that EOF is the fastest death notice there
is. A peer that is not there yet, because it is being restarted, is tried again for a second while
its messages wait in a bounded outbox.
"""

import os
import socket
import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from loki.actors.frame import FRAME_BYTES, HELLO, Assembler, FrameError, hello, split
from loki.actors.role import Timer
from loki.errors import ErrorCode, ResourceLimitExceeded

OUTBOX_BYTES = 32 * 1024 * 1024
RECONNECT_FIRST_S = 0.002
RECONNECT_LONGEST_S = 0.05
RECONNECT_WINDOW_S = 1.0
BACKLOG = 128


class Poller(Protocol):
    """Who watches descriptors and timers; an asyncio loop is one as it is."""

    def add_reader(self, fd: int, callback: Callable[[], Any], /) -> Any: ...
    def remove_reader(self, fd: int, /) -> Any: ...
    def add_writer(self, fd: int, callback: Callable[[], Any], /) -> Any: ...
    def remove_writer(self, fd: int, /) -> Any: ...
    def call_later(self, delay: float, callback: Callable[[], Any], /) -> Timer: ...
    def call_soon_threadsafe(self, callback: Callable[[], Any], /) -> Any: ...


@dataclass(frozen=True, slots=True)
class Peer:
    """The process at the other end, as the kernel knows it."""

    name: str
    pid: int
    kin: bool  # Our parent, or a child of our parent.


def parent_of(pid: int) -> int:
    """Parent of a process, 0 when it is gone. Source: proc(5), field 4 of /proc/pid/stat."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return 0
    return int(stat.rpartition(b")")[2].split()[1])


def is_kin(pid: int) -> bool:
    """Whether a process is our parent or a child of our parent. No process can fake that."""
    parent = os.getppid()
    return pid == parent or parent_of(pid) == parent


def peer_credentials(connection: socket.socket) -> tuple[int, int]:
    """(pid, uid) of who connected or listens. Source: unix(7), SO_PEERCRED."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    pid, uid, _ = struct.unpack("3i", raw)
    return pid, uid


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

    def send(self, message: bytes) -> None:
        """Raises: ResourceLimitExceeded when the peer has not read 32 MiB; FrameError."""
        if self.closed:
            return
        if self._outbox_bytes > OUTBOX_BYTES:
            raise outbox_full(self.peer.name)
        for frame in split(message):
            self._send_frame(frame)

    def _send_frame(self, frame: bytes) -> None:
        if not self._outbox:
            try:
                self._connection.send(frame)
                return
            except BlockingIOError:
                self._exchange.poller.add_writer(self._fd, self._writable)
            except OSError:
                return  # The peer is gone; its EOF is on the way and tells everybody.
        self._outbox.append(frame)
        self._outbox_bytes += len(frame)

    def _writable(self) -> None:
        while self._outbox:
            try:
                self._connection.send(self._outbox[0])
            except BlockingIOError:
                return
            except OSError:
                self._outbox.clear()
                break
            self._outbox_bytes -= len(self._outbox.popleft())
        self._outbox_bytes = 0
        self._exchange.poller.remove_writer(self._fd)

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
            if frame[0] == HELLO:
                self._greeted(bytes(frame[1:]).decode("utf-8", "replace"))
                return
            message = self._assembler.feed(frame)
        except FrameError as error:
            self._exchange.log(f"lane to {self.peer.name} (pid {self.peer.pid}): {error}")
            self._exchange.lane_ended(self)
            return
        if message is not None:
            self._exchange.received(self, message)

    def _greeted(self, name: str) -> None:
        if self.peer.name:
            raise FrameError("a second hello")
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


def outbox_full(peer: str) -> ResourceLimitExceeded:
    return ResourceLimitExceeded(
        f"{peer} does not read its messages; try again later", code=ErrorCode.QUEUE_FULL
    )


@dataclass(slots=True)
class Waiting:
    """Messages for a peer that cannot be reached at this moment."""

    messages: list[bytes]
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
        unreachable: Callable[[str], None],
        log: Callable[[str], None],
    ) -> None:
        """`lost` is told when the last lane to a process closed; `unreachable` when a peer

        stayed away for RECONNECT_WINDOW_S, after its waiting messages were dropped.
        """
        self.name = name
        self.poller = poller
        self.received = received
        self.log = log
        self.buffer = bytearray(FRAME_BYTES)
        self._lost = lost
        self._unreachable = unreachable
        self._directory = os.open(run_dir, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        self._lanes: set[Lane] = set()
        self._by_name: dict[str, Lane] = {}
        self._waiting: dict[str, Waiting] = {}
        self._listener = self._listen()
        _open_exchanges.add(self)

    def _path(self, name: str) -> str:
        """Short however deep the run directory is: sun_path holds 108 bytes."""
        return f"/proc/self/fd/{self._directory}/{name}.lane"

    def _listen(self) -> socket.socket:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        listener.setblocking(False)
        path = self._path(self.name)
        if os.path.lexists(path):
            os.unlink(path)
        listener.bind(path)
        listener.listen(BACKLOG)
        self.poller.add_reader(listener.fileno(), self._accept)
        return listener

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        try:
            self._lanes.add(Lane(self, connection, ""))
        except PermissionError as error:
            self.log(f"refused a lane: {error}")

    def lane_named(self, lane: Lane) -> None:
        """A process that connected to us said who it is; from now on we answer there."""
        self._by_name[lane.peer.name] = lane
        waiting = self._waiting.pop(lane.peer.name, None)
        for message in waiting.messages if waiting else ():
            lane.send(message)

    def lane_ended(self, lane: Lane) -> None:
        lane.close()
        self._lanes.discard(lane)
        if self._by_name.get(lane.peer.name) is lane:
            del self._by_name[lane.peer.name]
        if lane.peer.name and not any(other.peer == lane.peer for other in self._lanes):
            self._lost(lane.peer)

    def lane_to(self, peer: str) -> Lane | None:
        """The open lane to a peer, connecting now if it listens."""
        lane = self._by_name.get(peer)
        return lane if lane is not None else self._connect(peer)

    def waits_for(self, peer: str) -> bool:
        """Whether messages wait until `peer` can be reached."""
        return peer in self._waiting

    def post(self, peer: str, message: bytes) -> Lane | None:
        """Send, or let the message wait for a peer that is away: then None.

        Raises: ResourceLimitExceeded, FrameError.
        """
        lane = None if peer in self._waiting else self.lane_to(peer)
        if lane is not None:
            lane.send(message)
        else:
            self._wait(peer, message)
        return lane

    def _connect(self, peer: str) -> Lane | None:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        connection.setblocking(False)
        try:
            connection.connect(self._path(peer))
            lane = Lane(self, connection, peer)
        except OSError:
            connection.close()
            return None
        connection.send(hello(self.name))
        self._lanes.add(lane)
        self._by_name[peer] = lane
        return lane

    def _wait(self, peer: str, message: bytes) -> None:
        waiting = self._waiting.get(peer)
        if waiting is None:
            waiting = Waiting([], 0, RECONNECT_FIRST_S, RECONNECT_WINDOW_S)
            self._waiting[peer] = waiting
            self.poller.call_later(waiting.delay_s, lambda: self._try_again(peer, waiting))
        if waiting.size > OUTBOX_BYTES:
            raise outbox_full(peer)
        waiting.messages.append(message)
        waiting.size += len(message)

    def _try_again(self, peer: str, waiting: Waiting) -> None:
        if self._waiting.get(peer) is not waiting:
            return
        lane = self._connect(peer)
        if lane is not None:
            del self._waiting[peer]
            for message in waiting.messages:
                lane.send(message)
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
        os.close(self._directory)

    def abandon(self) -> None:
        """In a forked child: close the descriptors that belong to our parent's conversations."""
        self._listener.close()
        for lane in self._lanes:
            lane.abandon()
        os.close(self._directory)


_open_exchanges: set[Exchange] = set()


def _abandon_inherited() -> None:
    """Else the child would keep its parent's lanes open, and EOF would be no death notice."""
    for exchange in _open_exchanges:
        exchange.abandon()
    _open_exchanges.clear()


os.register_at_fork(after_in_child=_abandon_inherited)
