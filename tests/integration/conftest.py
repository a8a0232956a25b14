"""A system on the sealed transport that ends with its test."""

import os
import signal
from collections.abc import Iterator

import pytest
from sealed_system import TIMEOUT_S, Running, booted

from tests.conftest import descendants, ended


@pytest.fixture
def _adopting() -> Iterator[None]:
    """What Thespian detaches stays below us, and whatever a test leaves behind is ended."""
    before = descendants(os.getpid())
    yield
    left = [pid for pid in descendants(os.getpid()) - before if not ended(pid, TIMEOUT_S)]
    for pid in left:
        os.kill(pid, signal.SIGKILL)
        ended(pid, TIMEOUT_S)
    assert not left, f"processes left over: {left}"


@pytest.fixture
def running(_adopting: None) -> Iterator[Running]:
    with booted() as system:
        yield system
