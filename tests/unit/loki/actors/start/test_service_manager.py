"""systemd's notify socket, played by a test."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from loki.actors.start.service_manager import ServiceManager

PID = 4711


@pytest.fixture(params=["path", "abstract"])
def listener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """A bound socket and what NOTIFY_SOCKET would say of it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        bound.settimeout(5)
        if request.param == "path":
            bound.bind(str(tmp_path / "notify"))
            yield bound, str(tmp_path / "notify")
        else:
            bound.bind("\0loki-test-notify")
            yield bound, "@loki-test-notify"


def test_lines_arrive_as_one_datagram(listener: tuple[socket.socket, str]) -> None:
    bound, address = listener
    ServiceManager(address).tell("READY=1", "STATUS=serving at 127.0.0.1:1")
    assert bound.recv(4096) == b"READY=1\nSTATUS=serving at 127.0.0.1:1"


def test_a_reason_cannot_say_more_than_its_line(listener: tuple[socket.socket, str]) -> None:
    bound, address = listener
    ServiceManager(address).tell("STATUS=it died:\nMAINPID=1")
    assert bound.recv(4096) == b"STATUS=it died: MAINPID=1"


def test_nobody_is_told_nothing() -> None:
    ServiceManager().tell("READY=1")


def test_one_that_does_not_listen_ends_nothing_and_is_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ServiceManager(str(tmp_path / "gone")).tell("READY=1", "STATUS=x")
    (record,) = caplog.records
    assert "READY=1" in record.getMessage()


def test_one_that_reads_nothing_does_not_block(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        bound.bind(str(tmp_path / "notify"))
        manager = ServiceManager(str(tmp_path / "notify"))
        for _ in range(10_000):
            manager.tell("STATUS=" + "x" * 1000)


@pytest.mark.parametrize(
    ("environment", "watchdog_s"),
    [
        ({"NOTIFY_SOCKET": "/n", "WATCHDOG_USEC": "10000000", "WATCHDOG_PID": "4711"}, 10.0),
        ({"NOTIFY_SOCKET": "/n", "WATCHDOG_USEC": "500000"}, 0.5),
        ({"NOTIFY_SOCKET": "/n", "WATCHDOG_USEC": "500000", "WATCHDOG_PID": "1"}, 0.0),
        ({"NOTIFY_SOCKET": "/n", "WATCHDOG_USEC": "soon"}, 0.0),
        ({"NOTIFY_SOCKET": "/n"}, 0.0),
        ({"WATCHDOG_USEC": "500000"}, 0.0),
        ({}, 0.0),
    ],
)
def test_the_watchdog_is_the_environments(environment: dict[str, str], watchdog_s: float) -> None:
    assert ServiceManager.take_from(environment, PID).watchdog_s == watchdog_s


def test_what_we_fork_cannot_speak_for_us() -> None:
    environment = {"NOTIFY_SOCKET": "/n", "WATCHDOG_USEC": "1", "WATCHDOG_PID": "1", "HOME": "/h"}
    ServiceManager.take_from(environment, PID)
    assert environment == {"HOME": "/h"}
