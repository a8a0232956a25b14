"""Who is at the other end of a socket, in words that only the kernel can give."""

import os
import socket
import struct
from dataclasses import dataclass
from pathlib import Path


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
