"""How far the kernel lets a runner go: nets behind the budgets, which are tighter."""

import math

MIB = 1024 * 1024
HEAPS = 4  # A heap, what malloc loses in it, and a big result on its way out.
ROOM_MB = 256
DESCRIPTORS = 64  # Lanes to all actors, twice over.
RESERVED = 512
"""Descriptors of a gateway that are no connections of clients: lanes to runners, files, HTTP."""


def data_bytes(used_bytes: int, ceiling_mb: int) -> int:
    """Most private memory of a process that has `used_bytes` before its first run.

    `ceiling_mb` is the largest Lua heap that the settings allow: a run that reaches it must meet
    its own budget, and never this.
    """
    return used_bytes + (HEAPS * ceiling_mb + ROOM_MB) * MIB


def cpu_soft_s(used_s: float, bound_s: float) -> int:
    """Second of CPU time at which the kernel ends a process, so far `used_s`.

    It counts whole seconds, and checks about once in one; the watchdog must come first.
    """
    return math.ceil(used_s + bound_s) + 1


def connections(wanted: int, soft: int, hard: int) -> tuple[int, int]:
    """How many files a gateway may open from now on, and how many connections fit into that.

    `soft` and `hard` are what the kernel allows now; its -1 is without a bound.
    """
    most = hard if hard >= 0 else wanted + RESERVED
    files = soft if soft < 0 or soft > most else min(max(soft, wanted + RESERVED), most)
    room = wanted if files < 0 else files - RESERVED
    return files, max(1, min(wanted, room))
