"""The log from where it is written to where it is read: `loki logs` against a real server."""

import contextlib
import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from loki.client import FollowReport, LogQuery, LogRecord, LokiClient, LokiClientError
from loki.testing import LokiServer
from loki.v1 import device_pb2
from tests.e2e.census import pid_of

CLUMSY = """
from pydantic import BaseModel

from loki.child import Child, ChildRole, LuaFunction, LuaModule, LuaType
from loki.messages.envelope import Done, Request


class Stumble(Request[Done]):
    pass


class Config(BaseModel):
    state_dir: str = ""


class Clumsy(ChildRole):
    def calls(self):
        return {Stumble: self._stumble}

    def _stumble(self, request, run):
        raise LookupError("a step\\nthat is not there")


FUNCTION = LuaFunction(
    name="stumble", request="Stumble", parameters=(), returns=LuaType.BOOLEAN, doc="Falls."
)
MODULE = LuaModule(name="clumsy", child="clumsy", doc="Has a bug.", functions=(FUNCTION,))
CHILD = Child(module=MODULE, role="clumsy_actor:Clumsy", config="clumsy_actor:Config")
"""
TOOLS = """
[[tools]]
name = "stumble"
return_type = "boolean"
script = { inline = "return clumsy:stumble()" }

[[tools]]
name = "talk"
return_type = "integer"
parameters = [{ name = "count", type = "integer" }]
script = { inline = "for n = 1, params.count do loki.log('error', 'line ' .. n) end return 1" }
"""
CONFIG = 'children = ["clumsy_actor"]\n'
PATIENCE_S = 30.0
AT_ONCE, PER_S = 200, 50  # Lines of one runner.


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LokiServer]:
    """With a child that has a bug, and a log of 1 MiB a file."""
    folder = tmp_path_factory.mktemp("children")
    (folder / "clumsy_actor.py").write_text(CLUMSY)
    environment = {"PYTHONPATH": str(folder), "LOKI_LOGGING__MAX_FILE_MB": "1"}
    with LokiServer(config=CONFIG, tools=TOOLS, environment=environment) as running:
        yield running


@pytest.fixture
def client(server: LokiServer) -> Iterator[LokiClient]:
    with server.client() as connected:
        yield connected


def log_path(server: LokiServer) -> Path:
    return server.state_dir / "log" / "loki.jsonl"


def loki_logs(server: LokiServer, *words: str) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "loki", "logs", "--json", "--server", server.address, *words],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def eventually(found: Callable[[], Any]) -> Any:
    """The first result that is something; a record may come a moment after its answer."""
    end_s = time.monotonic() + PATIENCE_S
    while not (result := found()):
        assert time.monotonic() < end_s
    return result


def test_s_10_1_2_the_incident_that_a_client_was_given_is_found(
    server: LokiServer, client: LokiClient
) -> None:
    with pytest.raises(LokiClientError) as caught:
        client.execute("stumble")
    assert (caught.value.code_name, caught.value.reason) == ("INTERNAL", "BUG")
    assert "LookupError" not in str(caught.value)
    incident = caught.value.details["incident"]
    assert incident in str(caught.value)
    (record,) = loki_logs(server, "--incident", incident)
    assert (record["level"], record["actor"]) == ("error", "clumsy")
    assert "LookupError: a step\nthat is not there" in record["message"]
    assert "Traceback" in record["message"]
    by_execution = loki_logs(server, "--execution", record["execution_id"])
    assert record in by_execution

    def both() -> list[str]:
        """The supervisor's comes when the child has ended."""
        lines = [line for line in log_path(server).open() if incident in line]
        return lines if len(lines) > 1 else []

    own, death = eventually(both)
    assert json.loads(own)["incident"] == incident
    assert f"ended: incident {incident}: LookupError" in json.loads(death)["message"]


def test_what_a_script_logs_is_its_own_lines_of_its_own_execution(
    server: LokiServer, client: LokiClient
) -> None:
    text = '\\n2026-01-01 00:00:00 CRITICAL loki.gateway forged\\r\\27[31m"}\\n{\\0'
    source = f"loki.log('error', '{text}') return 1"
    run = client.execute(source=source)

    def found() -> list[LogRecord]:
        return list(client.watch_logs(LogQuery(execution_id=run.id)))

    (record,) = eventually(found)
    pid = next(p for p in server.pids() if comm(p) == f"loki:{record.actor}")
    assert (record.level, record.pid) == ("error", pid)
    assert "forged" in record.message
    assert len([line for line in log_path(server).open() if "forged" in line]) == 1
    (shown,) = eventually(lambda: [each for each in server.log.splitlines() if "forged" in each])
    assert f" ERROR loki.{record.actor} " in shown
    assert "\x1b" not in shown


def comm(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def test_a_runner_has_no_other_way_to_the_log(server: LokiServer, client: LokiClient) -> None:
    def runners() -> list[int]:
        """When all are up: one that was just forked has yet to shut what it inherited."""
        found = [each for each in client.get_children_status() if each.name.startswith("runner-")]
        is_up = all(each.state == device_pb2.CHILD_STATE_UP for each in found)
        return [each.pid for each in found] if is_up else []

    for pid in eventually(runners):
        opened = {os.readlink(fd) for fd in Path(f"/proc/{pid}/fd").iterdir()}
        lanes = str(server.state_dir / "run")  # A path only: nothing can be read or written there.
        assert {path for path in opened if path.startswith("/")} == {"/dev/null", lanes}


def test_many_runs_that_log_much_leave_little(server: LokiServer, client: LokiClient) -> None:
    """A run logs 100 lines at once; a runner 200, then 50 a second, however many runs it has."""
    begun_s = time.monotonic()
    for _ in range(60):
        assert client.execute("talk", {"count": 100}).value == 1
    records = [json.loads(line) for line in log_path(server).open()]
    lines = [each for each in records if re.search(r" line \d+$", each["message"])]
    runners = {each["actor"] for each in lines}
    took_s = time.monotonic() - begun_s
    assert AT_ONCE <= len(lines) <= len(runners) * (AT_ONCE + PER_S * took_s + 1)
    told = f"more than {PER_S} lines a second; what is beyond is left out"
    assert any(each["message"].endswith(told) for each in records)


def test_who_follows_gets_what_comes_and_ctrl_c_ends_it_cleanly(
    server: LokiServer, client: LokiClient
) -> None:
    command = [sys.executable, "-m", "loki", "logs", "--follow", "--lines", "0", "--json"]
    with subprocess.Popen(
        [*command, "--actor", "test", "--server", server.address],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    ) as following:
        assert following.stdout is not None
        assert following.stderr is not None
        first = write_until_read(server, following)
        assert first["message"] == "x"
        fill(server)
        eventually(log_path(server).with_name("loki.jsonl.1").exists)
        write(server, "behind the turn")
        while (record := json.loads(following.stdout.readline()))["message"] != "behind the turn":
            assert record["message"] == "x"
        following.send_signal(signal.SIGINT)
        assert following.wait(PATIENCE_S) == 0
        assert following.stderr.read() == ""


def write(server: LokiServer, message: str, count: int = 1, actor: str = "test") -> None:
    """As one more process of the server would."""
    record = {
        "time": "2026-01-02T03:04:05Z",
        "level": "ERROR",
        "actor": actor,
        "pid": 1,
        "message": message,
    }
    path = log_path(server)
    path.parent.mkdir(exist_ok=True)  # Made with the first record.
    with path.open("ab") as out:
        out.write((json.dumps(record).encode() + b"\n") * count)


def write_until_read(server: LokiServer, following: "subprocess.Popen[str]") -> dict[str, Any]:
    """The first record; it follows when it has read one."""
    import select

    end_s = time.monotonic() + PATIENCE_S
    while not select.select([following.stdout], [], [], 0.05)[0]:
        assert time.monotonic() < end_s
        write(server, "x")
    assert following.stdout is not None
    first: dict[str, Any] = json.loads(following.stdout.readline())
    return first


def fill(server: LokiServer) -> None:
    write(server, "y" * 900, count=1200, actor="other")


@pytest.mark.parametrize("victim", ["gateway", "loki"])
def test_who_follows_goes_on_when_the_gateway_or_all_of_loki_is_back(victim: str) -> None:
    """Just then there is something to read."""
    heard: queue.Queue[LogRecord] = queue.Queue()
    back = threading.Event()

    over = threading.Event()

    class Report(FollowReport):
        def lost(self, error: LokiClientError) -> None:
            if over.is_set():
                raise error

        def back(self) -> None:
            back.set()

    def follow(address: str) -> None:
        with LokiClient(address, patience_s=0) as client, contextlib.suppress(LokiClientError):
            query = LogQuery(level="error", lines=5)
            for record in client.follow_logs(query, report=Report(), patience_s=PATIENCE_S):
                heard.put(record)

    with LokiServer() as server, server.client() as client:
        client.execute(source="loki.log('error', 'one') return 1")
        thread = threading.Thread(target=follow, args=(server.address,))
        thread.start()
        assert heard.get(timeout=PATIENCE_S).message.endswith(" one")
        os.kill(pid_of(server, victim), signal.SIGKILL)
        assert back.wait(PATIENCE_S)
        with LokiClient(server.address, patience_s=PATIENCE_S) as again:
            again.execute(source="loki.log('error', 'two') return 1")
        assert heard.get(timeout=PATIENCE_S).message.endswith(" two")
        over.set()
    thread.join(PATIENCE_S)
    assert not thread.is_alive()
    assert heard.empty()


@pytest.mark.parametrize(("level", "expected"), [("WARNING", []), ("INFO", ["info"])])
def test_s_12_1_1_warnings_are_logged_and_more_if_it_is_set(
    level: str, expected: list[str]
) -> None:
    environment = {} if level == "WARNING" else {"LOKI_LOGGING__LEVEL": level}
    with LokiServer(environment=environment) as server, server.client() as client:
        run = client.execute(source="loki.log('info', 'a') loki.log('debug', 'b') return 1")
        behind = client.execute(source="loki.log('error', 'c') return 1")
        eventually(lambda: list(client.watch_logs(LogQuery(execution_id=behind.id))))
        assert [
            record.level for record in client.watch_logs(LogQuery(execution_id=run.id))
        ] == expected
