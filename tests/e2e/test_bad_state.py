"""State that Loki cannot use, or that goes away: said in clear words, and the rest runs on."""

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from loki.client import LokiClient, LokiClientError
from loki.errors import ServiceUnavailable
from loki.testing import LokiServer
from loki.v1 import device_pb2
from tests.conftest import Need

TOOLS = """
[[tools]]
name = "one"
return_type = "integer"
script = { inline = "return 1" }

[[tools]]
name = "store"
return_type = "integer"
script = { inline = "hel:storage_set('k', 1) return hel:storage_get('k')" }
permissions = { storage = true }

[[tools]]
name = "write"
return_type = "string"
script = { inline = "hel:fs_write('f', 'text') return hel:fs_read('f')" }
permissions = { files = "rw" }
"""


def works(client: LokiClient) -> None:
    assert client.execute("store").value == 1
    assert client.execute("write").value == "text"


def hel(client: LokiClient) -> device_pb2.ChildServiceInfo:
    return next(c for c in client.get_children_status() if c.name == "hel")


def test_a_database_of_a_newer_loki_is_told_of_and_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "hel.sqlite"
    with closing(sqlite3.connect(path)) as newer:
        newer.execute("CREATE TABLE of_tomorrow (a)")
        newer.execute("PRAGMA user_version = 9999")
    before = path.read_bytes()
    with LokiServer(tools=TOOLS, state_dir=tmp_path) as server, server.client() as client:
        assert client.execute("one").value == 1
        assert client.execute("write").value == "text"
        with pytest.raises(LokiClientError, match="newer Loki"):
            client.execute("store")
        status = subprocess.run(
            [sys.executable, "-m", "loki", "status", "--json", "--server", server.address],
            capture_output=True,
            text=True,
            check=True,
        )
        assert "degraded" in status.stdout
        assert "was written by a newer Loki" in status.stdout
        assert server.log.count("the database cannot be opened") == 1
    assert path.read_bytes() == before
    assert not list(tmp_path.glob("hel.sqlite?*"))


def test_stores_begin_anew_where_somebody_removed_them(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with LokiServer(tools=TOOLS, state_dir=state) as server, server.client() as client:
        works(client)
        for each in ("hel.sqlite", "hel.sqlite-wal", "files"):
            path = state / each
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        with pytest.raises(LokiClientError, match="removed or replaced while it was open"):
            client.execute("store")
        works(client)
        assert hel(client).state == device_pb2.CHILD_STATE_UP
        shutil.rmtree(state)
        assert client.execute("one").value == 1
        log = server.log
    assert "Traceback" not in log


def test_a_database_that_is_missing_beside_series_is_told_to_people(tmp_path: Path) -> None:
    left = tmp_path / "series/tool/t/value/c/0"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"rows")
    with LokiServer(tools=TOOLS, state_dir=tmp_path) as server, server.client() as client:
        works(client)
        with client.watch_events(include_recent=True) as events:
            told = next(e for e in events if "hel.sqlite was missing" in str(e))
        assert "series tool/t" in str(told)
        assert hel(client).state == device_pb2.CHILD_STATE_DEGRADED
        assert "hel.sqlite was missing" in hel(client).last_error
        assert server.log.count("hel.sqlite was missing") == 1
    assert left.read_bytes() == b"rows"


@pytest.fixture
def read_only(tmp_path: Path, need: Need) -> Iterator[Path]:
    command = ["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    need("mount", f"a disk that is read-only: {done.stderr.strip()}", here=done.returncode == 0)
    yield tmp_path
    subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


def test_a_read_only_state_directory_is_one_clear_line(read_only: Path) -> None:
    with pytest.raises(ServiceUnavailable, match="Read-only file system; choose another with"):
        LokiServer(tools=TOOLS, state_dir=read_only / "state").start()
