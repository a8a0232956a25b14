"""The system calls by which a process gives up rights, none of which Python offers.

Every function raises OSError for what this kernel cannot or will not do.
"""

import ctypes
import errno
import os
import platform
import sys

from loki.core.runner import syscall_filter

PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT = 24, 38, 47  # Source: prctl(2)
PR_CAP_AMBIENT_CLEAR_ALL = 4
CAPABILITY_VERSION_3 = 0x20080522  # Source: capset(2)
CAPABILITIES = 64
CLONE_NEWUSER = 0x10000000  # Source: unshare(2)
SECCOMP_NUMBER = {"x86_64": 317, "aarch64": 277}
SECCOMP_SET_MODE_FILTER = 1  # Source: seccomp(2)
ALL_THREADS, KEEP_SPECULATION = 1, 4  # Flags: the other threads too; no slower than without.
CREATE_RULESET, RESTRICT_SELF = 444, 446  # Source: landlock(7); alike on all architectures.
ASK_VERSION = 1
FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 5: 16}  # ABI from which on the kernel knows so many bits.
NETWORK_SINCE, SCOPES_SINCE = 4, 6
BIND_AND_CONNECT = ABSTRACT_SOCKETS_AND_SIGNALS = 0b11

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def _prctl(option: int, *arguments: int) -> None:
    given = [ctypes.c_ulong(a) for a in (*arguments, 0, 0, 0, 0)[:4]]
    _checked(_libc.prctl(option, *given))


def _syscall(number: int, *arguments: object) -> int:
    return _checked(_libc.syscall(ctypes.c_long(number), *arguments))


def refuse_new_privileges() -> None:
    """No program that this process starts has more rights than it, set-user-id or not."""
    _prctl(PR_SET_NO_NEW_PRIVS, 1)


def drop_capabilities() -> None:
    """All, for good: root's exceptions are gone, and no program gives one back."""
    _prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    for capability in range(CAPABILITIES):
        try:
            _prctl(PR_CAPBSET_DROP, capability)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.EPERM):  # Unknown here; not ours to drop.
                raise
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    _checked(_libc.capset(header, (ctypes.c_uint32 * 6)()))


def enter_user_namespace() -> None:
    """Be root in a namespace of this process alone, still the same user for all others.

    Must be called before it has a second thread. Source: user_namespaces(7)
    """
    uid = os.geteuid()
    _checked(_libc.unshare(CLONE_NEWUSER))
    with open("/proc/self/uid_map", "w") as uids:
        uids.write(f"{uid} {uid} 1")


def landlock_version() -> int:
    """What this kernel's Landlock knows; it grows with each release that adds something."""
    return _syscall(CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(ASK_VERSION))


def landlock() -> int:
    """Refuse this thread, and those it starts, all that Landlock knows; its ABI version."""
    version = landlock_version()
    bits = max(count for since, count in FILE_RIGHTS.items() if since <= version)
    network = BIND_AND_CONNECT if version >= NETWORK_SINCE else 0
    scopes = ABSTRACT_SOCKETS_AND_SIGNALS if version >= SCOPES_SINCE else 0
    rules = (ctypes.c_uint64 * 3)((1 << bits) - 1, network, scopes)
    size = ctypes.c_size_t(ctypes.sizeof(rules))
    ruleset = _syscall(CREATE_RULESET, rules, size, ctypes.c_uint32(0))
    try:
        _syscall(RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint32(0))
    finally:
        os.close(ruleset)
    return version


class _Program(ctypes.Structure):
    """Source: struct sock_fprog in linux/filter.h"""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def machine() -> str:
    """Whose table of system calls this process uses: 32 bits have another on the same machine."""
    bits = "" if sys.maxsize > 2**32 else " with 32 bits"
    return platform.machine() + bits


def filter_system_calls() -> int:
    """Of all threads; how many calls are left."""
    table = machine()
    if table not in SECCOMP_NUMBER:
        raise OSError(errno.ENOSYS, f"Loki has no filter for {table}")
    code = syscall_filter.program(table, os.getpid())
    program = _Program(len(code), syscall_filter.packed(code))
    flags = ctypes.c_uint(ALL_THREADS | KEEP_SPECULATION)
    number = SECCOMP_NUMBER[table]
    stray = _syscall(number, ctypes.c_uint(SECCOMP_SET_MODE_FILTER), flags, ctypes.byref(program))
    if stray:
        raise OSError(errno.EBUSY, f"thread {stray} has a filter of its own")
    return syscall_filter.calls(table)
