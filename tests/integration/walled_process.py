"""A process that tries things, raises walls, and tries them again.

Arguments: a folder that its user owns, the user's number, the names of the walls ("all" is as in a
runner), then what the attempts need as JSON. Its last line on stderr, which the walls leave it, is
JSON: name of a try to the name of its error, or "", before and after.
"""

import ctypes
import errno
import fcntl
import json
import mmap
import os
import resource
import signal
import socket
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any

from loki.actors.base import transport
from loki.actors.base.selector import LOOP
from loki.actors.door.door import Door
from loki.actors.runner import walls
from loki.actors.runner.cpu_limit import CpuLimit
from loki.messages.dispatch import RunnerConfig
from loki.messages.script import Limits

PR_SET_PDEATHSIG, PR_GET_PDEATHSIG, PR_SET_DUMPABLE = 1, 2, 4  # Source: prctl(2)
CEILING_MB = 1
TOO_MUCH_MB, TOO_MANY = 512, 80
libc = ctypes.CDLL(None, use_errno=True)
OWN = ctypes.create_string_buffer(b"readable", 8)


class Vector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class Attempts:
    """Each method is one attempt; it raises OSError where the kernel refuses."""

    def __init__(self, door: Door, victim: int, given: dict[str, Any]) -> None:
        self._door = door
        self._victim = victim
        self._given = given
        self._cpu_limit = CpuLimit()
        self._bounds_s = count(100)  # Another each time, or nothing would be asked for.

    def all(self) -> dict[str, str]:
        names = [name for name in vars(Attempts) if not name.startswith("_") and name != "all"]
        return {name: self._outcome(getattr(self, name)) for name in names}

    @staticmethod
    def _outcome(attempt: Callable[[], None]) -> str:
        try:
            attempt()
        except OSError as error:
            return errno.errorcode[error.errno or 0]
        except RuntimeError:
            return "EAGAIN"  # What Python makes of a thread that cannot start.
        return ""

    def read_file(self) -> None:
        os.close(os.open("/etc/passwd", os.O_RDONLY))

    def grow_file(self) -> None:
        descriptor = os.open(self._given["file"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            os.write(descriptor, b"x")
        finally:
            os.close(descriptor)

    def fork(self) -> None:
        if pid := os.fork():
            os.waitpid(pid, 0)
        else:
            os._exit(0)

    def execute(self) -> None:
        os.execve("/no such program", ["-"], {})

    def start_thread(self) -> None:
        thread = threading.Thread(target=int)
        thread.start()
        thread.join()

    def map_code(self) -> None:
        mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_EXEC).close()

    def take_memory(self) -> None:
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        mmap.mmap(-1, TOO_MUCH_MB << 20, flags=flags).close()

    def open_many(self) -> None:
        opened: list[int] = []
        try:
            while len(opened) < TOO_MANY:
                opened.append(os.dup(2))
        finally:
            for descriptor in opened:
                os.close(descriptor)

    def connect_tcp(self) -> None:
        socket.create_connection(("127.0.0.1", self._given["port"])).close()

    def bind_tcp(self) -> None:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))

    def open_udp(self) -> None:
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close()

    def open_netlink(self) -> None:
        socket.socket(socket.AF_NETLINK, socket.SOCK_RAW).close()

    def connect_abstract(self) -> None:
        self._connect("\0" + self._given["abstract"])

    def connect_named(self) -> None:
        self._connect(self._given["named"])

    @staticmethod
    def _connect(path: str) -> None:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(path)

    def signal_other(self) -> None:
        os.kill(self._victim, 0)

    def signal_by_owner(self) -> None:
        fcntl.fcntl(self._door.exchange._listener, fcntl.F_SETOWN, self._victim)

    def read_memory(self) -> None:
        copy = ctypes.create_string_buffer(8)
        here = Vector(ctypes.addressof(copy), 8)
        there = Vector(ctypes.addressof(OWN), 8)
        if (
            libc.process_vm_readv(
                self._victim, ctypes.byref(here), 1, ctypes.byref(there), 1, ctypes.c_ulong(0)
            )
            < 0
        ):
            raise OSError(ctypes.get_errno(), "")

    def change_groups(self) -> None:
        os.setgroups([])

    def find_secret(self) -> None:
        """The environment as Python, the C library and the kernel have it."""
        libc.getenv.restype = ctypes.c_char_p
        block = ctypes.string_at(*self._given["environment_block"])
        if not ("SECRET" in os.environ or libc.getenv(b"SECRET") or b"SECRET" in block):
            raise FileNotFoundError(errno.ENOENT, "")

    def use_inherited(self) -> None:
        os.write(self._given["inherited"], b"x")

    def die_with_parent(self) -> None:
        """The kernel forgets this wish when a process gains rights."""
        wish = ctypes.c_int()
        if libc.prctl(PR_GET_PDEATHSIG, ctypes.byref(wish)) < 0:
            raise OSError(ctypes.get_errno(), "")
        if wish.value != signal.SIGKILL:
            raise ProcessLookupError(errno.ESRCH, "")

    def reach_lane(self) -> None:
        """Not an attack: this must always work."""
        if not self._door.exchange.directory.listener_pid("peer"):
            raise FileNotFoundError(errno.ENOENT, "")

    def bound_cpu(self) -> None:
        """Nor is this."""
        self._cpu_limit.allow(0, next(self._bounds_s))


def become(uid: int) -> None:
    """An ordinary user that may be looked into by itself, as after a login."""
    if uid != os.getuid():
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)


def victim(life: int) -> int:
    """A process of the same user, which ends when nobody can write to the pipe `life` any more."""
    if pid := os.fork():
        return pid
    os.dup2(0, 2)  # Nobody waits for what it has to say.
    os.read(life, 1)
    os._exit(0)


def environment_block() -> tuple[int, int]:
    fields = Path("/proc/self/stat").read_bytes().rpartition(b")")[2].split()
    return int(fields[47]), int(fields[48]) - int(fields[47])


def main(folder: str, uid: str, names: str, given: str) -> None:
    transport.install(os.urandom(32))
    become(int(uid))
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    LOOP.listen_to_threads()
    peer = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    peer.bind(f"{folder}/peer.lane")
    peer.listen()  # And the victim keeps it open.
    wants = json.loads(given)
    other = victim(wants["life"])
    door = Door("walled", Path(folder), LOOP, crashed=lambda error, _: print(error))
    attempts = Attempts(door, other, wants | {"environment_block": environment_block()})
    report: dict[str, Any] = {"victim": other, "before": attempts.all()}
    if names == "all":
        settings = RunnerConfig(modules=(), walled=True, ceiling=Limits(max_memory_mb=CEILING_MB))
        with walls.around(door, settings) as raised:
            thread = ThreadPoolExecutor(1)
            thread.submit(int).result()
        report["thread"] = thread.submit(attempts.all).result()
    else:
        data_bytes = walls.rlimit.data_bytes(walls.private_bytes(), CEILING_MB)
        every = walls.binding_the_thread(door.exchange) | walls.binding_the_process(data_bytes)
        walls.load_what_loads_late()
        raised = [walls.raise_wall((name, every[name])) for name in names.split(",")]
    report["after"] = attempts.all()
    report["missing"] = {wall.name: wall.detail for wall in raised if not wall.active}
    os.write(2, b"\n" + json.dumps(report).encode() + b"\n")
    os._exit(0)


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main(*sys.argv[1:])
