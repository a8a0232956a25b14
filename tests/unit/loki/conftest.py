"""A gateway with a real gRPC server in this process, and a fake of the actors behind it."""

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any

import msgspec
import pytest

from loki.actors.door.role import Context, Timer
from loki.clock import SystemClock
from loki.core.access.credential import Credentials
from loki.errors import LokiError
from loki.messages.envelope import Done, Failure, Message, Request
from loki.messages.event import Event, EventsRecalled, SubscribeEvents
from loki.messages.execution import CancelRun, SubmitRun
from loki.messages.gateway import GatewayConfig, GatewayReport
from loki.messages.interface import PublishInterfaces, SendInterfaces
from loki.messages.lifecycle import ChildState, ChildStatus

TIMEOUT_S = 30.0


def recalled(*events: Event, log_id: str = "log", **states: ChildState) -> EventsRecalled:
    """What the root answers who subscribes; all is well unless `states` says otherwise."""
    children = {"dispatcher": ChildState.UP} | states
    return EventsRecalled(
        log_id=log_id,
        last=events[-1].sequence if events else 0,
        events=events,
        forgotten={},
        children=tuple(ChildStatus(name=name, state=state) for name, state in children.items()),
    )


class FakeShell:
    """A `Shell` whose peers are the functions in `answers`, by request type."""

    name = "gateway"
    clock = SystemClock()
    log = logging.getLogger("loki.gateway")

    def __init__(self, previous: str = "") -> None:
        self.previous = previous
        self.answers: dict[type[Message], Callable[[Any], Message]] = {
            SubscribeEvents: lambda _request: recalled(),
            SendInterfaces: lambda _request: Done(),
            CancelRun: lambda _request: Done(),
        }
        self.play: Callable[[SubmitRun], None] = lambda _submit: None
        """What the Dispatcher does with a run; called in the gateway's own loop."""
        self.silent: set[type[Message]] = set()
        """Requests that nobody answers."""
        self.readied = threading.Event()
        self.minded: list[asyncio.Task[Any]] = []
        self._sent: list[tuple[str, Message, float | None]] = []
        self._changed = threading.Condition(threading.RLock())

    def send(
        self, peer: str, message: Message, *, timeout_s: float | None = None, run: str = ""
    ) -> None:
        self._record(peer, message, timeout_s)
        if isinstance(message, SubmitRun):
            self.play(message)

    def request(
        self,
        peer: str,
        request: Request[Any],
        then: Callable[[Any], None],
        *,
        timeout_s: float,
        run: str = "",
    ) -> None:
        self._record(peer, request, timeout_s)
        if type(request) in self.silent:
            return
        try:
            then(self.answers[type(request)](request))
        except LokiError as error:
            then(Failure.of(error))

    async def ask(
        self, peer: str, request: Request[Any], *, timeout_s: float, run: str = ""
    ) -> Any:
        replies: list[Any] = []
        self.request(peer, request, replies.append, timeout_s=timeout_s)
        if isinstance(replies[0], Failure):
            raise replies[0].error()
        return replies[0]

    def later(self, delay_s: float, action: Callable[[], None]) -> Timer:
        return asyncio.get_running_loop().call_later(delay_s, action)

    def mind(self, promise: "asyncio.Task[Any]") -> None:
        """What it raises fails no test by itself; what it should have done does."""
        self.minded.append(promise)

    def ready(self) -> None:
        self.readied.set()

    def worker(self, name: str) -> Executor:
        assert name in ("log", "credentials", "http", "files", "values")
        return ThreadPoolExecutor(max_workers=1)

    def _record(self, peer: str, message: Message, timeout_s: float | None) -> None:
        with self._changed:
            self._sent.append((peer, message, timeout_s))
            self._changed.notify_all()

    def sent(self, kind: type[Message]) -> list[tuple[str, Any, float | None]]:
        """(peer, message, timeout_s) of what was sent so far."""
        with self._changed:
            return [entry for entry in self._sent if isinstance(entry[1], kind)]

    def wait_for(self, kind: type[Message], count: int = 1) -> Any:
        """The `count`-th message of that type, as soon as it was sent."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.sent(kind)) >= count, TIMEOUT_S), kind
            return self.sent(kind)[count - 1][1]


class Hosted:
    """A Gateway in the loop of its own thread, as its shell would host it."""

    def __init__(self, shell: FakeShell, config: GatewayConfig) -> None:
        from loki.grpc_gateway.server import Gateway

        self.shell = shell
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="gateway")
        self._thread.start()
        self.gateway = Gateway(shell, msgspec.msgpack.encode(config))
        try:
            self.run(self.gateway.begin())
        except BaseException:
            self._end_loop()
            raise
        self._running = True

    @property
    def address(self) -> str:
        return GatewayReport.of(self.gateway.detail).grpc

    @property
    def http(self) -> str:
        return GatewayReport.of(self.gateway.detail).http

    def run(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(TIMEOUT_S)

    def deliver(self, *messages: Message, peer: str = "runner-1", kin: bool = False) -> None:
        """As if a peer had sent them; from any thread."""
        handlers = self.gateway.handlers()
        context = Context(peer=peer, peer_pid=1, kin=kin, run="", trace="", deadline_s=None)
        for message in messages:
            self._loop.call_soon_threadsafe(handlers[type(message)], message, context)

    def publish(self, news: PublishInterfaces) -> None:
        """As the Library does, and it has been heard."""

        async def hear() -> None:
            context = Context(
                peer="library", peer_pid=1, kin=True, run="", trace="", deadline_s=None
            )
            assert self.gateway.handlers()[PublishInterfaces](news, context) == Done()

        self.run(hear())

    def let_in(self, credentials: Credentials) -> None:
        """From now on, whoever has these."""

        async def exchange() -> None:
            self.gateway._access.exchange(credentials)

        self.run(exchange())

    def drain(self, grace_s: float) -> Any:
        """A future of the end of the drain."""
        self._running = False
        return asyncio.run_coroutine_threadsafe(self.gateway.drain(grace_s), self._loop)

    def lose(self, peer: str) -> None:
        self._loop.call_soon_threadsafe(self.gateway.lost, peer, 1)

    def close(self) -> None:
        if self._running:
            self.drain(0).result(TIMEOUT_S)
        self._end_loop()

    def _end_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(TIMEOUT_S)
        self._loop.close()


@pytest.fixture
def shell() -> FakeShell:
    return FakeShell()


@pytest.fixture
def host() -> Iterator[Callable[..., Hosted]]:
    """`host(shell, port=...)` starts a gateway that ends with the test."""
    hosted: list[Hosted] = []

    def start(shell: FakeShell, **settings: Any) -> Hosted:
        config = GatewayConfig(**{"version": "9.9", "port": 0} | settings)
        hosted.append(Hosted(shell, config))
        return hosted[-1]

    yield start
    for each in hosted:
        each.close()


@pytest.fixture
def hosted(shell: FakeShell, host: Callable[..., Hosted]) -> Hosted:
    return host(shell)
