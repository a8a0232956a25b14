"""Backups of a Loki under load, by the command line; what they hold is what was acknowledged."""

import os
import signal
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from loki.client import LokiClient, LokiClientError
from loki.testing import LokiServer
from tests.e2e.conftest import Run

TOOLS = """
[[tools]]
name = "use"
parameters = [{ name = "task", type = "string" }, { name = "n", type = "integer", default = 0 }]
return_type = "object"
permissions = { storage = true, files = "rw", series = true }
limits = { max_execution_time_ms = 60000, max_output_kb = 8192, max_memory_mb = 64 }
wait_for_child_ms = 8000
script = { path = "use.lua" }
"""
SCRIPT = """
local task, n = params.task, params.n
if task == 'note' then
  for i = n, n + 9 do
    hel:storage_set('last', i)
    hel:series_append('n', i)
  end
  hel:fs_write('f' .. n % 7, ('%08d'):format(n):rep(2000))
  hel:storage_set('noted', n + 9)
elseif task == 'large' then
  local text = {}
  for i = 1, 60000 do text[i] = tostring(math.random(1 << 40)) end
  for i = 1, 8 do hel:fs_write('large' .. i, table.concat(text)) end
else
  local rows, values = hel:series_read('n'), {}
  for i = 1, #rows do values[i] = math.tointeger(rows[i].value) end
  local files = {}
  for i = 0, 6 do files[i + 1] = hel:fs_read('f' .. i) end
  local kept = { last = hel:storage_get('last'), noted = hel:storage_get('noted') }
  return { kept = kept, values = values, files = files }
end
return {}
"""
CONFIG = """
[children_config.hel]
series_chunk_rows = 16
series_late_s = 1
series_keep_rows = 1000
"""
PATIENCE_S = 20.0


def serving(folder: Path, state_dir: Path) -> LokiServer:
    folder.joinpath("use.lua").write_text(SCRIPT)
    folder.joinpath("tools.toml").write_text(TOOLS)
    return LokiServer(config=CONFIG, tools=folder / "tools.toml", state_dir=state_dir)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LokiServer]:
    folder = tmp_path_factory.mktemp("backup")
    with serving(folder, folder / "state") as running:
        with running.client() as client:
            for n in range(0, 100, 10):
                client.execute("use", {"task": "note", "n": n})
        yield running


class Writer(threading.Thread):
    """Notes one number after the other; `acknowledged` is the last one that surely is kept."""

    def __init__(self, server: LokiServer, first: int) -> None:
        super().__init__()
        self._server = server
        self._enough = threading.Event()
        self.acknowledged = first - 1

    def run(self) -> None:
        with self._server.client() as client:
            while not self._enough.is_set():
                client.execute("use", {"task": "note", "n": self.acknowledged + 1})
                self.acknowledged += 10

    def __enter__(self) -> "Writer":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._enough.set()
        self.join(PATIENCE_S)


def kept_by(client: LokiClient) -> Any:
    return client.execute("use", {"task": "recall"}).value


def is_back(client: LokiClient) -> bool:
    """Whether scripts get from Hel what it keeps; a runner may still talk to the one that died."""
    try:
        return bool(kept_by(client)["kept"])
    except LokiClientError as error:
        if error.reason != "CHILD_DOWN":
            raise
        return False


def until(true: Callable[[], bool]) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end_s


def test_a_backup_under_load_has_all_that_was_acknowledged(
    server: LokiServer, loki: Run, tmp_path: Path
) -> None:
    with server.client() as client, Writer(server, kept_by(client)["kept"]["noted"] + 1) as writer:
        first = writer.acknowledged
        until(lambda: writer.acknowledged > first + 100)
        surely = writer.acknowledged
        done = loki("backup", "now.tar.gz")
        possibly = writer.acknowledged + 10
    assert (done.returncode, done.stderr) == (0, "waiting for a picture of the data ...\n")
    with tarfile.open(tmp_path / "now.tar.gz") as archive:
        archive.extractall(tmp_path / "state", filter="data")
    with serving(tmp_path, tmp_path / "state") as other, other.client() as client:
        kept = kept_by(client)
        client.execute("use", {"task": "note", "n": kept["kept"]["last"] + 1})
    noted, last, values = kept["kept"]["noted"], kept["kept"]["last"], kept["values"]
    assert surely <= noted <= last <= possibly
    assert values[-1] in (last - 1, last)
    assert values == list(range(values[0], values[-1] + 1))
    assert len(kept["files"]) == 7
    assert all(text == text[:8] * 2000 for text in kept["files"])


def test_the_doctor_finds_nothing_beside_a_loki_at_work(server: LokiServer, loki: Run) -> None:
    with server.client() as client, Writer(server, kept_by(client)["kept"]["noted"] + 1) as writer:
        for deep in ((), ("--deep",)):
            first = writer.acknowledged
            until(lambda first=first: writer.acknowledged > first + 50)
            done = loki("doctor", *deep, LOKI_STATE_DIR=str(server.state_dir))
            assert (done.returncode, done.stderr) == (0, ""), done.stdout
            assert f"served by process {server.pid}" in done.stdout
            assert "ok     series: 1 of them" in done.stdout


def test_a_backup_ends_with_hel_and_leaves_nothing(server: LokiServer) -> None:
    staging = server.state_dir / ".backup"
    with server.client() as client:
        client.execute("use", {"task": "large"})
        with client.create_backup() as stream:
            stream.contents()
            assert staging.exists()
            (hel,) = [child.pid for child in client.get_children_status() if child.name == "hel"]
            os.kill(hel, signal.SIGKILL)
            with pytest.raises(LokiClientError) as raised:
                list(stream)
        assert raised.value.reason in {"CHILD_DOWN", "NOT_FOUND"}
        until(lambda: is_back(client))
        until(lambda: not staging.exists())
        with client.create_backup() as stream:
            assert stream.contents().size_bytes > 5_000_000


def test_a_backup_ends_with_its_reader_and_leaves_nothing(server: LokiServer) -> None:
    staging = server.state_dir / ".backup"
    with server.client() as client:
        client.execute("use", {"task": "large"})
        with client.create_backup() as stream:
            stream.contents()
            assert next(stream)
            with client.create_backup() as second, pytest.raises(LokiClientError, match="already"):
                second.contents()
        until(lambda: not staging.exists())
