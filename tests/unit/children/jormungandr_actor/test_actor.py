"""Jörmungandr's role in an asyncio loop, spoken to as the shell does."""

import asyncio
import subprocess
import sys
from dataclasses import dataclass
from types import SimpleNamespace

import msgspec
import pytest
from jormungandr_actor.actor import Jormungandr
from jormungandr_actor.config import JormungandrConfig
from jormungandr_actor.messages import HttpBody, HttpDelete, HttpGet, HttpPost, HttpPut

from loki.actors.door.role import Context
from loki.errors import ErrorCode, InvalidArgument, IoError, LokiError, PermissionRefused
from loki.messages.execution import RunClosed, RunOpened
from loki.messages.value import pack

PID = 4711
DISPATCHER_PID = 815


@dataclass
class Harness:
    role: Jormungandr

    def tell(self, message):
        return self._handle(message, "", kin=True)

    async def call(self, run, request):
        wire = msgspec.msgpack.encode(request)
        return await self._handle(msgspec.msgpack.decode(wire, type=type(request)), run)

    def _handle(self, message, run, *, kin=False):
        context = Context(peer="p", peer_pid=PID, kin=kin, run=run, trace="", deadline_s=None)
        return self.role.handlers()[type(message)](message, context)

    def open(self, run, *http):
        self.tell(
            RunOpened(
                run=run,
                script="fetch",
                principal="local",
                permissions={"http": http},
                declared_in="tools.toml",
                runner_pid=PID,
                dispatcher_pid=DISPATCHER_PID,
            )
        )


@pytest.fixture
def served():
    """Run a scenario with a role that has one open run, "r1", which may reach this machine."""

    def run(scenario):
        async def whole():
            config = msgspec.msgpack.encode(JormungandrConfig().model_dump(mode="json"))
            jormungandr = Harness(Jormungandr(SimpleNamespace(), config))
            jormungandr.open("r1", "http://127.0.0.1:*/")
            await scenario(jormungandr)
            await jormungandr.role.drain(30.0)
            assert jormungandr.role._tasks == {}

        asyncio.run(asyncio.wait_for(whole(), 60))

    return run


@pytest.mark.parametrize(
    ("request_of", "line"),
    [
        (lambda url: HttpGet(url=url), "GET"),
        (lambda url: HttpPost(url=url, body=pack("b")), "POST"),
        (lambda url: HttpPut(url=url, body=pack(b"b")), "PUT"),
        (lambda url: HttpDelete(url=url), "DELETE"),
    ],
)
@pytest.mark.parametrize(("wire", "body"), [("grün".encode(), "grün"), (b"\xff\x00", b"\xff\x00")])
def test_s_7_2_1_each_function_sends_its_method(
    served, serve, answer, request_of, line, wire, body
):
    async def scenario(jormungandr):
        async with serve(answer(body=wire)) as peer:
            reply = await jormungandr.call("r1", request_of(peer.url))
            assert reply == HttpBody(body=pack(body))
            assert peer.requests[0].line.startswith(line)

    served(scenario)


@pytest.mark.parametrize("body", [None, 1, True, ["b"], {"b": 1}])
def test_a_body_that_is_no_string_is_refused(served, body):
    async def scenario(jormungandr):
        with pytest.raises(InvalidArgument, match="must be a string"):
            await jormungandr.call("r1", HttpPost(url="http://127.0.0.1:1/", body=pack(body)))

    served(scenario)


def test_refusals_and_bad_answers_come_as_errors(served, serve, answer):
    async def scenario(jormungandr):
        async with serve(answer("404 Not Found")) as peer:
            with pytest.raises(IoError) as missing:
                await jormungandr.call("r1", HttpGet(url=peer.url))
            assert missing.value.details["status"] == "404"
            jormungandr.open("r2")
            with pytest.raises(PermissionRefused):
                await jormungandr.call("r2", HttpGet(url=peer.url))

    served(scenario)


def test_s_7_3_1_the_end_of_a_run_cancels_what_it_waits_for(served, serve):
    arrived = asyncio.Event()

    async def silence(received, writer):
        arrived.set()
        await asyncio.Event().wait()

    async def scenario(jormungandr):
        async with serve(silence) as peer:
            call = asyncio.ensure_future(jormungandr.call("r1", HttpGet(url=peer.url)))
            await arrived.wait()
            jormungandr.tell(RunClosed(run="r1"))
            with pytest.raises(LokiError, match="the run is over") as error:
                await call
            assert error.value.code is ErrorCode.CHILD_DOWN
            await peer.closed.wait()

    served(scenario)


def test_a_run_that_ends_at_once_sends_nothing(served, serve, answer):
    async def scenario(jormungandr):
        async with serve(answer()) as peer:
            call = jormungandr.call("r1", HttpGet(url=peer.url))
            started = asyncio.ensure_future(call)
            await asyncio.sleep(0)  # The handler ran; its task did not.
            jormungandr.tell(RunClosed(run="r1"))
            with pytest.raises(LokiError, match="the run is over"):
                await started
            assert peer.accepted == 0

    served(scenario)


def test_a_caller_that_is_cancelled_itself_stays_cancelled(served, serve):
    arrived = asyncio.Event()

    async def silence(received, writer):
        arrived.set()
        await asyncio.Event().wait()

    async def scenario(jormungandr):
        async with serve(silence) as peer:
            call = asyncio.ensure_future(jormungandr.call("r1", HttpGet(url=peer.url)))
            await arrived.wait()
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            await peer.closed.wait()

    served(scenario)


def test_other_runs_go_on_when_one_ends(served, serve, answer):
    async def scenario(jormungandr):
        async with serve(answer(body=b"x")) as peer:
            jormungandr.open("r2", "http://127.0.0.1:*/")
            other = asyncio.ensure_future(jormungandr.call("r2", HttpGet(url=peer.url)))
            await asyncio.sleep(0)
            jormungandr.tell(RunClosed(run="r1"))
            assert await other == HttpBody(body=pack("x"))

    served(scenario)


def test_aiohttp_is_not_loaded_before_the_first_call():
    probe = (
        "import sys, jormungandr_actor, jormungandr_actor.actor\n"
        "print([m for m in ('aiohttp', 'yarl', 'pydantic') if m in sys.modules])"
    )
    printed = subprocess.run(
        [sys.executable, "-c", probe], check=True, capture_output=True, text=True
    ).stdout
    assert printed.strip() == "[]"
