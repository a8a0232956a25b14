"""The two whom no supervisor watches: when the root or the Admin dies, all of it starts again."""

import os
import re
import select
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from loki.client import LokiClientError, Result
from loki.testing import LokiServer
from tests.e2e.census import pid_of, pids_of, send, zombies

TOOLS = '''
[[tools]]
name = "one"
return_type = "integer"
script = { inline = "return 1" }

[[tools]]
name = "nap"
return_type = "integer"
script = { inline = "loki.emit('asleep') loki.sleep(300) return 1" }

[[tools]]
name = "count"
return_type = "integer"
permissions = { storage = true }
script = { inline = """
local n = (hel:storage_get('n') or 0) + 1
hel:storage_set('n', n)
return n""" }
'''
PATIENCE_S = 30.0
EXCUSES = ("UNAVAILABLE", "DEADLINE_EXCEEDED")


@pytest.fixture
def server() -> Iterator[LokiServer]:
    running = LokiServer(tools=TOOLS)
    running.start()
    yield running
    running.stop()


def gone(pids: frozenset[int], within_s: float) -> bool:
    end_s = time.monotonic() + within_s
    for pid in pids:
        try:
            pidfd = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        ready = select.select([pidfd], [], [], max(0.0, end_s - time.monotonic()))[0]
        os.close(pidfd)
        if not ready:
            return False
    return True


def served_by_others(server: LokiServer, old: frozenset[int]) -> bool:
    """Call until it works with none of the old processes."""
    end_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < end_s:
        try:
            with server.client() as client:
                value = client.execute("one", timeout_s=5.0).value
        except LokiClientError as error:
            if error.code_name not in EXCUSES:
                raise
            continue
        if not server.pids() & old:
            return value == 1
    return False


def reboots(server: LokiServer, count: int) -> list[str]:
    """The lines that tell of them; the last comes a moment after the gateway serves."""
    end_s = time.monotonic() + PATIENCE_S
    while True:
        lines = [line for line in server.log.splitlines() if "; started again, " in line]
        if len(lines) >= count:
            return lines
        assert time.monotonic() < end_s, server.log


def reboot(server: LokiServer, victim: str, number: signal.Signals) -> None:
    old = server.pids() - {server.pid}
    before = len(reboots(server, 0))
    os.kill(pid_of(server, victim), number)
    assert served_by_others(server, old), server.log
    assert gone(old, 0.0)
    reboots(server, before + 1)


@pytest.mark.parametrize(
    ("victim", "number", "reason"),
    [
        ("loki", signal.SIGKILL, "the root actor was killed"),
        ("loki", signal.SIGSTOP, "the root actor did not answer for 1.5 s and was killed"),
        ("admin", signal.SIGKILL, "the Thespian Admin was killed"),
    ],
)
def test_it_serves_again_on_its_port_and_says_why_in_one_line(
    server: LokiServer, victim: str, number: signal.Signals, reason: str
) -> None:
    reboot(server, victim, number)
    (line,) = server.log.splitlines()
    assert line.endswith(f"WARNING loki.starter {reason}; started again, 1 of 3 in 60 s")


def test_what_was_acknowledged_is_there_after_a_reboot(server: LokiServer) -> None:
    with server.client() as client:
        assert client.execute("count").value == 1
    reboot(server, "admin", signal.SIGKILL)
    with server.client() as client:
        assert client.execute("count").value == 2


def test_a_fourth_death_within_a_minute_ends_it_with_70_and_one_line(server: LokiServer) -> None:
    for _ in range(3):
        reboot(server, "loki", signal.SIGKILL)
    descriptors = len(os.listdir(f"/proc/{server.pid}/fd"))
    before = reboots(server, 3)
    assert len(before) == 3
    assert descriptors < 40
    end_s = time.monotonic() + PATIENCE_S
    while zombies(server.pid):
        assert time.monotonic() < end_s
    last = server.pids()
    os.kill(pid_of(server, "loki"), signal.SIGKILL)
    assert server._started().wait(PATIENCE_S) == 70
    assert gone(last, 0.0)
    added = [line for line in server.log.splitlines() if line not in before]
    assert len(added) == 1, added
    assert "CRITICAL" in added[0]
    assert re.search("the root actor was killed; .* 4 deaths in 60 s", added[0])
    assert not (server.state_dir / "run").exists()


def test_a_start_that_fails_counts_as_another_death(server: LokiServer) -> None:
    """Somebody takes the port while nobody listens on it."""
    host, _, port = server.address.rpartition(":")
    old = server.pids()
    gateway = pid_of(server, "gateway")
    server._started().send_signal(signal.SIGSTOP)  # It starts the next one after the theft.
    os.kill(pid_of(server, "loki"), signal.SIGKILL)
    assert gone(frozenset({gateway}), PATIENCE_S)
    with socket.socket() as thief:
        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        thief.bind((host, int(port)))
        thief.listen()
        server._started().send_signal(signal.SIGCONT)
        assert server._started().wait(PATIENCE_S) == 70
    last = server.log.splitlines()[-1]
    assert f"the start failed: gateway cannot start: grpc_port = {port}" in last
    assert server.log.count("in vain") == 3
    assert gone(old, 0.0)


def test_a_root_that_gives_up_says_on_whom_and_all_starts_again() -> None:
    """Scripts, data and results depend on the Dispatcher: when it keeps dying, all begins anew."""
    with LokiServer(tools=TOOLS, environment={"LOKI_SUPERVISION__PERIOD_S": "60"}) as server:
        kill_dispatchers(server, frozenset({pid_of(server, "loki")}))


def kill_dispatchers(server: LokiServer, root: frozenset[int]) -> None:
    """Until the root gives up."""
    end_s = time.monotonic() + PATIENCE_S
    killed: set[int] = set()
    while not gone(root, 0.0):
        assert time.monotonic() < end_s, server.log
        for pid in set(pids_of(server, "dispatcher")) - killed:
            send(pid, "dispatcher", signal.SIGKILL)
            killed.add(pid)
    assert served_by_others(server, root)
    (line,) = reboots(server, 1)
    assert "more than 3 restarts within 60 s; the last was for dispatcher" in line


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_in_the_middle_of_a_reboot_ends_it_cleanly(
    server: LokiServer, number: signal.Signals
) -> None:
    root = pid_of(server, "loki")
    old = server.pids()
    os.kill(root, signal.SIGKILL)
    assert gone(frozenset({root}), PATIENCE_S)
    server._started().send_signal(number)
    assert server._started().wait(PATIENCE_S) == 0
    assert gone(old, 0.0)
    assert "Traceback" not in server.log
    assert not (server.state_dir / "run").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_every_process_lets_calls_finish(
    server: LokiServer, number: signal.Signals
) -> None:
    """As a service manager sends it, and a terminal."""
    with server.client() as client, client.stream("nap") as events:
        next(events)
        for pid in server.pids():
            with suppress(ProcessLookupError):  # The first signal may end it before its own comes.
                os.kill(pid, number)
        *_, last = events
    assert isinstance(last, Result)
    assert last.execution.value == 1
    assert server._started().wait(PATIENCE_S) == 0
    assert server.log == ""


def test_with_the_admin_stopped_all_others_are_restarted_as_ever(server: LokiServer) -> None:
    """So a stopped Admin needs no reboot: nothing waits for it."""
    os.kill(pid_of(server, "admin"), signal.SIGSTOP)
    for name in ("hel", "dispatcher", "gateway"):
        before = pid_of(server, name)
        os.kill(before, signal.SIGKILL)
        assert served_by_others(server, frozenset({before})), server.log


class Manager(threading.Thread):
    """Hears all, as systemd does: what waits in a full socket is not told at all."""

    def __init__(self, notify: socket.socket) -> None:
        super().__init__()
        self._notify = notify
        self._lines: list[str] = []
        self._news = threading.Condition()

    def run(self) -> None:
        while message := self._notify.recv(4096):
            with self._news:
                self._lines.extend(message.decode().split("\n"))
                self._news.notify_all()

    def hear(self, what: str) -> list[str]:
        """All that was said up to it; what follows is for the next time."""
        with self._news:
            assert self._news.wait_for(lambda: what in self._lines, PATIENCE_S), self._lines
            end = self._lines.index(what) + 1
            heard, self._lines = self._lines[:end], self._lines[end:]
            return heard


@contextmanager
def manager(name: str) -> Iterator[Manager]:
    """An address that begins with "@" is an abstract one."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(name.replace("@", "\0", 1) if name.startswith("@") else name)
        hearing = Manager(notify)
        hearing.start()
        try:
            yield hearing
        finally:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
                end.sendto(b"", notify.getsockname())
            hearing.join()


@pytest.mark.parametrize("abstract", [False, True])
def test_systemd_hears_of_start_life_reboot_and_stop(tmp_path: Path, abstract: bool) -> None:
    name = f"@loki-{os.getpid()}-{tmp_path.name}" if abstract else str(tmp_path / "notify")
    environment = {"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "200000"}
    with manager(name) as systemd:
        with LokiServer(tools=TOOLS, environment=environment) as server:
            assert "WATCHDOG=1" not in systemd.hear("READY=1")
            systemd.hear(f"STATUS=serving at {server.address}")
            systemd.hear("WATCHDOG=1")
            os.kill(pid_of(server, "loki"), signal.SIGSTOP)
            systemd.hear(
                "STATUS=the root actor did not answer for 1.5 s and was killed; "
                "starting again, 1 of 3 in 60 s"
            )
            systemd.hear("WATCHDOG=1")
        systemd.hear("STOPPING=1")
        systemd.hear("EXTEND_TIMEOUT_USEC=11500000")
