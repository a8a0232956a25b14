"""Files that are used as memory: what a killed process wrote there is there for its successor."""

import mmap
import os
from pathlib import Path


def mapped(path: Path, size_bytes: int) -> mmap.mmap:
    """The file, all zeros at first; one of another size is of another board and begins anew.

    Raises: OSError.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if os.fstat(descriptor).st_size != size_bytes:
            os.ftruncate(descriptor, 0)
            os.ftruncate(descriptor, size_bytes)
        return mmap.mmap(descriptor, size_bytes)
    finally:
        os.close(descriptor)
