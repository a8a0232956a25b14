"""One Loki that serves the examples, and the real command line against it."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from loki.testing import LokiServer

EXAMPLES = Path(__file__).parents[2] / "examples"
COMMAND_TIMEOUT_S = 30.0

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> None:
    """A shell lets its background jobs ignore Ctrl-C, and with them whatever tests start."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="module")
def server() -> Iterator[LokiServer]:
    """Serves the examples on their simulated board, with a state of its own."""
    with LokiServer(config=EXAMPLES / "loki.toml") as running:
        yield running


@pytest.fixture
def loki(server: LokiServer, tmp_path: Path) -> Run:
    """`loki("call", "hello")`: one command in a process of its own, in an empty folder."""

    def run(*words: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("LOKI_")}
        return subprocess.run(
            [sys.executable, "-m", "loki", *words],
            cwd=tmp_path,
            env=inherited | {"LOKI_SERVER": server.address} | environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
            check=False,
        )

    return run
