"""Modes and access control lists, and who may touch a file then."""

import os
import struct
from pathlib import Path

import pytest

from loki.core.file_access import is_private

OWNER, USER, GROUP_OF_FILE, GROUP, MASK, OTHER = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
NOBODY = 0xFFFFFFFF
ME, ELSE = 64001, 64002


def acl(*entries: tuple[int, int, int], version: int = 2) -> bytes:
    return struct.pack("<I", version) + b"".join(struct.pack("<HHI", *each) for each in entries)


def listed(*extra: tuple[int, int, int], group: int = 0) -> bytes:
    first, last = (OWNER, 6, NOBODY), (OTHER, 0, NOBODY)
    return acl(first, *extra, (GROUP_OF_FILE, group, NOBODY), (MASK, 4, NOBODY), last)


@pytest.mark.parametrize(
    ("mode", "listing", "private"),
    [
        (0o600, b"", True),
        (0o400, b"", True),
        (0o700, b"", True),
        (0o640, b"", False),
        (0o620, b"", False),
        (0o610, b"", False),
        (0o604, b"", False),
        (0o440, listed((USER, 4, ME)), True),  # As systemd gives a credential to a service.
        (0o440, listed((USER, 4, 0)), True),
        (0o440, listed((USER, 4, ELSE)), False),
        (0o440, listed((USER, 4, ME), group=4), False),
        (0o440, listed((USER, 4, ME), (GROUP, 4, ELSE)), False),
        (0o440, listed((USER, 2, ELSE)), True),  # Which the mask takes away.
        (0o444, listed((USER, 4, ME)), False),
        (0o440, acl((OWNER, 6, NOBODY), (GROUP_OF_FILE, 4, NOBODY)), False),
        (0o440, acl((OWNER, 6, NOBODY), version=3), False),
    ],
)
def test_who_may_touch_it(mode: int, listing: bytes, private: bool) -> None:
    assert is_private(mode, listing, ME) is private


def test_the_kernel_writes_lists_as_we_read_them(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.touch(0o600)
    name = "system.posix_acl_access"
    try:
        os.setxattr(path, name, listed((USER, 4, ME)))
    except OSError:
        pytest.skip("this file system has no access control lists")
    mode, held = path.stat().st_mode, os.getxattr(path, name)
    assert mode & 0o077 == 0o040
    assert is_private(mode, held, ME)
    assert not is_private(mode, held, ELSE)
