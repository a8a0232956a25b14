"""Process hygiene: nothing of Loki outlives its starter, and an actor dies as it should.

Theory of operation. The starter listens on a private socket. A hook that runs in every forked
process connects to it and asks the kernel for SIGKILL when that connection has news; nobody ever
writes there, so the only news is the end of the starter, however it dies. That reaches the
Thespian Admin too, which detaches itself from its parent. The starter accepts these connections:
they are its ledger of every process alive.
"""

import asyncio
import contextlib
import ctypes
import fcntl
import json
import logging
import os
import select
import signal
import socket
import time
import traceback
from collections.abc import Mapping
from pathlib import Path

from loki.actors.door.peer import parent_of, peer_credentials

PR_SET_PDEATHSIG = 1  # Source: prctl(2)
F_SETSIG = 10  # Source: fcntl(2), <linux/fcntl.h>; Python does not name it.
ABOVE_THESPIAN = 255  # The Admin closes descriptors 3 to 254 when it detaches itself.
FATAL_SIGNALS = (signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT)
BACKLOG = 128
KILL_TIMEOUT_S = 1.0

log = logging.getLogger("loki.lifeline")

_libc = ctypes.CDLL(None, use_errno=True)
_directory_fd = -1
_number = 0
_tie: socket.socket | None = None
_forked_by = os.getppid()


def protect_actor() -> None:
    """Called once in every actor: die with the parent, and of what kills.

    Thespian's Python handlers would leave a process running after a real SIGSEGV.
    """
    for fatal in FATAL_SIGNALS:
        signal.signal(fatal, signal.SIG_DFL)
    leave_stopping_to_starter()
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != _forked_by:
        os._exit(1)


def leave_stopping_to_starter() -> None:
    """Terminals and service managers signal the whole group; the starter alone ends it, in order.

    Whoever wants to end one actor sends SIGKILL.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def process_start(pid: int) -> int:
    """Start time of a process in clock ticks since boot, 0 when it is gone.

    With the pid it names a process until the next boot. Source: proc(5), field 22 of the stat file.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return 0
    return int(stat.rpartition(b")")[2].split()[19])


def boot_id() -> str:
    """Another at each boot of the device: pids and start times repeat. Source: random(4)."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def kill(pid: int) -> None:
    """End a process that may be gone already; 0 was never one."""
    if pid:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _kill_recorded(pid: int, start: int) -> bool:
    """Kill that very process and wait for its end; False when it is gone already.

    By pidfd: since the record was written, the pid may have gone to somebody else.
    """
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        if process_start(pid) != start:
            return False
        signal.pidfd_send_signal(process, signal.SIGKILL)
        _is_over(process, KILL_TIMEOUT_S)
    except ProcessLookupError:
        return False
    finally:
        os.close(process)
    return True


def _is_over(pidfd: int, timeout_s: float) -> bool:
    """Whether that process ends in time. Not select(2), whose descriptors end at 1023."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(max(0.0, timeout_s) * 1000))


def _end(starts: Mapping[int, int], end_s: float) -> list[int]:
    """Kill all, then wait for each; those that are left at `end_s` on the monotonic clock."""
    opened = {}
    try:
        for pid, start in starts.items():
            with contextlib.suppress(ProcessLookupError):
                opened[pid] = os.pidfd_open(pid)
                if process_start(pid) == start:
                    signal.pidfd_send_signal(opened[pid], signal.SIGKILL)
        return [
            pid
            for pid, pidfd in opened.items()
            if process_start(pid) == starts[pid] and not _is_over(pidfd, end_s - time.monotonic())
        ]
    finally:
        for pidfd in opened.values():
            os.close(pidfd)


class Ledger:
    """Who is alive: in memory, and on disk for a start after the starter was killed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._alive: dict[int, int] = {}
        self._writable = True

    @property
    def pids(self) -> tuple[int, ...]:
        return tuple(self._alive)

    def start(self, pid: int) -> int:
        """Of a process that is alive, as `process_start` told it."""
        return self._alive[pid]

    def add(self, pid: int) -> None:
        self._alive[pid] = process_start(pid)
        self._write()

    def remove(self, pid: int) -> None:
        self._alive.pop(pid, None)
        self._write()

    def _write(self) -> None:
        """On a full disk the one in memory must do: the lifeline ends all without the other."""
        fresh = self._path.with_suffix(".new")
        try:
            fresh.write_text(json.dumps({"boot": boot_id(), "alive": self._alive}))
            fresh.replace(self._path)
        except OSError as error:
            if self._writable:
                log.warning("%s cannot be written: %s", self._path, error.strerror)
            self._writable = False
        else:
            self._writable = True

    def kill_survivors(self) -> list[int]:
        """End what the ledger of an earlier starter still names; returns their pids."""
        try:
            record = json.loads(self._path.read_text())
            if record["boot"] != boot_id():
                return []
            alive = {int(pid): int(start) for pid, start in record["alive"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return []  # None was written, or not by us.
        return [pid for pid, start in alive.items() if _kill_recorded(pid, start)]


class Lifeline:
    """The starter's end: create it before the actor system, in the process that lives longest."""

    def __init__(self, run_dir: Path, ledger: Ledger) -> None:
        global _directory_fd, _number  # The at-fork hook has no other way to find them.
        _directory_fd = os.open(run_dir, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        _number += 1  # What an earlier system forked in its last moment must not find this one.
        Path(_lifeline_path()).unlink(missing_ok=True)
        self._ledger = ledger
        self._ties: dict[int, socket.socket] = {}
        self._own: set[int] = set()  # Forked by ourselves, so that we have to wait for their ends.
        self._loop: asyncio.AbstractEventLoop | None = None
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.setblocking(False)
        self._listener.bind(_lifeline_path())
        self._listener.listen(BACKLOG)
        _listeners.append(self)

    @property
    def alive(self) -> bool:
        """Whether any process is still tied to us."""
        return bool(self._ties)

    def serve(self, loop: asyncio.AbstractEventLoop) -> None:
        """Accept in `loop` from now on; what connected before has waited."""
        self._loop = loop
        loop.add_reader(self._listener.fileno(), self._accept)
        for pid, connection in self._ties.items():
            loop.add_reader(connection.fileno(), self._ended, pid)

    def _accept(self) -> bool:
        """Whether somebody waited."""
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return False
        pid, uid = peer_credentials(connection)
        if uid != os.getuid():
            connection.close()
            return True
        self._ties[pid] = connection
        self._ledger.add(pid)
        if parent_of(pid) == os.getpid():
            self._own.add(pid)
        if self._loop is not None:
            self._loop.add_reader(connection.fileno(), self._ended, pid)
        return True

    def _ended(self, pid: int) -> None:
        connection = self._ties.pop(pid)
        if self._loop is not None:
            self._loop.remove_reader(connection.fileno())
        connection.close()
        self._ledger.remove(pid)
        self._reap()

    def _reap(self) -> None:
        """Of those that we forked; one whose tie is cut already may end a moment later."""
        for pid in tuple(self._own):
            try:
                ended, _ = os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:  # Somebody else has waited for it.
                ended = pid
            if ended:
                self._own.discard(pid)

    def end_all(self, timeout_s: float) -> list[int]:
        """Kill whoever is tied to us and wait for it; the pids that are there after `timeout_s`.

        A process that was forked while its parent died waits at the door, and is killed in the next
        round. The dead fork no more, so when all are dead and nobody waits, it is over.
        """
        end_s = time.monotonic() + timeout_s
        while self._accept() or self._ties:
            while self._accept():
                pass
            left = _end({pid: self._ledger.start(pid) for pid in self._ties}, end_s)
            for pid in self._ties.keys() - left:
                self._ended(pid)
            if left:
                return left
        self._reap()
        return []

    def close(self) -> None:
        """Cut every tie: whatever is still alive is killed by the kernel."""
        global _directory_fd
        _listeners.remove(self)
        for connection in (self._listener, *self._ties.values()):
            if self._loop is not None:
                self._loop.remove_reader(connection.fileno())
            connection.close()
        self._ties.clear()
        os.close(_directory_fd)
        _directory_fd = -1

    def abandon(self) -> None:
        """In a forked child: the starter's descriptors are not ours to keep open."""
        for connection in (self._listener, *self._ties.values()):
            connection.close()


_listeners: list[Lifeline] = []


def _lifeline_path() -> str:
    return f"/proc/self/fd/{_directory_fd}/lifeline-{_number}"


def _before_fork() -> None:
    global _forking
    _forking = os.getpid()


_forking = 0


def _after_fork_in_child() -> None:
    """Tie the new process to the starter; an exception here would only be printed, so: exit."""
    global _forked_by, _tie
    _forked_by = _forking
    for lifeline in _listeners:
        lifeline.abandon()
    _listeners.clear()
    if _tie is not None:
        _tie.close()
        _tie = None
    if _directory_fd < 0:
        return
    try:
        _tie = _connect_tie()
    except (FileNotFoundError, ConnectionError):
        os._exit(1)  # The starter has ended, or all that it had started.
    except BaseException:  # noqa: BLE001  # Untied we must not live.
        try:
            os.write(2, traceback.format_exc().encode())
        finally:
            os._exit(1)


def descriptors() -> set[int]:
    """What ties this process to its starter."""
    return set() if _tie is None else {_tie.fileno()}


def starter_pid() -> int:
    """Who holds the other end of our tie, as the kernel knows it; 0 when we are not tied."""
    return 0 if _tie is None else peer_credentials(_tie)[0]


def _connect_tie() -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.connect(_lifeline_path())
    high = fcntl.fcntl(connection.fileno(), fcntl.F_DUPFD_CLOEXEC, ABOVE_THESPIAN)
    connection.close()
    tie = socket.socket(fileno=high)
    fcntl.fcntl(high, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(high, F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(high, fcntl.F_SETFL, fcntl.fcntl(high, fcntl.F_GETFL) | os.O_ASYNC | os.O_NONBLOCK)
    try:
        if tie.recv(1, socket.MSG_PEEK) == b"":
            os._exit(1)  # The starter ended before the signal was armed.
    except BlockingIOError:
        pass
    return tie


os.register_at_fork(before=_before_fork, after_in_child=_after_fork_in_child)
