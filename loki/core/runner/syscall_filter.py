"""Which system calls a walled process may make, as a program for the kernel's filter.

Theory of operation. The kernel runs a classic BPF program on each system call: `seccomp_data` in,
an action out. Ours is a list of what is allowed; the rest fails with EPERM, so that what a library
tries in vain is an error and not a death. A call of another architecture's table ends the process.
Calls allowed whatever their arguments are remembered by the kernel (since 5.11) and cost nothing;
the most frequent come first for kernels that do not.

Source: seccomp(2); linux/bpf_common.h, linux/seccomp.h, linux/audit.h; the numbers are those of
asm/unistd_64.h and asm-generic/unistd.h.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from errno import EPERM
from typing import TypeAlias

Instruction: TypeAlias = tuple[int, int, int, int]
"""Code, jump if true, jump if false, constant."""

LOAD, EQUAL, SET, RETURN = 0x20, 0x15, 0x45, 0x06
ALLOW, REFUSE, KILL = 0x7FFF0000, 0x00050000 | EPERM, 0x80000000
NUMBER_AT, ARCHITECTURE_AT, ARGUMENTS_AT = 0, 4, 16  # Offsets in seccomp_data, little endian.

AUDIT_ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
NONE = -1
FREE: Mapping[str, tuple[int, int]] = {  # name: number on x86_64, on aarch64
    "recvfrom": (45, 207),
    "sendto": (44, 206),
    "poll": (7, NONE),
    "ppoll": (271, 73),
    "futex": (202, 98),
    "setitimer": (38, 103),
    "clock_gettime": (228, 113),
    "getrusage": (98, 165),
    "munmap": (11, 215),
    "madvise": (28, 233),
    "brk": (12, 214),
    "mremap": (25, 216),
    "write": (1, 64),
    "read": (0, 63),
    "close": (3, 57),
    "accept4": (288, 242),
    "accept": (43, 202),
    "connect": (42, 203),
    "getsockopt": (55, 209),
    "recvmsg": (47, 212),
    "sendmsg": (46, 211),
    "shutdown": (48, 210),
    "getsockname": (51, 204),
    "getpeername": (52, 205),
    "readv": (19, 65),
    "writev": (20, 66),
    "lseek": (8, 62),
    "fstat": (5, 80),
    "select": (23, NONE),
    "pselect6": (270, 72),
    "sched_yield": (24, 124),
    "gettid": (186, 178),
    "getpid": (39, 172),
    "getppid": (110, 173),
    "getuid": (102, 174),
    "geteuid": (107, 175),
    "getgid": (104, 176),
    "getegid": (108, 177),
    "getrandom": (318, 278),
    "clock_getres": (229, 114),
    "clock_nanosleep": (230, 115),
    "nanosleep": (35, 101),
    "gettimeofday": (96, 169),
    "time": (201, NONE),
    "times": (100, 153),
    "getitimer": (36, 102),
    "timer_create": (222, 107),
    "timer_settime": (223, 110),
    "timer_gettime": (224, 108),
    "timer_delete": (226, 111),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "sigaltstack": (131, 132),
    "restart_syscall": (219, 128),
    "membarrier": (324, 283),
    "getcpu": (309, 168),
    "sched_getaffinity": (204, 123),
    "uname": (63, 160),
    "exit": (60, 93),
    "exit_group": (231, 94),
}
"""Allowed whatever their arguments are: on what is open already, on own memory, on own time."""


@dataclass(frozen=True, slots=True)
class Among:
    """The low 32 bits of an argument are one of these."""

    argument: int
    values: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Lacks:
    """The low 32 bits of an argument have none of these set."""

    argument: int
    bits: int


Condition: TypeAlias = Among | Lacks

AF_UNIX = 1
SOL_TCP, TCP_NODELAY = 6, 1
PROT_EXEC = 4
RLIMIT_CPU = 0
FIONBIO, FIOCLEX = 0x5421, 0x5451
F_GETFD, F_SETFD, F_GETFL, F_SETFL = 1, 2, 3, 4  # Not F_SETOWN: it sends signals to others.


def bound(pid: int) -> Mapping[tuple[int, int], tuple[Condition, ...]]:
    """Numbers of what the process `pid` may call with some arguments only."""
    not_executable = (Lacks(2, PROT_EXEC),)
    return {
        (302, 261): (Among(0, (0,)), Among(1, (RLIMIT_CPU,))),  # prlimit64, of itself
        (9, 222): not_executable,  # mmap
        (10, 226): not_executable,  # mprotect
        (41, 198): (Among(0, (AF_UNIX,)),),  # socket
        (54, 208): (Among(1, (SOL_TCP,)), Among(2, (TCP_NODELAY,))),  # setsockopt
        (72, 25): (Among(1, (F_GETFD, F_SETFD, F_GETFL, F_SETFL)),),  # fcntl
        (16, 29): (Among(1, (FIONBIO, FIOCLEX)),),  # ioctl
        (234, 131): (Among(0, (pid,)),),  # tgkill, as abort() does
    }


def program(machine: str, pid: int) -> tuple[Instruction, ...]:
    """The filter for one process. Raises: KeyError for a machine that has none."""
    column = list(AUDIT_ARCHITECTURE).index(machine) if machine in AUDIT_ARCHITECTURE else None
    if column is None:
        raise KeyError(machine)
    instructions: list[Instruction] = [
        (LOAD, 0, 0, ARCHITECTURE_AT),
        (EQUAL, 1, 0, AUDIT_ARCHITECTURE[machine]),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, NUMBER_AT),
    ]
    for numbers in FREE.values():
        if numbers[column] != NONE:
            instructions += [(EQUAL, 0, 1, numbers[column]), (RETURN, 0, 0, ALLOW)]
    for numbers, conditions in bound(pid).items():
        block = [instruction for each in conditions for instruction in _check(each)]
        block.append((RETURN, 0, 0, ALLOW))
        instructions += [(EQUAL, 0, len(block), numbers[column]), *block]
    return (*instructions, (RETURN, 0, 0, REFUSE))


def _check(condition: Condition) -> list[Instruction]:
    """Goes on behind itself if the condition holds, else refuses."""
    load = (LOAD, 0, 0, ARGUMENTS_AT + 8 * condition.argument)
    refuse = (RETURN, 0, 0, REFUSE)
    match condition:
        case Lacks(_, bits):
            return [load, (SET, 0, 1, bits), refuse]
        case Among(_, values):
            tests = [(EQUAL, len(values) - i, 0, value) for i, value in enumerate(values)]
            return [load, *tests, refuse]


def packed(instructions: tuple[Instruction, ...]) -> bytes:
    """As the kernel takes it: an array of `struct sock_filter`."""
    return b"".join(struct.pack("<HBBI", *instruction) for instruction in instructions)


def calls(machine: str) -> int:
    """How many system calls are left."""
    column = list(AUDIT_ARCHITECTURE).index(machine)
    return sum(numbers[column] != NONE for numbers in FREE.values()) + len(bound(0))
