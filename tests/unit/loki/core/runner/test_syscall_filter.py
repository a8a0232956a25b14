"""The filter of system calls, run as the kernel would run it."""

import struct
from itertools import pairwise

import pytest

from loki.core.runner import syscall_filter as sf

PID = 4711
MACHINES = tuple(sf.AUDIT_ARCHITECTURE)
ERROR = 0x00050001  # SECCOMP_RET_ERRNO with EPERM.
on_each = pytest.mark.parametrize("machine", MACHINES)

REFUSED = {  # name: number on x86_64, on aarch64
    "openat": (257, 56),
    "openat2": (437, 437),
    "execve": (59, 221),
    "execveat": (322, 281),
    "clone": (56, 220),
    "clone3": (435, 435),
    "fork": (57, -1),
    "vfork": (58, -1),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "kill": (62, 129),
    "tkill": (200, 130),
    "rt_sigqueueinfo": (129, 138),
    "pidfd_send_signal": (424, 424),
    "mount": (165, 40),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "keyctl": (250, 219),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "unshare": (272, 97),
    "setns": (308, 268),
    "chroot": (161, 51),
    "bind": (49, 200),
    "listen": (50, 201),
    "prctl": (157, 167),
    "seccomp": (317, 277),
    "memfd_create": (319, 279),
    "pkey_mprotect": (329, 288),
    "personality": (135, 92),
    "process_madvise": (440, 440),
}


def run(machine: str, number: int, *arguments: int, architecture: int | None = None) -> int:
    """The action for one call. Source: the semantics of classic BPF in linux/filter.txt"""
    which = sf.AUDIT_ARCHITECTURE[machine] if architecture is None else architecture
    data = struct.pack("<iIQ6Q", number, which, 0, *(*arguments, 0, 0, 0, 0, 0, 0)[:6])
    code = sf.program(machine, PID)
    at, register = 0, 0
    while True:
        operation, if_true, if_false, constant = code[at]
        at += 1
        match operation:
            case sf.LOAD:
                (register,) = struct.unpack_from("<I", data, constant)
            case sf.EQUAL:
                at += if_true if register == constant else if_false
            case sf.SET:
                at += if_true if register & constant else if_false
            case sf.RETURN:
                return constant


def column(machine: str) -> int:
    return MACHINES.index(machine)


@on_each
@pytest.mark.parametrize("name", REFUSED)
def test_what_reaches_out_is_refused(machine: str, name: str) -> None:
    number = REFUSED[name][column(machine)]
    if number >= 0:
        assert run(machine, number) == ERROR


@on_each
@pytest.mark.parametrize("name", sf.FREE)
def test_what_a_run_needs_is_allowed(machine: str, name: str) -> None:
    number = sf.FREE[name][column(machine)]
    if number >= 0:
        assert run(machine, number) == sf.ALLOW


@on_each
def test_nothing_else_is_allowed(machine: str) -> None:
    allowed = {n for n in range(1024) if run(machine, n, PID) == sf.ALLOW}
    free = {numbers[column(machine)] for numbers in sf.FREE.values()} - {sf.NONE}
    conditional = {numbers[column(machine)] for numbers in sf.bound(PID)}
    assert allowed - conditional == free
    assert len(free) + len(conditional) == sf.calls(machine)


@on_each
def test_another_table_of_calls_ends_the_process(machine: str) -> None:
    i386, x32_read = 0x40000003, 0x40000000
    assert run(machine, 0, architecture=i386) == sf.KILL
    assert run(machine, x32_read) == ERROR


NUMBER = {
    "prlimit64": (302, 261),
    "mmap": (9, 222),
    "mprotect": (10, 226),
    "socket": (41, 198),
    "setsockopt": (54, 208),
    "fcntl": (72, 25),
    "ioctl": (16, 29),
    "tgkill": (234, 131),
}
CASES = [  # call, arguments, whether it is allowed
    ("socket", (1, 5), True),
    ("socket", (2, 1), False),
    ("socket", (10, 1), False),
    ("socket", (16, 3), False),
    ("socket", (17, 3), False),
    ("mmap", (0, 4096, 3), True),
    ("mmap", (0, 4096, 5), False),
    ("mmap", (0, 4096, 7), False),
    ("mprotect", (0, 4096, 1), True),
    ("mprotect", (0, 4096, 4), False),
    ("prlimit64", (0, 0), True),
    ("prlimit64", (0, 7), False),
    ("prlimit64", (1, 0), False),
    ("tgkill", (PID, PID, 6), True),
    ("tgkill", (1, 1, 9), False),
    ("fcntl", (3, 3), True),
    ("fcntl", (3, 4), True),
    ("fcntl", (3, 8), False),  # F_SETOWN
    ("fcntl", (3, 10), False),  # F_SETSIG
    ("fcntl", (3, 15), False),  # F_SETOWN_EX
    ("ioctl", (3, 0x5421), True),  # FIONBIO
    ("ioctl", (3, 0x5412), False),  # TIOCSTI
    ("ioctl", (3, 0x8901), False),  # FIOSETOWN
    ("setsockopt", (3, 6, 1), True),
    ("setsockopt", (3, 1, 26), False),  # SO_ATTACH_FILTER
    ("setsockopt", (3, 6, 13), False),
]


@on_each
@pytest.mark.parametrize(("name", "arguments", "allowed"), CASES)
def test_arguments_decide(
    machine: str, name: str, arguments: tuple[int, ...], allowed: bool
) -> None:
    action = run(machine, NUMBER[name][column(machine)], *arguments)
    assert action == (sf.ALLOW if allowed else ERROR)


@on_each
def test_what_the_kernel_ignores_of_an_argument_is_ignored(machine: str) -> None:
    number = NUMBER["socket"][column(machine)]
    assert run(machine, number, 0xDEAD_0000_0001) == sf.ALLOW
    assert run(machine, number, 0x1_0000_0002) == ERROR


@on_each
def test_the_kernel_takes_the_program(machine: str) -> None:
    """Source: bpf_check_classic: at most 4096 instructions, jumps inside, a return at the end."""
    code = sf.program(machine, PID)
    assert len(sf.packed(code)) == 8 * len(code)
    assert len(code) < 4096
    assert code[-1][0] == sf.RETURN
    for at, (_, if_true, if_false, _) in enumerate(code[:-1]):
        assert at + 1 + max(if_true, if_false) < len(code)
        assert max(if_true, if_false) < 256


@on_each
def test_the_most_frequent_calls_come_first(machine: str) -> None:
    names = list(sf.FREE)
    assert all(names.index(a) < names.index(b) for a, b in pairwise(("sendto", "poll", "uname")))
    assert names[0] == "recvfrom"
    first = sf.program(machine, PID)[4]
    assert first[3] == sf.FREE["recvfrom"][column(machine)]


def test_an_unknown_machine_has_no_filter() -> None:
    with pytest.raises(KeyError):
        sf.program("riscv64", PID)
