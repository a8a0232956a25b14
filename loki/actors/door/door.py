"""The one door of an actor: what comes in is dispatched by type, what goes out finds its way.

Theory of operation. Every message travels in an envelope. A request gets exactly one reply: the
handler's, a Failure for what it raised, a Failure made on our side when the peer dies, stays away
or lets the deadline pass; whichever is first wins, and later ones are dropped by correlation id.
An exception that is no LokiError is a bug: the sender gets a Failure with an incident id, and the
actor ends, so that its supervisor decides. All methods belong to the actor's own thread.
"""

import asyncio
import inspect
import logging
import os
import secrets
import threading
import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextvars import ContextVar
from pathlib import Path
from typing import Any, NoReturn, Protocol, TypeAlias, TypeVar, Union

import msgspec

from loki.actors.door.frame import FrameError
from loki.actors.door.lane import Exchange, Lane, PeerAway
from loki.actors.door.payload import aged, envelopes, failure_or_raw, reply_opener, tag_of
from loki.actors.door.peer import Peer
from loki.actors.door.poller import Poller
from loki.actors.door.request import RETRY_AFTER_S, UNREADABLE, Requests
from loki.actors.door.role import Answer, Context, Handler, Role
from loki.actors.door.work import Work
from loki.clock import Clock, SystemClock
from loki.errors import ErrorCode, LokiError, ResourceLimitExceeded
from loki.messages.envelope import Envelope, Failure, Kind, Message, Request
from loki.messages.lifecycle import Ping, Pong

R = TypeVar("R", bound=Message)
Send: TypeAlias = Callable[[str, bytes], Lane | None]
_encoder = msgspec.msgpack.Encoder()
_trace = ContextVar("trace", default="")
"""Of the message that is being served. Each coroutine keeps its own."""


def _nobody_hosts(*_given: str) -> NoReturn:
    """The starter's own door: no actor is behind it that could be ready, or end."""
    raise RuntimeError("no actor is behind this door")


class Tap(Protocol):
    """Where tracing and fault injection look in: sees every message, may drop or change it."""

    def outgoing(self, peer: str, envelope: Envelope) -> Envelope | None: ...
    def incoming(self, peer: str, envelope: Envelope) -> Envelope | None: ...


class Door:
    """The `Shell` of a role, whatever thread and loop it lives in."""

    def __init__(
        self,
        name: str,
        run_dir: Path,
        poller: Poller,
        *,
        crashed: Callable[[BaseException, str], None],
        previous: str = "",
        clock: Clock | None = None,
    ) -> None:
        """`crashed(error, incident)` is called after a bug was answered; it ends the actor."""
        self.name = name
        self.previous = previous
        self.clock = clock or SystemClock()
        self.log = logging.getLogger(f"loki.{name}")
        self.tap: Tap | None = None
        self.ready: Callable[[], None] = _nobody_hosts
        self.end: Callable[[str], NoReturn] = _nobody_hosts
        self._thread = threading.get_ident()
        self._crashed = crashed
        self._role: Role | None = None
        self._handlers: Mapping[type[Message], Handler] = {Ping: self._pong}
        self._decoder: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Ping)
        self._requests = Requests(poller, self._guard)
        self._work = Work(name, poller, self._guard)
        self.later = self._work.later
        self.worker = self._work.worker
        self.mind = self._work.mind
        self.exchange = Exchange(
            name,
            run_dir,
            poller,
            received=self._received,
            lost=self._lost,
            reached=self._requests.reached,
            unreachable=self._unreachable,
            log=self.log.warning,
            clock=self.clock,
            aged=aged,
        )

    def attach(self, role: Role, more: Mapping[type[Message], Handler]) -> None:
        """From now on `role` serves what comes in, beside the handlers in `more`."""
        self._role = role
        handlers: dict[type[Message], Handler] = {Ping: self._pong, **more, **role.handlers()}
        self._handlers = handlers
        self._decoder = msgspec.msgpack.Decoder(Union[tuple(handlers)])  # noqa: UP007
        self.exchange.open()

    def _pong(self, _ping: Ping, _context: Context) -> Pong:
        trouble = "" if self._role is None else self._role.trouble
        return Pong(name=self.name, pid=os.getpid(), trouble=trouble)

    # Out.

    def send(
        self,
        peer: str,
        message: Message | msgspec.Raw,
        *,
        timeout_s: float | None = None,
        run: str = "",
    ) -> None:
        self._post(peer, Kind.TELL, 0, _encoder.encode(message), timeout_s, run)

    def request(
        self,
        peer: str,
        request: Request[R],
        then: Callable[[R | Failure], None],
        *,
        timeout_s: float,
        run: str = "",
    ) -> None:
        kind, body = type(request), _encoder.encode(request)
        self._request(peer, body, reply_opener(kind), then, timeout_s, run, once=request.once)

    def call(
        self,
        peer: str,
        body: bytes,
        then: Callable[[msgspec.Raw | Failure], None],
        *,
        timeout_s: float,
        run: str,
    ) -> bool:
        """`request` for a runner, which knows a child's messages as data only, and does not wait.

        `then` gets the reply's msgpack, or the Failure. False where the peer is away: it has not
        got the request, and `then` is not called.
        """
        send = self.exchange.deliver
        return self._request(peer, body, failure_or_raw, then, timeout_s, run, send)

    async def ask(self, peer: str, request: Request[R], *, timeout_s: float, run: str = "") -> R:
        answer: asyncio.Future[R | Failure] = asyncio.get_running_loop().create_future()

        def settle(reply: R | Failure) -> None:
            if not answer.done():
                answer.set_result(reply)

        self.request(peer, request, settle, timeout_s=timeout_s, run=run)
        reply = await answer
        if isinstance(reply, Failure):
            raise reply.error()
        return reply

    def hears(self, pid: int) -> bool:
        return self.exchange.hears(pid)

    def _request(
        self,
        peer: str,
        body: bytes,
        opened: Callable[[msgspec.Raw], Any],
        then: Callable[[Any], None],
        timeout_s: float,
        run: str,
        send: Send | None = None,
        *,
        once: bool = False,
    ) -> bool:
        number = self._requests.begin(peer, opened, then, timeout_s, once=once)
        try:
            lane = self._post(peer, Kind.REQUEST, number, body, timeout_s, run, send)
        except PeerAway:
            self._requests.withdraw(number)
            return False
        except ResourceLimitExceeded as error:
            self._requests.settle_soon(number, Failure.of(error, RETRY_AFTER_S))
        else:
            self._requests.sent(number, lane)
        return True

    def _post(
        self,
        peer: str,
        kind: Kind,
        correlation: int,
        body: bytes,
        remaining_s: float | None,
        run: str,
        send: Send | None = None,
    ) -> Lane | None:
        trace = run or _trace.get()
        envelope = Envelope(kind, correlation, remaining_s, trace, run, msgspec.Raw(body))
        if self.tap is not None:
            changed = self.tap.outgoing(peer, envelope)
            if changed is None:
                return None
            envelope = changed
        try:
            return (send or self.exchange.post)(peer, _encoder.encode(envelope))
        except FrameError as error:
            raise ResourceLimitExceeded(str(error), code=ErrorCode.QUOTA) from error

    # In.

    def _received(self, lane: Lane, payload: bytes) -> None:
        self._guard(self._take_in, lane, payload)

    def _take_in(self, lane: Lane, payload: bytes) -> None:
        try:
            envelope = envelopes.decode(payload)
        except UNREADABLE as error:
            self.log.warning("%s sent no envelope: %s", lane.peer.name, error)
            return
        if self.tap is not None:
            changed = self.tap.incoming(lane.peer.name, envelope)
            if changed is None:
                return
            envelope = changed
        _trace.set(envelope.trace)
        if envelope.kind is Kind.REPLY:
            self._requests.replied(lane, envelope)
        else:
            self._serve(lane, envelope)

    def _serve(self, lane: Lane, envelope: Envelope) -> None:
        peer = lane.peer
        remaining_s = envelope.remaining_s
        context = Context(
            peer=peer.name,
            peer_pid=peer.pid,
            kin=peer.kin,
            run=envelope.run,
            trace=envelope.trace,
            deadline_s=None if remaining_s is None else self.clock.monotonic_s() + remaining_s,
        )
        self._conclude(lane, envelope, self._handle, envelope.body, context)

    def _handle(self, body: msgspec.Raw, context: Context) -> Answer:
        message = self._open(body)
        if self.log.isEnabledFor(logging.DEBUG):
            self.log.debug("trace=%s %s from %s", context.trace, message, context.peer)
        return self._handlers[type(message)](message, context)

    def _conclude(
        self, lane: Lane, envelope: Envelope, answer: Callable[..., Answer], *given: object
    ) -> None:
        """Reply with what `answer(*given)` gives back, or with what it raises."""
        try:
            self._answer(lane, envelope, answer(*given))
        except LokiError as error:
            self._reply(lane, envelope, Failure.of(error))
        except Exception as error:  # noqa: BLE001  # The shell's one catch-all.
            self._bug(error, lane, envelope)

    def _open(self, body: msgspec.Raw) -> Message:
        try:
            return self._decoder.decode(body)
        except UNREADABLE as error:
            raise self._refusal(body, error) from error

    def _refusal(self, body: msgspec.Raw, error: Exception) -> LokiError:
        try:
            tag = tag_of(body)
        except UNREADABLE:
            return LokiError(f"no message: {error}", code=ErrorCode.ARGUMENT_INVALID)
        if tag in {known.__name__ for known in self._handlers}:
            return LokiError(f"{tag}: {error}", code=ErrorCode.ARGUMENT_INVALID)
        self.log.warning("%s does not understand %s", self.name, tag)
        return LokiError(f"{self.name} does not understand {tag}", code=ErrorCode.UNSUPPORTED)

    def _answer(self, lane: Lane, envelope: Envelope, answer: Answer) -> None:
        """Reply now, or when a promise is kept. Raises: TypeError for what is no answer."""
        if answer is None and envelope.kind is Kind.TELL:
            return
        if isinstance(answer, Message):
            self._reply(lane, envelope, answer)
        elif isinstance(answer, Future):
            answer.add_done_callback(lambda done: self._kept_by_thread(lane, envelope, done))
        elif inspect.iscoroutine(answer):
            task = asyncio.get_running_loop().create_task(answer)
            self._work.own(task)
            task.add_done_callback(lambda done: self._kept(lane, envelope, done))
        else:
            raise TypeError(f"a handler gave {type(answer).__name__} for an answer")

    def _kept_by_thread(self, lane: Lane, envelope: Envelope, promise: Future[Any]) -> None:
        if threading.get_ident() == self._thread:
            self._kept(lane, envelope, promise)
            return
        self._work.in_time(lambda: self._kept(lane, envelope, promise))

    def _kept(
        self, lane: Lane, envelope: Envelope, promise: "Future[Any] | asyncio.Task[Any]"
    ) -> None:
        if promise.cancelled():
            failure = Failure(code=ErrorCode.CANCELLED, message="cancelled")
            self._reply(lane, envelope, failure)
        else:
            self._conclude(lane, envelope, promise.result)

    def _reply(self, lane: Lane, envelope: Envelope, reply: Message) -> None:
        if envelope.kind is not Kind.REQUEST:
            if isinstance(reply, Failure):
                self.log.warning("%s: %s", lane.peer.name, reply.message)
            return
        body = msgspec.Raw(_encoder.encode(reply))
        answer = Envelope(Kind.REPLY, envelope.correlation, None, envelope.trace, "", body)
        if self.tap is not None:
            changed = self.tap.outgoing(lane.peer.name, answer)
            if changed is None:
                return
            answer = changed
        try:
            lane.send(_encoder.encode(answer))
        except FrameError as error:
            self._reply(lane, envelope, Failure(code=ErrorCode.QUOTA, message=str(error)))
        except ResourceLimitExceeded as error:
            self.log.warning("a reply was dropped: %s", error)

    # Ends.

    def _lost(self, peer: Peer) -> None:
        self._requests.lost(peer.name)
        self._tell_lost(peer.name, peer.pid)

    def _unreachable(self, peer: str) -> None:
        self._requests.unreachable(peer)
        self._tell_lost(peer, 0)

    def _tell_lost(self, peer: str, pid: int) -> None:
        if self._role is not None:
            role = self._role
            self._guard(role.lost, peer, pid)

    def _guard(self, action: Callable[..., None], *given: object) -> None:
        """Run code of the role that nobody waits for."""
        try:
            action(*given)
        except asyncio.CancelledError:
            return  # Of a task that is minded: whoever cancelled it knows.
        except LokiError as error:
            self.log.warning("%s: %s", self.name, error)
        except Exception as error:  # noqa: BLE001  # The shell's other catch-all.
            self._bug(error, None, None)

    def _bug(self, error: BaseException, lane: Lane | None, envelope: Envelope | None) -> None:
        incident = secrets.token_hex(4)
        text = "".join(traceback.format_exception(error))
        about = {"incident": incident}
        if envelope is not None:
            about |= {"execution": envelope.run, "trace": envelope.trace}
        self.log.error("incident %s: a bug ends %s\n%s", incident, self.name, text, extra=about)
        failure = Failure(
            code=ErrorCode.BUG,
            message=f"a bug in {self.name}; the log has it as incident {incident}",
            details={"incident": incident},
        )
        try:
            if lane is not None and envelope is not None:
                self._reply(lane, envelope, failure)
        finally:
            self._crashed(error, incident)

    def close(self, *, wait: bool = False) -> None:
        """Stop taking messages; blocking work that has begun is finished, also before this returns
        if it is to `wait`, and the rest dropped, tasks and timers with it.

        Whoever waits for a reply is told that none will come.
        """
        self.exchange.close()
        self._work.close(wait=wait)
        self._requests.close(self.name)
