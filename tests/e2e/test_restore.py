"""Backups put back: on a fresh device, over one that runs, and while everything is killed.

LOKI_RESTORE_KILLS says how often, for a longer look than in every test run.
"""

import os
import random
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from loki.client import LokiClient, LokiClientError
from loki.testing import LokiServer

pytestmark = pytest.mark.e2e

KILLS = int(os.environ.get("LOKI_RESTORE_KILLS", "2"))
SEED = int(os.environ.get("LOKI_KILL_SEED", "0")) or random.SystemRandom().randrange(1, 2**31)
PATIENCE_S = 20.0
TOOLS = """
[[tools]]
name = "keep"
parameters = [{ name = "what", type = "string" }]
return_type = "object"
permissions = { storage = true, files = "rw", series = true }
limits = { max_execution_time_ms = 60000, max_output_kb = 8192, max_memory_mb = 64 }
wait_for_child_ms = 15000
script = { path = "keep.lua" }
"""
SCRIPT = """
if params.what ~= '' then
  local times = {}
  for i = 1, 100 do times[i] = 1700000000 + i end
  local values = {}
  for i = 1, 100 do values[i] = #params.what * 1000 + i end
  hel:series_append_all(params.what, values, times)
  hel:fs_write(params.what, params.what:rep(10000))
  for i = 1, 50 do hel:storage_set(params.what .. i, params.what) end
end
local series, files = {}, {}
for _, name in ipairs(hel:series_names()) do series[name] = hel:series_read(name) end
for _, name in ipairs(hel:fs_list_dir('.')) do files[name] = hel:fs_read(name) end
return { keys = hel:storage_keys(), series = series, files = files }
"""
CONFIG = """
[children_config.hel]
series_chunk_rows = 16
series_late_s = 1
"""


def serving(folder: Path, state_dir: Path) -> LokiServer:
    folder.joinpath("keep.lua").write_text(SCRIPT)
    folder.joinpath("tools.toml").write_text(TOOLS)
    folder.joinpath("loki.toml").write_text(f'state_dir = "{state_dir}"\n{CONFIG}')
    config = folder / "loki.toml"
    return LokiServer(config=config, tools=folder / "tools.toml", state_dir=state_dir)


def keep(server: LokiServer, what: str = "") -> Any:
    """Everything that is there, with `what` added to it."""
    with server.client() as client:
        return client.execute("keep", {"what": what}).value


def restore(server: LokiServer, archive: Path) -> str:
    with (
        server.client() as client,
        archive.open("rb") as file,
        client.restore_backup(file) as stream,
    ):
        stream.checked()
        return stream.restore()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("restore")


@pytest.fixture(scope="module")
def archive(server: LokiServer, folder: Path) -> Path:
    path = folder / "backup.tar.gz"
    with server.client() as client, client.create_backup() as stream, path.open("wb") as file:
        stream.contents()
        for data in stream:
            file.write(data)
    return path


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[LokiServer]:
    """Keeps "old" when its backup is made."""
    with serving(folder, folder / "state") as running:
        keep(running, "old")
        yield running


def command(server: LokiServer, *words: str) -> subprocess.CompletedProcess[str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("LOKI_")}
    return subprocess.run(
        [sys.executable, "-m", "loki", *words],
        env=inherited | {"LOKI_SERVER": server.address},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_fresh_device_has_all_of_it_afterwards(
    server: LokiServer, archive: Path, tmp_path: Path
) -> None:
    there = keep(server)
    with serving(tmp_path, tmp_path / "state") as fresh:
        assert keep(fresh) == {"keys": [], "series": {}, "files": {}}
        done = command(fresh, "restore", str(archive), "--yes")
        assert (done.returncode, done.stderr) == (0, "")
        assert "what was there before is in before-restore-" in done.stdout
        assert keep(fresh) == there
        with fresh.client() as client:
            (hel,) = [c for c in client.get_children_status() if c.name == "hel"]
            assert (hel.restarts, hel.last_error) == (
                1,
                "shutdown: a restored backup takes the place of its data",
            )
            assert len(there["series"]["old"]) == 100
        assert "before-restore-" in restore(fresh, archive)
        keep(fresh, "more")


def test_without_a_server_it_is_put_back_too(
    server: LokiServer, archive: Path, tmp_path: Path
) -> None:
    there = keep(server)
    with serving(tmp_path, tmp_path / "state") as other:
        keep(other, "new")
        words = ("restore", str(archive), "--yes", "--offline")
        done = command(other, *words, "--config", str(tmp_path / "loki.toml"))
        assert (done.returncode, "another loki" in done.stderr) == (1, True)
    done = command(other, *words, "--config", str(tmp_path / "loki.toml"))
    assert (done.returncode, done.stderr) == (0, "")
    with serving(tmp_path, tmp_path / "state") as again:
        assert keep(again) == there


def test_a_tampered_archive_changes_nothing(
    server: LokiServer, archive: Path, tmp_path: Path
) -> None:
    there = keep(server)
    content = archive.read_bytes()
    bad = tmp_path / "bad.tar.gz"
    bad.write_bytes(content[:-2000] + bytes(1000) + content[-1000:])
    done = command(server, "restore", str(bad), "--yes")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("ARGUMENT_INVALID: this is no backup that can be restored: ")
    assert done.stderr.endswith("nothing was changed\n")
    assert keep(server) == there
    assert not (server.state_dir / ".restore.partial").exists()


def kill_all(server: LokiServer) -> None:
    pidfds = []
    for pid in server.pids():
        with suppress(ProcessLookupError):  # A restore ends Hel by itself.
            pidfds.append(os.pidfd_open(pid))
    for pidfd in pidfds:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    for pidfd in pidfds:
        assert select.select([pidfd], [], [], PATIENCE_S)[0]
        os.close(pidfd)


def test_a_kill_at_any_time_leaves_the_old_or_the_new(
    server: LokiServer, archive: Path, tmp_path: Path
) -> None:
    old, dice = keep(server), random.Random(SEED)
    for _ in range(KILLS):
        with serving(tmp_path, tmp_path / "state") as running:
            new = keep(running, "new")
            killer = threading.Timer(dice.uniform(0.0, 0.6), kill_all, (running,))
            killer.start()
            with suppress(LokiClientError):
                restore(running, archive)
            killer.join()
        with serving(tmp_path, tmp_path / "state") as again:
            found = keep(again)
        assert found in (old, new), f"LOKI_KILL_SEED={SEED}"
        left = {path.name for path in (tmp_path / "state").iterdir()}
        assert not {".restore", ".restore.partial"} & left


def test_a_client_that_leaves_changes_nothing(server: LokiServer, archive: Path) -> None:
    there = keep(server)
    with LokiClient(server.address, patience_s=0) as client, archive.open("rb") as file:
        client.restore_backup(file).checked()
    assert keep(server) == there
