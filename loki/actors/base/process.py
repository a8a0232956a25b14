"""What a process of Loki does for itself: its name, and memory that stays shared with its kin.

All actors are forks of the starter, and a page of memory is shared until somebody writes to it.
The garbage collector would write to every object there is, also to those that a fork inherited
and never uses: so these are taken out of its sight in the child.
"""

import contextlib
import ctypes
import gc
import os
from functools import cache
from pathlib import Path

_libc = ctypes.CDLL(None)


_own_name = "starter"


def own_name() -> str:
    """Of the actor that lives in this process."""
    return _own_name


def name_process(name: str) -> None:
    """What the log, ps and top show. Source: proc(5), /proc/self/comm, 15 bytes."""
    global _own_name
    _own_name = name
    with contextlib.suppress(OSError):
        Path("/proc/self/comm").write_text(f"loki:{name}"[:15])


@cache
def share_memory() -> None:
    """Called by the starter when all is imported that its forks have in common; works once."""
    give_back_memory()
    os.register_at_fork(after_in_child=gc.freeze)


def give_back_memory() -> None:
    """To the kernel, what this process has freed; called after imports, which free much."""
    gc.collect()
    if hasattr(_libc, "malloc_trim"):  # Not every libc has it.
        _libc.malloc_trim(0)


def cpu_use(pid: int) -> tuple[bool, int]:
    """Whether a process uses or awaits the CPU now, and how many clock ticks of it it has used.

    (False, 0) when it is gone. Source: proc(5), fields 3, 14 and 15 of /proc/pid/stat.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return False, 0
    state, *numbers = stat.rpartition(b")")[2].split()
    return state == b"R", int(numbers[10]) + int(numbers[11])
