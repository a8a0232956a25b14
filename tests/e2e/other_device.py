"""Serves on every address of a network of its own, and calls from this and from another device.

For `test_security.py`, which starts it in an empty network namespace: nothing gets out of there.
Prints who the callers were, or why they were refused, as JSON.
"""

import fcntl
import json
import socket
import struct
import subprocess
import sys
from pathlib import Path

from loki.client import Credentials, LokiClient, LokiClientError
from loki.testing import LokiServer

ELSEWHERE = "10.9.8.7"
SIOCSIFFLAGS, SIOCSIFADDR = 0x8914, 0x8916  # Source: netdevice(7).
IFF_UP = 1
SETTINGS = """
grpc_host = "0.0.0.0"
[security]
tls_certificate = "{tls}/server.crt"
tls_key = "{tls}/server.key"
[security.principals.panel]
token_file = "{tls}/panel.token"
roles = ["run"]
"""
TOOLS = """
[[tools]]
name = "hello"
return_type = "string"
script = { inline = "return 'hello'" }
"""


def make_network() -> None:
    """The loopback, and an address on it that is not of the loopback's."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        up = struct.pack("16sH14x", b"lo", IFF_UP)
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, up)
        address = struct.pack("16sH2x4s8x", b"lo:1", socket.AF_INET, socket.inet_aton(ELSEWHERE))
        fcntl.ioctl(any_socket, SIOCSIFADDR, address)


def caller(address: str, credentials: Credentials) -> str:
    """The principal that a call was made by, or how it failed."""
    with LokiClient(address, credentials=credentials, timeout_s=20) as client:
        try:
            return client.get_execution(client.execute("hello").id).principal
        except LokiClientError as error:
            return error.reason or error.code_name


def main(tls: Path) -> None:
    make_network()
    words = ["init-tls", str(tls), "--host", ELSEWHERE, "--token", "panel"]
    subprocess.run([sys.executable, "-m", "loki", *words], check=True, stdout=subprocess.DEVNULL)
    ca = (tls / "ca.crt").read_bytes()
    token = (tls / "panel.token").read_text().strip()
    with LokiServer(config=SETTINGS.format(tls=tls), tools=TOOLS) as server:
        port = server.address.rpartition(":")[2]
        here, there = f"127.0.0.1:{port}", f"{ELSEWHERE}:{port}"
        print(
            json.dumps(
                {
                    "here": caller(here, Credentials(ca=ca)),
                    "there": caller(there, Credentials(ca=ca)),
                    "there, with a token": caller(there, Credentials(ca=ca, token=token)),
                    "there, with another": caller(there, Credentials(ca=ca, token="x" * 20)),
                    "there, readable": caller(there, Credentials()),
                }
            )
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
