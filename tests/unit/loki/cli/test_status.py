"""status and version."""

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from loki import __version__
from loki.v1 import device_pb2

FENRIR = device_pb2.ChildServiceInfo(
    name="fenrir",
    service=True,
    enabled=True,
    state=device_pb2.CHILD_STATE_DOWN,
    restarts=4,
    last_error="killed by signal 9",
)
HEL = device_pb2.ChildServiceInfo(
    name="hel", state=device_pb2.CHILD_STATE_UP, pid=4711, uptime_s=3723
)

LUA = device_pb2.EngineInfo(
    language="lua",
    version="5.4",
    walls=[
        device_pb2.Wall(name="seccomp", active=True, detail="64 system calls"),
        device_pb2.Wall(name="landlock", detail="this kernel has none"),
    ],
)


def test_status_shows_each_child_with_its_last_error(client: Any, loki: Callable[..., Any]) -> None:
    client.children = [FENRIR, HEL]
    result = loki("status")
    assert result.exit_code == 0
    first, *_, fenrir, hel = [line.split() for line in result.stdout.splitlines() if line.strip()]
    assert first[:6] == ["loki", "9.9.9", "at", "127.0.0.1:50070,", "1234", "scripts,"]
    assert fenrir == ["fenrir", "down", "-", "4", "-", "killed", "by", "signal", "9"]
    assert hel == ["hel", "up", "4711", "0", "1", "h", "2", "min"]


def test_the_tree_has_each_child_under_its_supervisor(
    client: Any, loki: Callable[..., Any]
) -> None:
    names = [("hel", "loki"), ("dispatcher", "loki"), ("runner-1", "dispatcher")]
    names += [("runner-2", "dispatcher"), ("gateway", "loki")]
    client.children = [
        device_pb2.ChildServiceInfo(name=name, supervisor=by, state=device_pb2.CHILD_STATE_UP)
        for name, by in names
    ]
    lines = loki("status", "--tree").stdout.splitlines()
    assert [line.partition(" up")[0].strip() for line in lines if " up " in line][1:] == [
        "├─ hel",
        "├─ dispatcher",
        "│  ├─ runner-1",
        "│  └─ runner-2",
        "└─ gateway",
    ]
    assert "runner-1" not in loki("status").stdout


def test_reset_says_that_the_child_is_up(client: Any, loki: Callable[..., Any]) -> None:
    assert loki("reset", "fenrir").stdout == "fenrir is up, pid 4712\n"
    assert json.loads(loki("reset", "fenrir", "--json").stdout) == {"child": "fenrir", "pid": 4712}
    assert ("reset", "fenrir") in client.calls


@pytest.mark.usefixtures("client")
def test_s_r_8_status_shows_the_device_and_its_buses(loki: Callable[..., Any]) -> None:
    assert "device: Raspberry Pi 4; i2c-1, spidev0.0\n" in loki("status").stdout
    told = json.loads(loki("status", "--json").stdout)["device"]
    assert (told["model"], told["buses"]) == ("Raspberry Pi 4", ["i2c-1", "spidev0.0"])


def test_status_as_json(client: Any, loki: Callable[..., Any]) -> None:
    client.children = [HEL]
    plain = json.loads(loki("status", "--json").stdout)
    assert (plain["version"], plain["device"]["cores"]) == ("9.9.9", 4)
    assert plain["children"][0]["state"] == "up"
    assert plain["children"][0]["pid"] == 4711


def test_status_shows_which_walls_stand_around_scripts(
    client: Any, loki: Callable[..., Any]
) -> None:
    client.engines = [LUA]
    lines = loki("status").stdout.splitlines()
    words = [line.split() for line in lines if line.strip()]
    assert ["seccomp", "active", "64", "system", "calls"] in words
    assert ["landlock", "missing", "this", "kernel", "has", "none"] in words


def test_s_4_3_2_status_shows_the_cache_of_compiled_scripts(
    client: Any, loki: Callable[..., Any]
) -> None:
    figures = device_pb2.ChunkCacheStatistics(
        entries=1, capacity=100, hits=2, misses=3, evictions=4, compiles=5
    )
    modules = device_pb2.ChunkCacheStatistics(entries=6, hits=7, misses=8, evictions=9, compiles=10)
    client.engines = [
        device_pb2.EngineInfo(language="lua", chunk_cache=figures, module_cache=modules)
    ]
    lines = loki("status").stdout.splitlines()
    assert lines[-2:] == [
        "compiled scripts: 1 kept, 2 hits, 3 misses, 4 evictions, 5 compilations",
        "compiled modules: 6 kept, 7 hits, 8 misses, 9 evictions, 10 compilations",
    ]


VALUES = device_pb2.ValueCacheStatistics(
    entries=1, capacity=9, size_bytes=1025, capacity_bytes=8, hits=2, misses=3, evictions=4
)


def test_s_8_4_1_status_shows_the_cache_of_values(client: Any, loki: Callable[..., Any]) -> None:
    assert "cached values" not in loki("status").stdout
    assert json.loads(loki("status", "--json").stdout)["value_cache"] is None
    client.value_cache = VALUES
    last = loki("status").stdout.splitlines()[-1]
    assert last == "cached values: 1 kept in 2 KiB, 2 hits, 3 misses, 4 evictions"
    assert json.loads(loki("status", "--json").stdout)["value_cache"] == {
        "entries": 1,
        "capacity": 9,
        "size_bytes": 1025,
        "capacity_bytes": 8,
        "hits": 2,
        "misses": 3,
        "evictions": 4,
    }


def test_engines_as_json(client: Any, loki: Callable[..., Any]) -> None:
    cached = device_pb2.EngineInfo(language="x")
    cached.chunk_cache.hits = 7
    cached.module_cache.compiles = 8
    client.engines = [LUA, cached]
    lua, x = json.loads(loki("status", "--json").stdout)["engines"]
    assert (lua["language"], lua["version"], lua["chunk_cache"]) == ("lua", "5.4", None)
    assert lua["walls"][1] == {
        "name": "landlock",
        "active": False,
        "detail": "this kernel has none",
    }
    assert (x["walls"], x["chunk_cache"]["hits"]) == ([], 7)
    assert (lua["module_cache"], x["module_cache"]["compiles"]) == (None, 8)


@pytest.mark.parametrize("state", device_pb2.ChildState.values())
def test_every_state_has_a_name(client: Any, loki: Callable[..., Any], state: int) -> None:
    client.children = [device_pb2.ChildServiceInfo(name="x", state=state)]  # type: ignore[arg-type]
    (child,) = json.loads(loki("status", "--json").stdout)["children"]
    assert child["state"].islower()
    assert "_" not in child["state"]


@pytest.mark.parametrize("words", [["version"], ["--help"]])
def test_quick_commands_load_nothing_heavy(words: list[str]) -> None:
    code = (
        "import sys\n"
        "from loki.__main__ import main\n"
        f"sys.argv = ['loki', *{words!r}]\n"
        "try:\n    main()\n"
        "except SystemExit as end:\n    assert not end.code\n"
        "heavy = {'grpc', 'thespian', 'pydantic', 'google.protobuf'} & sys.modules.keys()\n"
        "sys.exit(f'loaded: {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert __version__ in done.stdout or "serve" in done.stdout
