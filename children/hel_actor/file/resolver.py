"""Opening a path so that nothing outside one directory can be reached through it.

Two ways, which allow the same: the kernel's own resolver with its limits (openat2), and a walk
that opens one component after the other. Neither follows any symbolic link, and neither crosses
into another file system.
"""

import ctypes
import errno
import os
from typing import Protocol

DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

MAX_PATH_BYTES = 4096
MAX_NAME_BYTES = 255
MAX_DEPTH = 100
"""Names in one path. Work on a tree grows with the square of its depth."""

# Source: openat2(2), linux/openat2.h.
SYS_OPENAT2 = 437
RESOLVE_NO_XDEV = 0x01
RESOLVE_NO_MAGICLINKS = 0x02
RESOLVE_NO_SYMLINKS = 0x04
RESOLVE_BENEATH = 0x08
RESOLVE = RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH

_syscall = ctypes.CDLL(None, use_errno=True).syscall
_syscall.restype = ctypes.c_long


class Refusal(Exception):
    """Why a path or what it leads to is not served; continues "cannot read 'x': it ..."."""


class Resolver(Protocol):
    def __call__(self, root: int, path: bytes, flags: int) -> int:
        """Open `path`, as `parse` gives it, beneath the directory `root`. Raises: OSError."""


def parse(path: str) -> bytes:
    """The path in its shortest form, as UTF-8; "." for the directory itself.

    Raises: Refusal for what is empty, absolute, too long, no text, or has a `..` component.
    """
    try:
        raw = path.encode()
    except UnicodeEncodeError:
        raise Refusal("is not valid UTF-8") from None
    if not raw:
        raise Refusal("is empty")
    if b"\0" in raw:
        raise Refusal("contains a zero byte")
    if len(raw) > MAX_PATH_BYTES:
        raise Refusal(f"is longer than {MAX_PATH_BYTES} bytes")
    if raw.startswith(b"/"):
        raise Refusal("must not begin with '/': paths start at the script's own directory")
    names = [name for name in raw.split(b"/") if name not in (b"", b".")]
    if b".." in names:
        raise Refusal("must not contain '..'")
    if len(names) > MAX_DEPTH:
        raise Refusal(f"is deeper than {MAX_DEPTH} folders")
    if any(len(name) > MAX_NAME_BYTES for name in names):
        raise Refusal(f"has a name longer than {MAX_NAME_BYTES} bytes")
    return b"/".join(names) or b"."


class _OpenHow(ctypes.Structure):
    _fields_ = (
        ("flags", ctypes.c_uint64),
        ("mode", ctypes.c_uint64),
        ("resolve", ctypes.c_uint64),
    )


def open_beneath(root: int, path: bytes, flags: int) -> int:
    """By openat2, Linux 5.6 and later."""
    how = _OpenHow(flags=flags | os.O_CLOEXEC, mode=0, resolve=RESOLVE)
    descriptor = _syscall(
        ctypes.c_long(SYS_OPENAT2),
        ctypes.c_long(root),
        ctypes.c_char_p(path),
        ctypes.byref(how),
        ctypes.c_size_t(ctypes.sizeof(how)),
    )
    if descriptor < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return int(descriptor)


def walk(root: int, path: bytes, flags: int) -> int:
    """By one open for each component."""
    *parents, last = path.split(b"/")
    at = os.dup(root)
    try:
        for name in parents:
            deeper = _open_here(at, name, os.O_PATH | os.O_DIRECTORY)
            os.close(at)
            at = deeper
        return _open_here(at, last, flags)
    finally:
        os.close(at)


def _open_here(directory: int, name: bytes, flags: int) -> int:
    descriptor = os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    if os.fstat(descriptor).st_dev != os.fstat(directory).st_dev:
        os.close(descriptor)
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
    return descriptor


def best_resolver() -> Resolver:
    """openat2 where the kernel has it and lets us, else the walk."""
    root = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.close(open_beneath(root, b".", os.O_PATH | os.O_DIRECTORY))
    except OSError:
        return walk
    finally:
        os.close(root)
    return open_beneath
