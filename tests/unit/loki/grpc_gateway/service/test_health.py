"""grpc.health.v1 over a real channel, as the root's events drive it."""

import asyncio
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from loki.core.access.credential import Credentials, digest
from loki.core.access.principal import LOCAL, Principal
from loki.grpc_gateway.server import SERVICES
from loki.grpc_gateway.service import health as health_module
from loki.grpc_gateway.service.health import Health
from loki.grpc_gateway.typed.directory import EMPTY
from loki.messages.access import ClientRole
from loki.messages.event import ChildChanged, Event, EventRecorded, SubscribeEvents
from loki.messages.interface import PublishInterfaces
from loki.messages.lifecycle import ChildState
from tests.unit.loki.conftest import TIMEOUT_S, recalled
from tests.unit.loki.grpc_gateway.interface import interface

State = health_pb2.HealthCheckResponse


@pytest.fixture
def hosted(shell: Any, host: Any) -> Any:
    states = {"fenrir": ChildState.UP, "hel": ChildState.DISABLED}
    shell.answers[SubscribeEvents] = lambda _: recalled(**states)
    return host(shell)


@pytest.fixture
def health(channel: grpc.Channel) -> Any:
    return health_pb2_grpc.HealthStub(channel)


def check(health: Any, service: str) -> int:
    status: int = health.Check(health_pb2.HealthCheckRequest(service=service)).status
    return status


def change(hosted: Any, sequence: int, child: str, state: ChildState) -> None:
    event = Event(sequence=sequence, time_ns=0, fact=ChildChanged(child=child, state=state))
    hosted.deliver(EventRecorded(event=event), peer="loki", kin=True)


def test_s_9_1_3_each_child_has_its_own_health(hosted: Any, health: Any) -> None:
    assert check(health, "fenrir") == State.SERVING
    watch = health.Watch(health_pb2.HealthCheckRequest(service="fenrir"))
    assert next(watch).status == State.SERVING
    change(hosted, 1, "fenrir", ChildState.RESTARTING)
    assert next(watch).status == State.NOT_SERVING
    assert check(health, "fenrir") == State.NOT_SERVING
    assert check(health, "") == State.SERVING  # What needs no fenrir runs on.
    change(hosted, 2, "fenrir", ChildState.UP)
    assert next(watch).status == State.SERVING
    watch.cancel()


def test_without_the_dispatcher_the_whole_is_down(hosted: Any, health: Any) -> None:
    watch = health.Watch(health_pb2.HealthCheckRequest(service="loki.v1.LokiService"))
    assert next(watch).status == State.SERVING
    change(hosted, 1, "dispatcher", ChildState.DOWN)
    assert next(watch).status == State.NOT_SERVING
    assert check(health, "") == State.NOT_SERVING
    watch.cancel()


@pytest.mark.parametrize("service", ["hel", "nobody"])
def test_what_is_no_service_is_not_found_and_watched_as_unknown(health: Any, service: str) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        check(health, service)
    assert raised.value.code() is grpc.StatusCode.NOT_FOUND
    watch = health.Watch(health_pb2.HealthCheckRequest(service=service))
    assert next(watch).status == State.SERVICE_UNKNOWN
    watch.cancel()


def test_the_list_has_them_all(health: Any) -> None:
    statuses = health.List(health_pb2.HealthListRequest()).statuses
    assert {name: status.status for name, status in statuses.items()} == dict.fromkeys(
        ("", *(each.full_name for each in SERVICES), "dispatcher", "fenrir"),
        State.SERVING,
    )


class Stuck:
    """A client that reads nothing any more."""

    def __init__(self) -> None:
        self.wrote = asyncio.Event()

    def peer(self) -> str:
        return "ipv4:192.0.2.1:1"

    async def write(self, _state: object) -> None:
        self.wrote.set()
        await asyncio.Event().wait()


def test_a_client_that_reads_nothing_stops_nobody_else() -> None:
    async def live() -> None:
        health, stuck = Health(), Stuck()
        health.set({"fenrir": True})
        request = health_pb2.HealthCheckRequest(service="fenrir")
        watch = asyncio.create_task(health.Watch(request, stuck))
        await stuck.wrote.wait()
        health.set({"fenrir": False})
        assert (await health.Check(request, None)).status == State.NOT_SERVING
        health.drain()
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)
        assert not health._watching

    asyncio.run(live())


def test_after_the_drain_nothing_serves_again() -> None:
    async def live() -> None:
        health = Health()
        health.set({"fenrir": True})
        health.drain()
        health.set({"fenrir": True})
        request = health_pb2.HealthCheckRequest(service="fenrir")
        assert (await health.Check(request, None)).status == State.NOT_SERVING

    asyncio.run(live())


class Slow:
    """A client that reads when the test says so."""

    def __init__(self) -> None:
        self.read, self.has_read = asyncio.Semaphore(0), asyncio.Event()
        self.got: list[int] = []

    def peer(self) -> str:
        return "ipv4:192.0.2.1:2"

    async def write(self, state: Any) -> None:
        await self.read.acquire()
        self.got.append(state.status)
        self.has_read.set()


def test_who_watches_is_told_of_the_end_before_it_comes() -> None:
    async def live() -> None:
        health, slow = Health(), Slow()
        health.set({"fenrir": True})
        asked = health_pb2.HealthCheckRequest(service="fenrir")
        watch = asyncio.create_task(health.Watch(asked, slow))
        slow.read.release()
        await slow.has_read.wait()
        await health.told(TIMEOUT_S)
        assert slow.got == [State.SERVING]
        health.drain()
        told = asyncio.create_task(health.told(TIMEOUT_S))
        await asyncio.sleep(0)
        assert not told.done()
        slow.read.release()
        await told
        assert slow.got == [State.SERVING, State.NOT_SERVING]
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)

    asyncio.run(live())


def test_who_does_not_read_is_not_waited_for() -> None:
    async def live() -> None:
        health, stuck = Health(), Stuck()
        health.set({"fenrir": True})
        asked = health_pb2.HealthCheckRequest(service="fenrir")
        watch = asyncio.create_task(health.Watch(asked, stuck))
        await stuck.wrote.wait()
        health.drain()
        await health.told(0.0)
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)

    asyncio.run(live())


def test_watches_are_bounded_for_whoever_connects(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """Nobody shows who it is, and each watch costs memory."""
    monkeypatch.setattr(health_module, "MOST_WATCHES", 4)
    health = request.getfixturevalue("health")
    watches = [watch_of(health, "fenrir") for _ in range(3)]
    for each in watches:
        assert next(each).status == State.SERVING
    with pytest.raises(grpc.RpcError) as raised:
        next(watch_of(health, "fenrir"))
    assert raised.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert check(health, "fenrir") == State.SERVING
    watches.pop().cancel()
    while (again := begun(watch_of(health, "fenrir"))) is None:
        pass  # The cancellation is on its way; the test's own time-out ends it.
    for each in (again, *watches):
        each.cancel()


def begun(watch: Any) -> Any:
    """The watch, or None where it was refused."""
    try:
        next(watch)
    except grpc.RpcError:
        return None
    return watch


AVERAGE = "loki.tools.v1.AverageService"
READER = Principal("ann", frozenset({ClientRole.VIEW}), ("other*",))


def watch_of(health: Any, service: str, **options: Any) -> Any:
    return health.Watch(health_pb2.HealthCheckRequest(service=service), **options)


class TestTypedServices:
    def test_each_has_its_health_while_it_is_there(self, hosted: Any, health: Any) -> None:
        watch = watch_of(health, AVERAGE)
        assert next(watch).status == State.SERVICE_UNKNOWN
        hosted.publish(PublishInterfaces(changed=(interface("average"),), complete=True))
        assert next(watch).status == State.SERVING
        assert check(health, AVERAGE) == State.SERVING
        hosted.publish(PublishInterfaces(removed=("average",)))
        assert next(watch).status == State.SERVICE_UNKNOWN
        with pytest.raises(grpc.RpcError) as raised:
            check(health, AVERAGE)
        assert raised.value.code() is grpc.StatusCode.NOT_FOUND
        watch.cancel()

    def test_it_fares_as_the_whole_does(self, hosted: Any, health: Any) -> None:
        hosted.publish(PublishInterfaces(changed=(interface("average"),), complete=True))
        watch = watch_of(health, AVERAGE)
        assert next(watch).status == State.SERVING
        change(hosted, 1, "dispatcher", ChildState.DOWN)
        assert next(watch).status == State.NOT_SERVING
        change(hosted, 2, "dispatcher", ChildState.UP)
        assert next(watch).status == State.SERVING
        watch.cancel()

    def test_after_the_drain_none_serves(self) -> None:
        async def live() -> None:
            health = Health()
            health.begin(lambda _context: LOCAL)
            health.set({"": True})
            health.publish(EMPTY.after(PublishInterfaces(changed=(interface("average"),))))
            asked = health_pb2.HealthCheckRequest(service=AVERAGE)
            assert (await health.Check(asked, None)).status == State.SERVING
            health.drain()
            assert (await health.Check(asked, None)).status == State.NOT_SERVING

        asyncio.run(live())

    def test_a_new_revision_is_no_change(self, hosted: Any, health: Any) -> None:
        hosted.publish(PublishInterfaces(changed=(interface("average"),), complete=True))
        watch = watch_of(health, AVERAGE)
        assert next(watch).status == State.SERVING
        hosted.publish(PublishInterfaces(changed=(interface("average", revision="r2"),)))
        hosted.publish(PublishInterfaces(removed=("average",)))
        assert next(watch).status == State.SERVICE_UNKNOWN
        watch.cancel()

    def test_the_list_has_them_unless_they_are_too_many(
        self, hosted: Any, health: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(health_module, "MOST_LISTED", 2)
        names = ("average", "other")
        hosted.publish(PublishInterfaces(changed=tuple(map(interface, names)), complete=True))
        statuses = health.List(health_pb2.HealthListRequest()).statuses
        assert statuses[AVERAGE].status == State.SERVING
        assert {"loki.tools.v1.OtherService", "", "fenrir"} <= statuses.keys()
        hosted.publish(PublishInterfaces(changed=(interface("third"),)))
        with pytest.raises(grpc.RpcError) as raised:
            health.List(health_pb2.HealthListRequest())
        assert raised.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED

    def test_who_may_not_see_a_script_learns_nothing_of_it(self, hosted: Any, health: Any) -> None:
        names = ("average", "other")
        hosted.publish(PublishInterfaces(changed=tuple(map(interface, names)), complete=True))
        token = (("authorization", "Bearer t"),)
        watch = watch_of(health, "loki.tools.v1.OtherService", metadata=token)
        assert next(watch).status == State.SERVICE_UNKNOWN  # It has no such token yet.
        hosted.let_in(Credentials(tokens=((digest(b"t"), READER),)))
        assert next(watch).status == State.SERVING
        assert next(watch_of(health, AVERAGE, metadata=token)).status == State.SERVICE_UNKNOWN
        asked = health_pb2.HealthListRequest()
        seen = {
            n for n in health.List(asked, metadata=token).statuses if n.startswith("loki.tools")
        }
        assert seen == {"loki.tools.v1.OtherService"}
        nameless = health.List(asked, metadata=(("authorization", "Bearer x"),)).statuses
        assert not [name for name in nameless if name.startswith("loki.tools")]
        assert nameless[""].status == State.SERVING
        watch.cancel()

    def test_news_wake_those_only_whom_they_concern(self) -> None:
        async def live() -> None:
            health, stuck = Health(), Stuck()
            watch = asyncio.create_task(
                health.Watch(health_pb2.HealthCheckRequest(service=AVERAGE), stuck)
            )
            await stuck.wrote.wait()
            ((watching,),) = health._watching.values()
            many = EMPTY.after(
                PublishInterfaces(changed=tuple(interface(f"t_{n}") for n in range(1000)))
            )
            health.publish(many)
            assert not watching.woken
            health.publish(many.after(PublishInterfaces(changed=(interface("average"),))))
            assert watching.woken
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)

        asyncio.run(live())
