"""What one actor does, apart from how it is reached: the port between roles and the shell."""

import logging
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Executor, Future
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Protocol, TypeAlias, TypeVar

import msgspec

from loki.clock import Clock
from loki.errors import ErrorCode, PermissionRefused
from loki.messages.envelope import Failure, Message, Request

if TYPE_CHECKING:
    import asyncio

R = TypeVar("R", bound=Message)


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """Where a message comes from and how long its sender waits."""

    peer: str  # Name of the sending actor.
    peer_pid: int  # From the kernel, never from the message; 0 for Thespian messages.
    kin: bool  # Whether the sender is our parent or a child of our parent; runners are not.
    run: str  # The run it speaks for, or "".
    trace: str
    deadline_s: float | None  # On the monotonic clock.

    def require_kin(self, text: str) -> None:
        """Raises: PermissionRefused with `text`, such as for a runner, whatever runs in it."""
        if not self.kin:
            raise PermissionRefused(text, code=ErrorCode.ROLE)


Answer: TypeAlias = "Message | Future[Any] | Coroutine[Any, Any, Message] | None"
"""What a handler gives back: the reply, or a promise of it; None for what needs no reply."""

Handler: TypeAlias = Callable[[Any, Context], Answer]


class Timer(Protocol):
    def cancel(self) -> None: ...


class Shell(Protocol):
    """All that a role may do to the outside. Only the role's own thread may call it."""

    name: str
    clock: Clock
    log: logging.Logger
    previous: str  # What the last incarnation left in `Role.detail`; "" for the first.

    def send(
        self,
        peer: str,
        message: Message | msgspec.Raw,
        *,
        timeout_s: float | None = None,
        run: str = "",
    ) -> None:
        """Send what needs no reply; Raw is a message that is packed already.

        Raises: ResourceLimitExceeded when the outbox is full.
        """

    def request(
        self,
        peer: str,
        request: Request[R],
        then: Callable[[R | Failure], None],
        *,
        timeout_s: float,
        run: str = "",
    ) -> None:
        """Ask `peer`; `then` is called exactly once, on this thread, whatever happens."""

    async def ask(self, peer: str, request: Request[R], *, timeout_s: float, run: str = "") -> R:
        """`request` for roles served by asyncio. Raises: LokiError for a Failure."""

    def later(self, delay_s: float, action: Callable[[], None]) -> Timer:
        """Call `action` on this thread after `delay_s` seconds."""

    def worker(self, name: str) -> Executor:
        """One owned thread for blocking I/O; it ends with the actor."""

    def mind(self, promise: "Future[Any] | asyncio.Task[Any]") -> None:
        """See to what a promise raises that nobody waits for: a bug ends the actor."""

    def hears(self, pid: int) -> bool:
        """Whether a lane to that process is open, so that more of what it said may come."""

    def ready(self) -> None:
        """Tell the parent that this actor serves; for a role that is `ready_by_itself`."""

    def end(self, reason: str) -> NoReturn:
        """Leave at once: "normal", "shutdown", "shutdown: why", or what went wrong."""


class Role:
    """One actor's behaviour. Created in its own process, after the fork."""

    asynchronous: ClassVar[bool] = False
    """Whether it lives in an asyncio loop of its own thread; handlers may then be coroutines."""

    ready_by_itself: ClassVar[bool] = False
    """Whether it calls `shell.ready`; all others are ready as soon as they are made."""

    detail: str = ""
    """Said to the parent with Ready, and given to the next incarnation as `shell.previous`."""

    def __init__(self, shell: Shell, config: bytes) -> None:
        """`config` is what the parent put into Boot, as msgpack."""
        self.shell = shell
        self.config = config

    @property
    def trouble(self) -> str:
        """Why it serves less than it should, for people: `degraded` is its state then; or "".

        Asked for with each heartbeat.
        """
        return ""

    def handlers(self) -> Mapping[type[Message], Handler]:
        """Message type -> handler; everything else is answered UNSUPPORTED."""
        return {}

    async def begin(self) -> None:
        """Called once in the loop of an asynchronous role, before it is Ready."""

    def lost(self, peer: str, pid: int) -> None:
        """The last lane to `peer` closed: it died, or is about to.

        A `pid` of 0: it could not be reached for a second, and what waited for it was dropped.
        A `peer` of "": that process never said who it is.
        """

    def started(self) -> None:
        """Called once after Ready was sent; not for asynchronous roles."""

    async def drain(self, grace_s: float) -> None:
        """Asynchronous roles: finish what is under way, within `grace_s`."""

    def finish(self, grace_s: float, done: Callable[[], None]) -> None:  # noqa: ARG002
        """Other roles: finish what is under way within `grace_s`, then call `done`."""
        self.stop()
        done()

    def stop(self) -> None:
        """Last call before the process ends in an orderly way. Must not block."""
