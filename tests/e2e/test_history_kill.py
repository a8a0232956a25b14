"""The history of executions outlives stops, crashes of all kinds, and a Hel that is away.

LOKI_HISTORY_KILLS says how often all of Loki is killed, for a longer look than in every test run.
"""

import os
import random
import select
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import grpc
import pytest

from loki.client import ExecutionRecord, LokiClient, LokiClientError
from loki.testing import LokiServer
from loki.v1 import service_pb2, service_pb2_grpc
from tests.e2e.census import pid_of

TOOLS = """
[[tools]]
name = "one"
return_type = "integer"
script = { inline = "print('hi') return 1" }

[[tools]]
name = "napper"
parameters = [{ name = "ms", type = "integer" }]
return_type = "integer"
limits = { max_execution_time_ms = 60000 }
script = { inline = "loki.emit('asleep') loki.sleep(params.ms) return 1" }

[[tools]]
name = "long"
return_type = "string"
script = { inline = "return ('x'):rep(100 * 1024)" }
"""
KILLS = int(os.environ.get("LOKI_HISTORY_KILLS", "3"))
PATIENCE_S = 15.0
MAY_BE_LOST_S = 3.0  # A second is what is promised; a busy machine may need others to write.
MANY = {"LOKI_SUPERVISION__INTENSITY": "100"}


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    return tmp_path / "state"


@contextmanager
def serving(state_dir: Path) -> Iterator[tuple[LokiServer, LokiClient]]:
    with (
        LokiServer(tools=TOOLS, state_dir=state_dir, environment=MANY) as server,
        server.client() as client,
    ):
        yield server, client


def until(true: Callable[[], bool]) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end_s


def patiently(ask: Callable[[], ExecutionRecord]) -> ExecutionRecord:
    """Its answer, once what it needs is there again."""
    end_s = time.monotonic() + PATIENCE_S
    while True:
        try:
            return ask()
        except LokiClientError as error:
            if error.code_name != "UNAVAILABLE" or time.monotonic() > end_s:
                raise


def ended(pid: int) -> None:
    pidfd = os.pidfd_open(pid)
    os.kill(pid, signal.SIGKILL)
    assert select.select([pidfd], [], [], PATIENCE_S)[0]
    os.close(pidfd)


def on_disk(state_dir: Path, run: str, cause: str) -> bool:
    with closing(sqlite3.connect(state_dir / "hel.sqlite")) as database:
        found = database.execute("SELECT cause FROM execution WHERE id = ?", (run,)).fetchone()
    return found == (cause,)


def listed(client: LokiClient, **asked: str) -> list[str]:
    return [each.id for each in client.list_executions(**asked)]


def test_after_a_stop_and_a_start_all_is_found_and_numbers_go_on(state_dir: Path) -> None:
    with serving(state_dir) as (_, client):
        first = [client.execute("one").id for _ in range(3)]
        long = client.execute("long").id
        with pytest.raises(LokiClientError) as caught:
            client.execute("one", {"n": 1})
        refused = caught.value.execution_id
    with serving(state_dir) as (server, client):
        later = [client.execute("one").id for _ in range(2)]
        old = [refused, long, *reversed(first)]
        assert listed(client) == [*reversed(later), *old]
        found = client.get_execution(first[0])
        assert (found.state, found.value, found.output) == ("finished", 1, "hi\n")
        assert found.usage is not None
        assert found.usage.wall_ms > 0
        assert client.get_execution(long).value == "x" * 100 * 1024
        assert client.get_execution(refused).cause == "refused"
        assert listed(client, state="failed") == [refused]
        assert listed(client, script="l*") == [long]
        with pytest.raises(LokiClientError, match=r"has ended already \(finished\)"):
            client.cancel(first[0])
        with pytest.raises(LokiClientError, match="the history goes back to 20"):
            client.get_execution("nosuch")
        shown = subprocess.run(
            [sys.executable, "-m", "loki", "executions", "--most", "4"],
            env=os.environ | {"LOKI_SERVER": server.address},
            capture_output=True,
            text=True,
            check=True,
        )
        assert [run in shown.stdout for run in (*later, refused, long, first[2])] == [
            *(True, True, True, True),
            False,
        ]


def page(server: LokiServer, token: str) -> tuple[list[str], str]:
    """Two of them, and the next page's token."""
    with grpc.insecure_channel(server.address) as channel:
        stub = service_pb2_grpc.LokiServiceStub(channel)  # type: ignore[no-untyped-call]  # Generated so.
        answer = stub.ListExecutions(
            service_pb2.ListExecutionsRequest(page_size=2, page_token=token)
        )
    return [each.execution_id for each in answer.executions], answer.next_page_token


def test_pages_go_on_over_the_seam_and_over_a_restart(state_dir: Path) -> None:
    with serving(state_dir) as (_, client):
        runs = [client.execute("one").id for _ in range(3)]
    with serving(state_dir) as (server, client):
        runs += [client.execute("one").id for _ in range(3)]
        seen, token = page(server, "")
    with serving(state_dir) as (server, client):
        client.execute("one")
        while token:
            found, token = page(server, token)
            seen += found
    assert seen == runs[::-1]


def test_after_a_crash_of_all_of_it_what_ran_was_interrupted(state_dir: Path) -> None:
    with LokiServer(tools=TOOLS, state_dir=state_dir) as server, server.client() as client:
        done = client.execute("one").id
        with client.stream("napper", {"ms": 60_000}) as events:
            next(events)
            under_way = events.execution_id
            until(lambda: on_disk(state_dir, done, "finished"))
            until(lambda: on_disk(state_dir, under_way, ""))
            pidfds = [os.pidfd_open(pid) for pid in server.pids()]
            os.kill(server.pid, signal.SIGKILL)
            with pytest.raises(LokiClientError):
                list(events)
        for pidfd in pidfds:
            assert select.select([pidfd], [], [], PATIENCE_S)[0]
            os.close(pidfd)
    with serving(state_dir) as (_, client):
        assert client.get_execution(done).value == 1
        found = client.get_execution(under_way)
        assert (found.state, found.cause) == ("failed", "interrupted")
        assert found.failure is not None
        assert found.failure.reason == "RUNNER_CRASHED"
        assert "in the middle of this execution" in found.failure.message
        assert listed(client) == [under_way, done]
        assert listed(client, state="running") == []


def test_after_the_death_of_the_dispatcher_alone_too(state_dir: Path) -> None:
    with serving(state_dir) as (server, client):
        done = client.execute("one").id
        with client.stream("napper", {"ms": 60_000}) as events:
            next(events)
            under_way = events.execution_id
            until(lambda: on_disk(state_dir, under_way, ""))
            ended(pid_of(server, "dispatcher"))
            with pytest.raises(LokiClientError) as caught:
                list(events)
        assert caught.value.reason == "RUNNER_CRASHED"
        found = patiently(lambda: client.get_execution(under_way))
        assert (found.state, found.cause) == ("failed", "interrupted")
        assert client.get_execution(done).value == 1
        assert listed(client) == [under_way, done]


@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGKILL])
def test_a_hel_that_is_away_holds_up_no_run_and_gets_all_of_them_later(
    state_dir: Path, number: signal.Signals
) -> None:
    """A stopped one is killed by its supervisor, once that one is awake."""
    with serving(state_dir) as (server, client):
        before = client.execute("one").id
        until(lambda: on_disk(state_dir, before, "finished"))
        hel = pid_of(server, "hel")
        root = pid_of(server, "loki")
        os.kill(root, signal.SIGSTOP)  # So that Hel stays away for as long as it takes.
        try:
            os.kill(hel, number)
            meanwhile = [client.execute("one", timeout_s=PATIENCE_S).id for _ in range(20)]
            assert client.get_execution(meanwhile[0]).value == 1  # Memory has it.
        finally:
            os.kill(root, signal.SIGCONT)
        until(lambda: hel not in server.pids())
        until(lambda: all(on_disk(state_dir, run, "finished") for run in meanwhile))
        assert listed(client) == [*reversed(meanwhile), before]
    with serving(state_dir) as (_, client):
        assert listed(client) == [*reversed(meanwhile), before]


def test_an_orderly_stop_ends_what_runs_and_writes_it(state_dir: Path) -> None:
    """Also where no gateway is left that would cancel it."""
    with serving(state_dir) as (server, client), client.stream("napper", {"ms": 60_000}) as events:
        next(events)
        under_way = events.execution_id
        ended(pid_of(server, "gateway"))
        server.stop()
        with pytest.raises(LokiClientError):
            list(events)
    with serving(state_dir) as (_, client):
        assert client.get_execution(under_way).cause == "cancelled"


class Caller(threading.Thread):
    """Calls until Loki is gone, too seldom to fill a batch; remembers what was acknowledged."""

    def __init__(self, server: LokiServer) -> None:
        super().__init__()
        self._server = server
        self._pause = threading.Event()
        self.acknowledged: list[tuple[float, str]] = []

    def run(self) -> None:
        with self._server.client() as client:
            while True:
                try:
                    run = client.execute("one", timeout_s=PATIENCE_S).id
                except LokiClientError:
                    return
                self.acknowledged.append((time.monotonic(), run))
                self._pause.wait(0.02)


@pytest.mark.timeout(120 + KILLS * 20)
def test_nothing_older_than_its_lag_is_lost_however_often_all_is_killed(state_dir: Path) -> None:
    chance = random.Random(3)
    kept: list[str] = []
    for _ in range(KILLS):
        with LokiServer(tools=TOOLS, state_dir=state_dir) as server:
            caller = Caller(server)
            caller.start()
            until(lambda caller=caller: bool(caller.acknowledged))
            threading.Event().wait(MAY_BE_LOST_S + chance.uniform(0.2, 2.0))
            pidfds = [os.pidfd_open(pid) for pid in server.pids()]
            killed_s = time.monotonic()
            os.kill(server.pid, signal.SIGKILL)
            for pidfd in pidfds:
                assert select.select([pidfd], [], [], PATIENCE_S)[0]
                os.close(pidfd)
            caller.join(PATIENCE_S)
        old = [run for at_s, run in caller.acknowledged if at_s < killed_s - MAY_BE_LOST_S]
        assert old
        kept += old
    with serving(state_dir) as (_, client):
        causes = {each.id: each.cause for each in client.list_executions()}
    assert [run for run in kept if causes.get(run) != "finished"] == []
    assert set(causes.values()) <= {"finished", "interrupted"}
