"""Runs clients that share no code with Loki: Node.js and buf."""

import subprocess
from collections.abc import Callable
from pathlib import Path

from loki.testing import LokiServer

NODE = Path(__file__).parent / "node"
BUF = NODE / "node_modules" / ".bin" / "buf"
PACKAGES = (BUF, NODE / "node_modules" / "grpc-js-reflection-client")
TIMEOUT_S = 60.0


def need_node(need: Callable[..., None]) -> None:
    """Skip the test where they are not installed."""
    need("node", "install Node.js 18 or newer")
    need("node", "run `make node`", here=all(package.exists() for package in PACKAGES))


def output_of(*command: str) -> str:
    done = subprocess.run(
        command, cwd=NODE, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def buf_curl(server: LokiServer, *words: str) -> str:
    """Knows the server's address and nothing else: the schema comes by reflection."""
    *options, url = words
    target = f"http://{server.address}{url}"
    plain = ("--protocol", "grpc", "--http2-prior-knowledge")
    return output_of(str(BUF), "curl", *plain, *options, target)
