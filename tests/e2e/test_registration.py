"""What was registered, and acknowledged, is there after any death, with all that it was."""

import itertools
import os
import select
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
import tomli

from loki.client import LokiClient, LokiClientError
from loki.testing import LokiServer
from loki.v1 import script_pb2

PATIENCE_S = 60.0
FILE = """
[[tools]]
name = "from_file"
return_type = "integer"
script = { inline = "return 1" }
"""
PATIENT = {"LOKI_SUPERVISION__INTENSITY": "1000"}


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture(scope="module")
def server() -> Iterator[LokiServer]:
    """Each test registers scripts of its own names."""
    with LokiServer(tools=FILE, environment=PATIENT) as running:
        yield running


def definition(number: int, name: str = "mine") -> script_pb2.ScriptDefinition:
    return script_pb2.ScriptDefinition(
        name=name, source=f"return {number}", return_type=script_pb2.VALUE_TYPE_INTEGER
    )


def until(true: Callable[[], bool]) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end_s


def gone(pidfd: int) -> None:
    """Wait until the process behind it is no more."""
    assert select.select([pidfd], [], [], PATIENCE_S)[0]
    os.close(pidfd)


def pidfd_of(client: LokiClient, name: str) -> int:
    """Once there is one."""
    end_s = time.monotonic() + PATIENCE_S
    while True:
        (pid,) = [child.pid for child in client.get_children_status() if child.name == name]
        if pid:
            return os.pidfd_open(pid)
        assert time.monotonic() < end_s


def kill(client: LokiClient, name: str) -> None:
    pidfd = pidfd_of(client, name)
    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    gone(pidfd)


def kill_all(server: LokiServer) -> None:
    pidfds = [os.pidfd_open(pid) for pid in server.pids()]
    os.kill(server.pid, signal.SIGKILL)
    for pidfd in pidfds:
        gone(pidfd)
    server.stop()


def patient(server: LokiServer) -> LokiClient:
    """It tries again by itself."""
    return LokiClient(server.address, patience_s=PATIENCE_S)


def patiently(call: Callable[[], object]) -> object:
    """Try again while something is restarting, as the answer says."""
    end_s = time.monotonic() + PATIENCE_S
    while True:
        try:
            return call()
        except LokiClientError as error:
            if error.reason != "CHILD_DOWN" or time.monotonic() > end_s:
                raise


def test_s_3_1_5_what_was_acknowledged_is_there_after_a_kill_of_all(state_dir: Path) -> None:
    revisions: list[str] = []
    for number in range(2):
        with LokiServer(tools=FILE, state_dir=state_dir) as server, server.client() as client:
            assert server.tools == (("from_file", "mine") if revisions else ("from_file",))
            kept = list(client.list_script_revisions("mine")) if revisions else []
            assert [each.revision for each in kept] == revisions[::-1]
            assert [each.current for each in kept] == [True][: len(kept)]
            assert all(each.principal == "local" and each.registered for each in kept)
            for old, revision in enumerate(revisions):
                assert client.get_script("mine", revision).definition.source == f"return {old}"
            expected = revisions[-1] if revisions else ""
            made = client.register_script(definition(number), expected_revision=expected)
            kill_all(server)
            revisions.append(made.revision)
    with LokiServer(tools=FILE, state_dir=state_dir) as server, server.client() as client:
        assert client.get_script("mine").revision == revisions[-1]
        assert client.execute("mine").value == 1
        client.unregister_script("mine")
        kill_all(server)
    with LokiServer(tools=FILE, state_dir=state_dir) as server, server.client() as client:
        assert server.tools == ("from_file",)
        kept = list(client.list_script_revisions("mine"))
        assert [(each.revision, each.current) for each in kept] == [
            (revision, False) for revision in revisions[::-1]
        ]
        client.rollback_script("mine", revisions[0])
        assert client.execute("mine").value == 0
        kill_all(server)
    with LokiServer(tools=FILE, state_dir=state_dir) as server, server.client() as client:
        assert client.execute("mine").value == 0
        newest, oldest = client.list_script_revisions("mine")
        assert (newest.current, oldest.current, oldest.current_by) == (False, True, "local")
        assert oldest.registered < newest.registered < oldest.current_since
    assert not list(state_dir.glob("*damaged*"))


@pytest.mark.parametrize("victims", [("hel",), ("library",), ("hel", "library")])
def test_s_3_3_1_registrations_outlive_those_who_keep_them(
    server: LokiServer, victims: tuple[str, ...]
) -> None:
    name, revision = f"of_{'_'.join(victims)}", ""
    with server.client() as client:
        for number in range(4):
            made = patiently(
                lambda n=number, r=revision: client.register_script(
                    definition(n, name), expected_revision=r
                )
            )
            assert isinstance(made, script_pb2.Script)
            revision = made.revision
            for victim in victims:
                kill(client, victim)
            assert client.execute(name).value == number  # The dispatcher knows it.
        found = patiently(lambda: client.get_script(name))
        assert isinstance(found, script_pb2.Script)
        assert found.revision == revision
        revisions = patiently(lambda: list(client.list_script_revisions(name)))
        assert isinstance(revisions, list)
        assert len(revisions) == 4


def test_no_registration_is_lost_that_was_under_way_when_hel_died(state_dir: Path) -> None:
    """Refused ones are not there; of what nobody could tell each is there as a whole, or not."""
    with LokiServer(tools=FILE, state_dir=state_dir, environment=PATIENT) as server:
        acknowledged, unknown = registered_while_hel_dies(server, kills=8)
        with server.client() as client:
            there = {script.name for script in client.list_scripts("t*")}
        assert acknowledged <= there <= acknowledged | unknown
        kill_all(server)
    with LokiServer(tools=FILE, state_dir=state_dir) as again, again.client() as client:
        kept = {script.name for script in client.list_scripts("t*")}
        assert there <= kept <= acknowledged | unknown
        for name in kept:
            assert client.execute(name).value == int(name[1:])


def registered_while_hel_dies(server: LokiServer, kills: int) -> tuple[set[str], set[str]]:
    """What was acknowledged, and of what nobody could tell."""
    acknowledged: set[str] = set()
    unknown: set[str] = set()
    stop = threading.Event()

    def write() -> None:
        with server.client() as client:
            for number in itertools.count():
                if stop.is_set():
                    return
                try:
                    client.register_script(definition(number, f"t{number}"))
                    acknowledged.add(f"t{number}")
                except LokiClientError as error:
                    if error.reason == "OUTCOME_UNKNOWN":
                        unknown.add(f"t{number}")
                    elif error.reason != "CHILD_DOWN":
                        raise

    with server.client() as client, ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        try:
            for _ in range(kills):
                enough = len(acknowledged) + 5
                until(lambda e=enough: writing.done() or len(acknowledged) >= e)
                kill(client, "hel")
        finally:
            stop.set()
        writing.result(PATIENCE_S)
    return acknowledged, unknown


def test_what_is_kept_is_done_though_the_dispatcher_is_away(server: LokiServer) -> None:
    """Else a client that repeats it would hear that it exists, or is gone."""
    with server.client() as client:
        with patient(server) as waiting, stopped(client, "dispatcher"):
            first = waiting.register_script(definition(1, "away"))
            second = waiting.register_script(
                definition(2, "away"), expected_revision=first.revision
            )
        assert patiently(lambda: client.execute("away").value) == 2
        with stopped(client, "dispatcher"):
            client.unregister_script("away", expected_revision=second.revision)
        with pytest.raises(LokiClientError) as raised:
            patiently(lambda: client.execute("away"))
        assert raised.value.reason == "SCRIPT_NOT_FOUND"


@contextmanager
def stopped(client: LokiClient, name: str) -> Iterator[None]:
    """It answers nothing, and is killed in the end, unless its supervisor was faster."""
    pidfd = pidfd_of(client, name)
    signal.pidfd_send_signal(pidfd, signal.SIGSTOP)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        gone(pidfd)


def test_a_backup_that_is_put_back_brings_its_scripts(server: LokiServer, tmp_path: Path) -> None:
    archive = tmp_path / "backup.tar.gz"
    with patient(server) as client:
        then = client.register_script(definition(1))
        names = [script.name for script in client.list_scripts()]
        with client.create_backup() as backup, archive.open("wb") as file:
            backup.contents()
            file.writelines(backup)
        client.register_script(definition(2), expected_revision=then.revision)
        client.register_script(definition(3, "later"))
        with archive.open("rb") as file, client.restore_backup(file) as stream:
            stream.checked()
            stream.restore()
        until(lambda: [script.name for script in client.list_scripts()] == names)
        assert client.get_script("mine").revision == then.revision
        until(lambda: client.execute("mine").value == 1)  # The dispatcher hears of it next.
        with pytest.raises(LokiClientError) as unknown:
            client.execute("later")
        assert unknown.value.reason == "SCRIPT_NOT_FOUND"
        (kept,) = client.list_script_revisions("mine")
        assert kept.current


def test_without_hel_registrations_are_refused_and_files_served(state_dir: Path) -> None:
    config = "[children_config.hel]\nenabled = false\n"
    with (
        LokiServer(config=config, tools=FILE, state_dir=state_dir) as server,
        server.client() as client,
    ):
        assert client.execute("from_file").value == 1
        with pytest.raises(LokiClientError, match=f"into {server.folder}") as refused:
            client.register_script(definition(1))
        assert refused.value.reason == "CHILD_DISABLED"
        with pytest.raises(LokiClientError) as unknown:
            client.execute("mine")
        assert unknown.value.reason == "SCRIPT_NOT_FOUND"


def test_the_settings_that_held_are_kept_by_version(state_dir: Path) -> None:
    def texts() -> list[str]:
        with closing(sqlite3.connect(state_dir / "hel.sqlite")) as database:
            rows = database.execute("SELECT text FROM settings_version ORDER BY number")
            return [text for (text,) in rows]

    for config in ("script_cache_size = 3", "script_cache_size = 4"):
        with LokiServer(config=config, tools=FILE, state_dir=state_dir):
            until(lambda wanted=config: any(wanted in text for text in texts()))
    old, new = (tomli.loads(text) for text in texts())
    assert {key for key in old if old[key] != new[key]} <= {"script_cache_size", "tools"}
