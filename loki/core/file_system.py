"""Which file systems tell of their changes: those that only this kernel writes to."""

import re

REMOTE = re.compile(
    r"nfs\d?|cifs|smb\d?|smbfs|9p|afs|ceph|fuse(\..+)?|glusterfs|lustre|vboxsf|virtiofs|prl_fs"
)
"""Others change them as well, and the kernel hears nothing of that. FUSE is up to its server."""
TOLD = frozenset({"fuse.lxcfs", "fuseblk"})


def remote(mounts: str, device: tuple[int, int]) -> str:
    """The kind of the file system with that device number if it keeps silent about changes, or "".

    `mounts` is what /proc/self/mountinfo says. Source: proc_pid_mountinfo(5).
    """
    wanted = f"{device[0]}:{device[1]}"
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        fields, kind = before.split(), after.split(" ", 1)[0]
        if len(fields) > 2 and fields[2] == wanted and kind not in TOLD:
            return kind if REMOTE.fullmatch(kind) else ""
    return ""
