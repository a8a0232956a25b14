"""The run directory, where every actor of the device has a socket with its name."""

import os
import socket
from pathlib import Path

from loki.actors.door.peer import peer_credentials

BACKLOG = 128


class RunDirectory:
    """Held open by its actor, so that its path may be as long as it likes, and may vanish."""

    def __init__(self, path: Path) -> None:
        self.descriptor = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        self._base = f"/proc/self/fd/{self.descriptor}"

    def _path(self, name: str) -> str:
        """Short however deep the directory is: sun_path holds 108 bytes."""
        return f"{self._base}/{name}.lane"

    def listen(self, name: str) -> socket.socket:
        """Be reached under a name; what an earlier incarnation left there is removed."""
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        listener.setblocking(False)
        path = self._path(name)
        if os.path.lexists(path):
            os.unlink(path)
        listener.bind(path)
        listener.listen(BACKLOG)
        return listener

    def reach(self, name: str) -> socket.socket:
        """Raises: OSError when nobody listens there, or has no room."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            connection.setblocking(False)
            connection.connect(self._path(name))
        except BaseException:
            connection.close()
            raise
        return connection

    def listener_pid(self, name: str) -> int:
        """Who listens under a name, as the kernel knows it; 0 when nobody does."""
        try:
            with self.reach(name) as probe:
                return peer_credentials(probe)[0]
        except OSError:
            return 0

    def shut_in(self) -> None:
        """Make it this process's root: from now on nothing but lanes has a path.

        Raises: OSError without the privilege.
        """
        os.fchdir(self.descriptor)
        os.chroot(".")
        self._base = ""

    def close(self) -> None:
        os.close(self.descriptor)
