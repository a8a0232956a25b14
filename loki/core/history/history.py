"""The executions that are remembered: those under way, and the newest that have ended.

Theory of operation. Every run is known from its submission on. The end of a run is kept as the
packed RunFinished that its caller got; nobody opens it until somebody asks. Two bounds hold. Of the
runs that ended the newest `most` are kept, in the order of their ends. Their packed ends have at
most `most_bytes` together: beyond that the oldest lose value and output, which they say, and when
all have, the oldest are forgotten. What a runner sends is not trusted: an end that cannot be read
is an end without a result.

Where the history is kept on disk, too, what has to go there is told by `unwritten`, and known for
as long as it waits. Whatever was forgotten is there then, with a number that is not above `seam`.
"""

from collections import OrderedDict, deque
from collections.abc import Iterator

from loki.core.history.page import Asked
from loki.core.history.remembered import (
    MOST_RESULT_BYTES,
    Remembered,
    packed,
    shortened,
    time_of,
)
from loki.core.history.unwritten import Unwritten
from loki.errors import ErrorCode, LokiError
from loki.messages.archive import SESSION_BITS
from loki.messages.envelope import Failure
from loki.messages.execution import Cause, RunFinished

MOST_ENDED = 1000
MOST_BYTES = 8 * 1024 * 1024


class History:
    """No clock and no I/O. Times are nanoseconds since 1970."""

    def __init__(
        self,
        begins_ns: int,
        unwritten: Unwritten | None = None,
        *,
        most: int = MOST_ENDED,
        most_result_bytes: int = MOST_RESULT_BYTES,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        """`most_result_bytes` bounds a single end, `most_bytes` all of them.

        Without `unwritten`, what is forgotten is gone.
        """
        self.begins_ns = begins_ns  # Whoever ended later is known.
        self.seam = 0  # Above it nothing is on disk only.
        self._unwritten = unwritten
        self._most = most
        self._most_result_bytes = most_result_bytes
        self._most_bytes = most_bytes
        self._live: dict[str, Remembered] = {}
        self._ended: OrderedDict[str, Remembered] = OrderedDict()
        self._long: deque[Remembered] = deque()  # Whose ends may be shortened, the oldest first.
        self._bytes = 0
        self._number = 0

    def continues(self, session: int) -> None:
        """There are earlier ones on disk. Numbers are of that session, also those given already."""
        first = session << SESSION_BITS
        for each in self._all():
            each.number += first
        self._number += first
        self.seam += first

    def submitted(self, run: str, script: str, principal: str, now_ns: int) -> None:
        self._number += 1
        found = self._live[run] = Remembered(self._number, run, script, principal, now_ns)
        if self._unwritten is not None:
            self._unwritten.changed(found)

    def started(self, run: str, revision: str, runner_pid: int, now_ns: int) -> None:
        """It was given to a runner, perhaps not its first."""
        found = self._live.get(run)
        if found is not None:
            found.revision, found.runner_pid, found.started_ns = revision, runner_pid, now_ns
            found.attempts += 1
            found.waits = False
            if self._unwritten is not None:
                self._unwritten.changed(found)

    def waits(self, run: str) -> None:
        """Its runner was lost, and it gets another."""
        found = self._live.get(run)
        if found is not None:
            found.waits = True

    def ended(
        self, run: str, cause: Cause, end: bytes, now_ns: int, *, complete: bool = True
    ) -> None:
        """The first end counts. `complete` is False where value and output were left out of it."""
        found = self._live.pop(run, None)
        if found is None:
            return
        found.cause, found.ended_ns, found.complete = cause, now_ns, complete
        if len(end) <= self._most_result_bytes:
            found.end = end
        else:
            found.complete = False
        self._ended[run] = found
        self._long.append(found)
        self._bytes += len(found.end)
        if self._unwritten is not None:
            self._unwritten.changed(found, len(found.end))
        if len(self._ended) > self._most:
            self._forget_oldest()
        while self._bytes > self._most_bytes:
            self._make_room()

    def stopped(self, now_ns: int) -> None:
        """Loki ends in an orderly way, and with it whatever has not ended yet."""
        failure = Failure(
            code=ErrorCode.DRAINING, message="Loki is stopping, and has ended this execution"
        )
        for each in list(self._live.values()):
            end = RunFinished(
                run=each.id, script=each.script, cause=Cause.CANCELLED, failure=failure
            )
            self.ended(each.id, end.cause, packed(end)[0], now_ns)

    def _make_room(self) -> None:
        if not self._long:
            self._forget_oldest()
            return
        found = self._long.popleft()
        short = shortened(found.end)
        saved = len(found.end) - len(short)
        found.end, found.complete = short, False
        self._bytes -= saved
        if self._unwritten is not None:
            self._unwritten.shrunk(found, saved)

    def _forget_oldest(self) -> None:
        _, oldest = self._ended.popitem(last=False)
        self._bytes -= len(oldest.end)
        self.begins_ns = oldest.ended_ns
        if self._unwritten is not None:
            self.seam = max(self.seam, oldest.number)
        if self._long and self._long[0] is oldest:
            self._long.popleft()

    def is_live(self, run: str) -> bool:
        return run in self._live

    def find(self, run: str) -> Remembered | None:
        found = self._live.get(run) or self._ended.get(run)
        if found is None and self._unwritten is not None:
            return self._unwritten.find(run)
        return found

    def search(self, asked: Asked) -> list[Remembered]:
        """All of the remembered that are asked for, the newest first."""
        matching = [each for each in self._all() if asked.matches(each)]
        matching.sort(key=lambda each: -each.number)
        return matching

    def _all(self) -> Iterator[Remembered]:
        yield from self._live.values()
        yield from self._ended.values()
        for each in self._unwritten or ():
            if each.id not in self._live and each.id not in self._ended:
                yield each

    def unknown(self, run: str) -> LokiError:
        """Of one that memory, where nothing else is, does not have."""
        return unknown(run, self.begins_ns, f" and holds {self._most} that ended at most")


def unknown(run: str, begins_ns: int, bound: str = "") -> LokiError:
    """The error that says how far back the history goes."""
    since = time_of(begins_ns)
    return LokiError(
        f"no execution '{run[:64]}' is known; the history goes back to {since}{bound}",
        code=ErrorCode.EXECUTION_NOT_FOUND,
        details={"execution": run[:64], "since": since},
    )


def ended_already(found: Remembered) -> LokiError:
    """The error of whoever wants to end it."""
    cause = found.cause.value if found.cause else ""
    return LokiError(
        f"execution '{found.id}' has ended already ({cause})",
        code=ErrorCode.EXECUTION_NOT_FOUND,
        details={"execution": found.id, "cause": cause},
    )
