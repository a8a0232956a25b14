"""Lets the disk fail under real processes: faulty_disk.c, built here, and the page it obeys."""

import ctypes
import mmap
import os
import subprocess
from collections.abc import Mapping
from enum import IntEnum, IntFlag
from pathlib import Path

SOURCE = Path(__file__).with_name("faulty_disk.c")
FOREVER = 2**31 - 1


class Kind(IntFlag):
    """Which calls fail."""

    WRITE = 1
    SYNC = 2
    NAME = 4  # Making, renaming, cutting and removing.
    ALL = 7


class How(IntEnum):
    BEFORE = 0
    HALF = 1  # Of a write: a short one, and the next is refused.
    AFTER = 2


class _Page(ctypes.Structure):
    _fields_ = (
        ("kinds", ctypes.c_int),
        ("code", ctypes.c_int),
        ("skip", ctypes.c_int),
        ("times", ctypes.c_int),
        ("how", ctypes.c_int),
        ("seen", ctypes.c_int),
        ("fired", ctypes.c_int),
        ("where", ctypes.c_char * 228),
    )


class FaultyDisk:
    """The page, in this process and in all that were started with `environment`."""

    def __init__(self, page: Path, library: Path | None = None) -> None:
        """Without `library` the page is somebody else's."""
        if library is not None:
            page.write_bytes(bytes(ctypes.sizeof(_Page)))
        self._library = library
        self._path = page
        with page.open("r+b") as file:
            self._page = _Page.from_buffer(mmap.mmap(file.fileno(), ctypes.sizeof(_Page)))

    @classmethod
    def build(cls, folder: Path) -> "FaultyDisk":
        """Needs a C compiler."""
        library = folder / "faulty_disk.so"
        command = ["cc", "-shared", "-fPIC", "-O1", "-Wall", "-o", str(library), str(SOURCE)]
        subprocess.run([*command, "-ldl"], check=True)
        return cls(folder / "faulty_disk.page", library)

    @property
    def environment(self) -> Mapping[str, str]:
        return {"LD_PRELOAD": str(self._library), "FAULTY_DISK": str(self._path)}

    def fail(
        self,
        kinds: Kind,
        code: int,
        where: str | os.PathLike[str],
        *,
        skip: int = 0,
        times: int = FOREVER,
        how: How = How.BEFORE,
    ) -> None:
        """Calls on files whose path contains `where` fail with `code`, after `skip` of them."""
        self.heal()
        page = self._page
        page.code, page.skip, page.times, page.how = code, skip, times, how
        page.seen = page.fired = 0
        page.where = os.fsencode(where)
        page.kinds = kinds

    def heal(self) -> None:
        self._page.kinds = 0

    @property
    def fired(self) -> int:
        """How many calls failed since `fail`."""
        return int(self._page.fired)
