"""A disk that fails under a running Loki, below its processes: told, degraded, and well again."""

import errno
import time
from collections.abc import Iterator

import pytest

from loki.client import ChildChanged, LokiClient, LokiClientError
from loki.testing import LokiServer
from loki.v1 import device_pb2
from tests.conftest import Need
from tests.faulty_disk import FaultyDisk, Kind

TOOLS = """
[[tools]]
name = "use"
parameters = [{ name = "verb", type = "string" }, { name = "value", type = "string" }]
return_type = "object"
permissions = { storage = true, files = "rw", series = true }
script = { inline = \"\"\"
local value = params.value
local verbs = {
  store = function() hel:storage_set('k', value) end,
  stored = function() return hel:storage_get('k') end,
  write = function() hel:fs_write('f', value) end,
  read = function() return hel:fs_read('f') end,
  append = function() hel:series_append('s', tonumber(value)) end,
  last = function() return hel:series_aggregate('s', nil, nil, 'last')[1].value end,
}
return { it = verbs[params.verb]() }\"\"\" }
"""
WITHIN_S = 15.0
DEGRADED, UP = device_pb2.CHILD_STATE_DEGRADED, device_pb2.CHILD_STATE_UP


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory, need: Need) -> FaultyDisk:
    need("cc", "a C compiler makes the disk that fails")
    return FaultyDisk.build(tmp_path_factory.mktemp("disk"))


@pytest.fixture(scope="module")
def server(disk: FaultyDisk) -> Iterator[LokiServer]:
    with LokiServer(tools=TOOLS, environment=disk.environment) as running:
        yield running


@pytest.fixture
def client(server: LokiServer, disk: FaultyDisk) -> Iterator[LokiClient]:
    with server.client() as connected:
        yield connected
    disk.heal()


def ask(client: LokiClient, verb: str, value: str = "") -> object:
    done = client.execute("use", {"verb": verb, "value": value}, timeout_s=WITHIN_S)
    assert isinstance(done.value, dict)
    return done.value.get("it")


def hel(client: LokiClient) -> device_pb2.ChildServiceInfo:
    return next(c for c in client.get_children_status() if c.name == "hel")


def becomes(client: LokiClient, state: "device_pb2.ChildState") -> device_pb2.ChildServiceInfo:
    end_s = time.monotonic() + WITHIN_S
    while (found := hel(client)).state != state:
        assert time.monotonic() < end_s, found
    return found


def test_s_8_3_2_after_failed_fsyncs_values_are_read_and_well_again_without_a_restart(
    server: LokiServer, client: LokiClient, disk: FaultyDisk
) -> None:
    for verb in ("store", "append"):
        ask(client, verb, "1")
    before = hel(client)
    disk.fail(Kind.SYNC, errno.EIO, "hel.sqlite")
    with pytest.raises(LokiClientError, match="the disk failed to write, and the change may"):
        ask(client, "store", "2")
    degraded = becomes(client, DEGRADED)
    assert "the disk failed to write the database" in degraded.last_error
    for verb in ("store", "append"):
        with pytest.raises(LokiClientError, match="no change is taken"):
            ask(client, verb, "2")
    assert ask(client, "stored") == "1"
    assert ask(client, "last") == 1
    ask(client, "write", "files are not of the database")
    disk.heal()
    assert becomes(client, UP).pid == before.pid
    for verb, look in (("store", "stored"), ("append", "last")):
        assert str(ask(client, look)) in ("1", "1.0")
        ask(client, verb, "3")
        assert str(ask(client, look)) in ("3", "3.0")
    assert not list(server.state_dir.glob("*copy*"))
    assert not list(server.state_dir.glob("*damaged*"))
    assert "Traceback" not in server.log


def test_s_8_3_2_events_tell_of_the_trouble_and_of_its_end(
    client: LokiClient, disk: FaultyDisk
) -> None:
    with client.watch_events(["child"]) as events:
        events.start()
        disk.fail(Kind.SYNC, errno.EIO, "hel.sqlite")
        with pytest.raises(LokiClientError):
            ask(client, "store", "4")
        told = (e for e in events if isinstance(e, ChildChanged) and e.child == "hel")
        degraded = next(told)
        disk.heal()
        well = next(told)
    assert (degraded.child, degraded.state) == ("hel", "degraded")
    assert "takes changes again when" in degraded.reason
    assert (well.child, well.state, well.reason) == ("hel", "up", "")
    assert (well.pid, well.restarts) == (degraded.pid, 0)


@pytest.mark.parametrize("kinds", [Kind.SYNC, Kind.WRITE, Kind.NAME])
def test_s_8_2_1_a_file_on_a_failing_disk_fails_that_one_call(
    client: LokiClient, disk: FaultyDisk, kinds: Kind
) -> None:
    ask(client, "write", "old")
    disk.fail(kinds, errno.EIO, "/files/", times=1)
    with pytest.raises(LokiClientError, match="Input/output error"):
        ask(client, "write", "new")
    assert disk.fired == 1
    assert ask(client, "read") in ("old", "new")
    ask(client, "write", "newer")
    assert ask(client, "read") == "newer"
    assert hel(client).state == UP
