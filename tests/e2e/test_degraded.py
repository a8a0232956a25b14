"""Loki with a part missing, or stopped: what needs it says so, the rest runs on."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from loki.client import LokiClient, LokiClientError
from loki.testing import LokiServer
from loki.v1 import device_pb2

TOOLS = """
[[tools]]
name = "one"
return_type = "integer"
script = { inline = "return 1" }

[[tools]]
name = "pin"
return_type = "boolean"
script = { inline = "return fenrir:gpio_read(4)" }
permissions = { gpio = ["*"] }

[[tools]]
name = "store"
return_type = "integer"
script = { inline = "hel:storage_set('k', 1) return hel:storage_get('k')" }
permissions = { storage = true }

[[tools]]
name = "napper"
return_type = "void"
script = { inline = "loki.emit('asleep') loki.sleep(60000)" }
limits = { max_execution_time_ms = 60000 }

[[tools]]
name = "thinker"
return_type = "integer"
script = { inline = "local t = os.clock() + 2.5 while os.clock() < t do end return 1" }
limits = { max_execution_time_ms = 30000 }
"""
WITHIN_S = 20.0
PARTS = ["hel", "fenrir", "jormungandr", "library", "dispatcher", "gateway"]


@pytest.fixture
def server() -> Iterator[LokiServer]:
    with LokiServer(tools=TOOLS) as running:
        yield running


@pytest.fixture
def client(server: LokiServer) -> Iterator[LokiClient]:
    with server.client() as connected:
        yield connected


def status(client: LokiClient, child: str) -> device_pb2.ChildServiceInfo:
    return next(c for c in client.get_children_status() if c.name == child)


def soon(true: Callable[[], bool]) -> bool:
    end_s = time.monotonic() + WITHIN_S
    while not true():
        if time.monotonic() > end_s:
            return False
    return True


def take_out_of_service(client: LokiClient, child: str) -> None:
    """Kill it again and again, until it is let be for a while."""
    for _ in range(40):
        before = status(client, child)
        if before.state == device_pb2.CHILD_STATE_DOWN:
            return
        if before.pid:
            with suppress(ProcessLookupError):
                os.kill(before.pid, signal.SIGKILL)
            assert soon(lambda gone=before.pid: status(client, child).pid != gone)
        assert soon(lambda: is_up_or_down(client, child))
    raise AssertionError(f"it was never let be: {status(client, child)}")


def is_up_or_down(client: LokiClient, child: str) -> bool:
    """Whether its supervisor has made up its mind."""
    states = (device_pb2.CHILD_STATE_UP, device_pb2.CHILD_STATE_DOWN)
    return status(client, child).state in states


def test_without_its_hardware_the_rest_runs_on(client: LokiClient) -> None:
    """S-9.1.1, S-9.1.3: down is shown, refused with a hint when to retry, and mended by hand."""
    error = refused_without_hardware(client)
    assert (error.code_name, error.reason) == ("UNAVAILABLE", "CHILD_DOWN")
    assert error.retry_after_s is not None
    pid = client.reset_child("fenrir")
    assert client.execute("pin").value is False
    after = status(client, "fenrir")
    assert (after.state, after.pid) == (device_pb2.CHILD_STATE_UP, pid)


def refused_without_hardware(client: LokiClient) -> LokiClientError:
    """How, while the rest runs on; each time that it comes back too soon, it is let be longer."""
    for _ in range(5):
        take_out_of_service(client, "fenrir")
        assert client.execute("one").value == 1
        assert client.execute("store").value == 1
        try:
            client.execute("pin")
        except LokiClientError as error:
            return error
    raise AssertionError("it always was back before it was asked")


def test_one_that_is_out_of_service_comes_back_by_itself(client: LokiClient) -> None:
    take_out_of_service(client, "fenrir")
    assert soon(lambda: status(client, "fenrir").state == device_pb2.CHILD_STATE_UP)
    assert client.execute("pin").value is False


def test_a_child_that_is_unknown_cannot_be_reset(client: LokiClient) -> None:
    with pytest.raises(LokiClientError) as caught:
        client.reset_child("nobody")
    assert (caught.value.code_name, caught.value.reason) == ("NOT_FOUND", "NOT_FOUND")
    with pytest.raises(LokiClientError, match="there is no child 'runner-1'"):
        client.reset_child("runner-1")


@pytest.fixture(scope="module")
def patient() -> Iterator[LokiServer]:
    """For one part after the other."""
    with LokiServer(tools=TOOLS, environment={"LOKI_SUPERVISION__INTENSITY": "100"}) as running:
        yield running


@pytest.mark.parametrize("part", PARTS)
def test_a_part_that_hangs_is_replaced(patient: LokiServer, part: str) -> None:
    """S-3.1.3, S-9.1.3: stopped, it does not answer; it is killed and started again."""
    with patient.client() as client:
        before = status(client, part)
    os.kill(before.pid, signal.SIGSTOP)

    def replaced() -> bool:
        try:
            with patient.client() as fresh:
                after = status(fresh, part)
                return after.pid not in (0, before.pid) and fresh.execute("one").value == 1
        except LokiClientError as error:
            if error.code_name not in ("UNAVAILABLE", "DEADLINE_EXCEEDED", "NOT_FOUND"):
                raise
            return False

    assert soon(replaced)
    with patient.client() as fresh:
        after = status(fresh, part)
    assert after.restarts == 1
    assert after.last_error.startswith("hung: did not answer for ")


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy"])
def test_a_runner_that_hangs_is_replaced(patient: LokiServer, busy: bool) -> None:
    """It computes nothing and answers nothing; one that computes or sleeps is let be."""
    with patient.client() as client:
        running = client.stream("napper") if busy else None
        if running is not None:
            next(running)
        hung = {c.pid for c in client.get_children_status() if c.supervisor == "dispatcher"}
        for pid in hung:
            os.kill(pid, signal.SIGSTOP)

        def replaced() -> bool:
            now = {c.pid for c in client.get_children_status() if c.supervisor == "dispatcher"}
            return bool(now) and not now & hung

        assert soon(replaced)
        if running is not None:
            with pytest.raises(LokiClientError) as caught:
                list(running)
            assert (caught.value.code_name, caught.value.reason) == (
                "UNAVAILABLE",
                "RUNNER_CRASHED",
            )
        assert client.execute("one").value == 1
        assert client.execute("thinker").value == 1


def test_the_tree_shows_who_supervises_whom(client: LokiClient) -> None:
    children = client.get_children_status()
    assert {c.name for c in children if c.supervisor == "loki"} == set(PARTS)
    runners = [c.name for c in children if c.supervisor == "dispatcher"]
    assert runners
    assert all(name.startswith("runner-") for name in runners)
