"""The requests of one actor that nobody answered yet; each of them gets exactly one reply."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from loki.actors.door.lane import Lane
from loki.actors.door.poller import Poller
from loki.actors.door.role import Timer
from loki.errors import ErrorCode
from loki.messages.envelope import Envelope, Failure

RETRY_AFTER_S = 0.5
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for bytes that are no message: a peer may send anything."""


@dataclass(slots=True)
class Pending:
    """One of them."""

    peer: str
    lane: Lane | None  # None while it waits for its peer to be there.
    opened: Callable[[msgspec.Raw], object]
    then: Callable[[Any], None]
    timer: Timer
    once: bool

    def unanswered(self, why: str, *, undone: bool) -> Failure:
        """What its sender is told instead of the answer; `undone` where it will not be done."""
        if self.once and not undone:
            message = f"{why}: whether what was asked for is done is not known; look first"
            return Failure(code=ErrorCode.OUTCOME_UNKNOWN, message=message)
        return Failure(code=ErrorCode.CHILD_DOWN, message=why, retry_after_s=RETRY_AFTER_S)


class Requests:
    """Whatever comes first is the reply; the others, late, find no request any more."""

    def __init__(self, poller: Poller, guard: Callable[[Callable[[], None]], None]) -> None:
        """`guard` runs the role's code and sees to its exceptions."""
        self._poller = poller
        self._guard = guard
        self._pending: dict[int, Pending] = {}
        self._last = 0

    def __len__(self) -> int:
        return len(self._pending)

    def begin(
        self,
        peer: str,
        opened: Callable[[msgspec.Raw], object],
        then: Callable[[Any], None],
        timeout_s: float,
        *,
        once: bool = False,
    ) -> int:
        """The correlation number of a new request. `then` is called exactly once."""
        self._last += 1
        number = self._last
        late = f"{peer} did not answer within {timeout_s:.3g} s"
        timer = self._poller.call_later(timeout_s, lambda: self._give_up(number, late))
        self._pending[number] = Pending(peer, None, opened, then, timer, once)
        return number

    def sent(self, number: int, lane: Lane | None) -> None:
        self._pending[number].lane = lane

    def replied(self, lane: Lane, envelope: Envelope) -> None:
        """A reply counts only from whom the request was sent to: numbers can be guessed."""
        pending = self._pending.get(envelope.correlation)
        if pending is None or pending.lane is not lane:
            return
        try:
            reply = pending.opened(envelope.body)
        except UNREADABLE as error:
            message = f"{pending.peer} gave an unknown reply: {error}"
            reply = Failure(code=ErrorCode.UNSUPPORTED, message=message)
        self.settle(envelope.correlation, reply)

    def settle(self, number: int, reply: object) -> None:
        pending = self._pending.pop(number, None)
        if pending is not None:
            pending.timer.cancel()
            self._guard(lambda: pending.then(reply))

    def withdraw(self, number: int) -> None:
        """It was not sent: nobody is told."""
        self._pending.pop(number).timer.cancel()

    def settle_soon(self, number: int, reply: object) -> None:
        """In the next turn: who asks must not be answered before the question is out."""
        self._poller.call_later(0, lambda: self.settle(number, reply))

    def reached(self, lane: Lane) -> None:
        """The requests that waited for this peer went out."""
        for pending in self._pending.values():
            if pending.lane is None and pending.peer == lane.peer.name:
                pending.lane = lane

    def unreachable(self, peer: str) -> None:
        """What waited for it was dropped."""
        why = f"{peer} is not there"
        self._give_up_all(lambda p: p.lane is None and p.peer == peer, why, undone=True)

    def lost(self, peer: str) -> None:
        """A peer is gone: whatever was sent on a lane that is closed gets no other answer."""
        why = f"{peer} ended before it answered"
        self._give_up_all(lambda p: p.lane is not None and p.lane.closed, why)

    def close(self, name: str) -> None:
        self._give_up_all(lambda _: True, f"{name} is ending")

    def _give_up_all(
        self, which: Callable[[Pending], bool], why: str, *, undone: bool = False
    ) -> None:
        for number in [n for n, pending in self._pending.items() if which(pending)]:
            self._give_up(number, why, undone=undone)

    def _give_up(self, number: int, why: str, *, undone: bool = False) -> None:
        pending = self._pending.get(number)
        if pending is not None:
            self.settle(number, pending.unanswered(why, undone=undone))
