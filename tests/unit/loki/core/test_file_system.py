"""File systems that others write to, as the kernel lists them."""

import pytest

from loki.core.file_system import remote

MOUNTS = """\
22 28 0:20 / /sys rw,nosuid shared:7 - sysfs sysfs rw
28 1 259:2 / / rw,relatime shared:1 - ext4 /dev/nvme0n1p2 rw
40 28 0:44 / /data rw,relatime shared:20 master:3 - nfs4 server:/export rw,vers=4.2
41 28 0:45 / /home/with\\040blank rw - fuse.sshfs me@host: rw
42 28 0:46 / /x rw - fuseblk /dev/sda1 rw
43 28 0:47 / /y rw - overlay overlay rw
44 28 0:48 / /z rw - 9p tag rw
nonsense
"""


@pytest.mark.parametrize(
    ("device", "kind"),
    [
        ((259, 2), ""),
        ((0, 44), "nfs4"),
        ((0, 45), "fuse.sshfs"),
        ((0, 46), ""),
        ((0, 47), ""),
        ((0, 48), "9p"),
        ((9, 9), ""),
    ],
)
def test_which_are_silent(device: tuple[int, int], kind: str) -> None:
    assert remote(MOUNTS, device) == kind
