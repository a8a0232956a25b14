"""LokiServer against servers that misbehave: whatever they do, no process is left."""

import os
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from loki.errors import ServiceUnavailable
from loki.testing import LokiServer, start_of

START = """
import json, os, pathlib, signal, subprocess, sys
def start_of(pid):
    return int(open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[19])
def announce(*children):
    run = pathlib.Path(os.environ["LOKI_STATE_DIR"]) / "run"
    run.mkdir(parents=True)
    ledger = {"boot": "", "alive": {pid: start_of(pid) for pid in children}}
    (run / "processes.json").write_text(json.dumps(ledger))
    print(json.dumps({"address": "127.0.0.1:1", "pid": os.getpid(), "tools": ["a"]}), flush=True)
DEAF = "import signal as s; s.signal(s.SIGTERM, s.SIG_IGN); print(1, flush=True); s.pause()"
def stubborn():
    command = [sys.executable, "-c", DEAF]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
    child.stdout.readline()
    return child.pid
"""
POLITE = "signal.signal(signal.SIGTERM, lambda *_: sys.exit(0)); announce(); signal.pause()"
ORPHANING = (
    "signal.signal(signal.SIGTERM, lambda *_: os._exit(0)); announce(stubborn()); signal.pause()"
)
DEAF = "signal.signal(signal.SIGTERM, signal.SIG_IGN); announce(); signal.pause()"
RUDE = "signal.signal(signal.SIGTERM, lambda *_: os._exit(3)); announce(); signal.pause()"


class Server(LokiServer):
    """Runs Python code instead of `loki serve`."""

    def __init__(self, code: str, **options: str) -> None:
        super().__init__(environment=options)
        self._code = code

    def _command(self) -> list[str]:
        return [sys.executable, "-c", START + self._code]


@pytest.fixture(autouse=True)
def short_timeouts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loki.testing.DEATH_TIMEOUT_S", 0.2)


def test_s_1_2_5_a_good_server_leaves_nothing() -> None:
    with Server(POLITE) as server:
        assert server.pids() == {server.pid}
        assert (server.address, server.tools) == ("127.0.0.1:1", ("a",))
        folder, pid = server.folder, server.pid
    assert start_of(pid) == 0
    assert not folder.exists()


KILLED = """
from tests.unit.loki.test_testing import POLITE, Server
import signal
with Server(POLITE) as server:
    print(server.pid, server.folder, flush=True)
    signal.pause()
"""
PATIENCE_S = 10.0


def test_s_1_2_5_a_killed_test_run_leaves_nothing_running() -> None:
    command = [sys.executable, "-c", KILLED]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout
        pid, folder = run.stdout.readline().split()
        pidfd = os.pidfd_open(int(pid))
        run.kill()
    ended = select.select([pidfd], [], [], PATIENCE_S)[0]
    if not ended:
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    os.close(pidfd)
    shutil.rmtree(folder)
    assert ended


def test_s_1_2_5_a_process_that_outlives_the_server_is_killed_and_told() -> None:
    with Server(ORPHANING) as server:
        (orphan,) = server.pids() - {server.pid}
        with pytest.raises(AssertionError, match=f"outlived loki serve: .{orphan}"):
            server.stop()
        assert start_of(orphan) == 0


def raise_in(server: LokiServer, pids: list[int]) -> None:
    with server:
        pids += server.pids()
        raise ZeroDivisionError


@pytest.mark.parametrize(
    ("code", "error"), [(POLITE, ZeroDivisionError), (ORPHANING, AssertionError)]
)
def test_s_1_2_5_nothing_is_left_when_the_body_raises(
    code: str, error: type[BaseException]
) -> None:
    pids: list[int] = []
    server = Server(code)
    with pytest.raises(error):
        raise_in(server, pids)
    assert pids
    assert not any(start_of(pid) for pid in pids)
    assert not server.folder.exists()


def test_a_server_that_does_not_stop_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loki.testing.STOP_TIMEOUT_S", 0.1)
    with Server(DEAF) as server:
        pid = server.pid
        with pytest.raises(AssertionError, match=f"outlived loki serve: .{pid}"):
            server.stop()
        assert start_of(pid) == 0


def test_a_bad_exit_code_is_told() -> None:
    with pytest.raises(AssertionError, match="stopped with 3"), Server(RUDE):
        pass


def test_a_server_that_the_test_killed_is_no_failure() -> None:
    with Server(POLITE) as server:
        os.kill(server.pid, signal.SIGKILL)
        os.waitid(os.P_PID, server.pid, os.WEXITED | os.WNOWAIT)
        assert server.pids() == frozenset()


def test_a_server_that_ends_at_once_shows_its_log() -> None:
    with (
        pytest.raises(ServiceUnavailable, match=r"ended with 7:\nno such board"),
        Server("sys.stderr.write('no such board'); sys.exit(7)"),
    ):
        pass


def test_a_ledger_that_cannot_be_read_fails_the_start_and_leaves_nothing() -> None:
    code = "announce = lambda: None; sys.stderr.write(str(os.getpid())); sys.stderr.flush(); "
    ledger = "p = pathlib.Path(os.environ['LOKI_STATE_DIR']) / 'run'; p.mkdir(parents=True); "
    garbled = "(p / 'processes.json').write_text('{}'); "
    ready = """print('{"address": "a:1", "pid": 1, "tools": []}', flush=True); signal.pause()"""
    server = Server(code + ledger + garbled + ready)
    with pytest.raises(KeyError, match="alive"):
        server.start()
    assert start_of(int(server.log)) == 0


def test_a_server_that_says_nothing_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loki.testing.START_TIMEOUT_S", 0.3)
    server = Server("signal.pause()")
    with pytest.raises(ServiceUnavailable, match="not ready in time"), server:
        pass
    with pytest.raises(RuntimeError, match="not started"):
        _ = server.pid


def test_a_stopped_server_starts_again_on_the_same_state(tmp_path: Path) -> None:
    once = POLITE.replace("announce()", "announce() if not os.environ.get('X') else 0")
    server = Server(once)
    with server:
        first = server.pid
        server.stop()
        (server.state_dir / "run" / "processes.json").unlink()
        (server.state_dir / "run").rmdir()
        server.start()
        assert server.pid != first
    server.stop()


def test_the_operators_own_settings_do_not_leak_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOKI_TOOLS", "/elsewhere")
    code = "sys.stderr.write(repr(sorted(k for k in os.environ if k[:5] == 'LOKI_'))); "
    with Server(code + POLITE, LOKI_MORE="1") as server:
        assert server.log == "['LOKI_GRPC_PORT', 'LOKI_MORE', 'LOKI_STATE_DIR']"
