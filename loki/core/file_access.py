"""Whether a file is for its owner alone, as its mode and its access control list say.

Source: acl(5); linux/posix_acl_xattr.h. An entry is a tag, permissions and a user or group.
"""

import stat
import struct
from collections.abc import Iterator

HEADER, ENTRY = struct.Struct("<I"), struct.Struct("<HHI")
VERSION = 2
USER, GROUP_OF_FILE, GROUP, MASK = 0x02, 0x04, 0x08, 0x10
ROOT = 0


def is_private(mode: int, acl: bytes, user: int) -> bool:
    """Whether nobody but the owner, root and `user` may touch it. `acl` is empty without a list.

    With a list the group's bits of the mode say what the list may allow at most, not to whom: so
    systemd gives a credential to the user of a service.
    """
    if mode & stat.S_IRWXO:
        return False
    if not acl:
        return not mode & stat.S_IRWXG
    (version,) = HEADER.unpack_from(acl)
    if version != VERSION:
        return False
    entries = tuple(_entries(acl))
    mask = next((allowed for tag, allowed, _ in entries if tag == MASK), 7)
    return not any(
        allowed & mask
        and (tag in (GROUP_OF_FILE, GROUP) or (tag == USER and whose not in (user, ROOT)))
        for tag, allowed, whose in entries
    )


def _entries(acl: bytes) -> Iterator[tuple[int, int, int]]:
    yield from ENTRY.iter_unpack(acl[HEADER.size :])
