"""What systemd is told: that Loki serves, that it still does, that it stops.

The protocol is one datagram of lines to a socket that the environment names. Nothing is told where
no service manager asked. Source: sd_notify(3), sd_watchdog_enabled(3).
"""

import logging
import os
import socket
from collections.abc import MutableMapping

VARIABLES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")

log = logging.getLogger("loki.starter")


class ServiceManager:
    """systemd, or nobody."""

    def __init__(self, address: str = "", watchdog_s: float = 0.0) -> None:
        """`address` is a path, or "@" and an abstract name; "" is nobody.

        `watchdog_s` is how long we may be silent; 0 is for ever.
        """
        self._address = address
        self.watchdog_s = watchdog_s if address else 0.0

    @classmethod
    def take_from(cls, environment: MutableMapping[str, str], pid: int) -> "ServiceManager":
        """The one that started the process `pid`, if one did. Its variables are taken out: what we
        fork must not speak for us.
        """
        address, usec, whose = (environment.pop(name, "") for name in VARIABLES)
        if not usec.isdecimal() or whose not in ("", str(pid)):
            usec = "0"
        return cls(address, int(usec) / 1e6)

    def tell(self, *lines: str) -> None:
        """Never blocks, never raises: a service manager that does not listen ends nothing."""
        if not self._address:
            return
        message = "\n".join(line.replace("\n", " ") for line in lines)
        name = self._address.encode()
        if name.startswith(b"@"):
            name = b"\0" + name[1:]
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as out:
                out.sendto(message.encode(), name)
        except OSError as error:
            log.warning("the service manager is not told %s: %s", lines[0], error)


def service_manager() -> ServiceManager:
    """Ours."""
    return ServiceManager.take_from(os.environ, os.getpid())
