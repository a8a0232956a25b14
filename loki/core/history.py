"""The executions that are remembered: those under way, and the newest that have ended.

Theory of operation. Every run is known from its submission on. The end of a run is kept as the
packed RunFinished that its caller got; nobody opens it until somebody asks. Two bounds hold. Of the
runs that ended the newest `most` are kept, in the order of their ends. Their packed ends have at
most `most_bytes` together: beyond that the oldest lose value and output, which they say, and when
all have, the oldest are forgotten. What a runner sends is not trusted: an end that cannot be read
is an end without a result.
"""

from collections import OrderedDict, deque
from collections.abc import Iterator
from datetime import UTC, datetime
from fnmatch import fnmatchcase

import msgspec

from loki.errors import ErrorCode, InvalidArgument, LokiError
from loki.messages.envelope import Failure
from loki.messages.execution import Cause, RunFinished
from loki.messages.history import Execution, ExecutionState
from loki.messages.value import NIL

MOST_ENDED = 1000
MOST_RESULT_BYTES = 256 * 1024
MOST_BYTES = 8 * 1024 * 1024
MOST_PAGE = 1000
CUT_KEY, CUT_CHARACTERS, CUT_DETAILS = 64, 500, 8
LISTED_DETAILS = ("line",)

_encode = msgspec.msgpack.Encoder().encode
_ends = msgspec.msgpack.Decoder(RunFinished)


class Remembered(msgspec.Struct, gc=False):
    """One execution. It refers to nothing that could refer to it: it need not be looked through."""

    number: int  # Grows with each submission.
    id: str
    script: str
    principal: str
    submitted_ns: int
    revision: str = ""
    started_ns: int = 0
    ended_ns: int = 0
    attempts: int = 0
    runner_pid: int = 0
    waits: bool = True  # For a runner.
    cause: Cause | None = None
    end: bytes = b""  # A packed RunFinished; empty where none is kept.
    complete: bool = True

    @property
    def state(self) -> ExecutionState:
        if self.cause is None:
            return ExecutionState.QUEUED if self.waits else ExecutionState.RUNNING
        return ExecutionState.FINISHED if self.cause is Cause.FINISHED else ExecutionState.FAILED


class History:
    """No clock and no I/O. Times are nanoseconds since 1970."""

    def __init__(
        self,
        begins_ns: int,
        *,
        most: int = MOST_ENDED,
        most_result_bytes: int = MOST_RESULT_BYTES,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        """`most_result_bytes` bounds a single end, `most_bytes` all of them."""
        self._begins_ns = begins_ns  # Whoever ended later is known.
        self._most = most
        self._most_result_bytes = most_result_bytes
        self._most_bytes = most_bytes
        self._live: dict[str, Remembered] = {}
        self._ended: OrderedDict[str, Remembered] = OrderedDict()
        self._long: deque[Remembered] = deque()  # Whose ends may be shortened, the oldest first.
        self._bytes = 0
        self._number = 0

    def submitted(self, run: str, script: str, principal: str, now_ns: int) -> None:
        self._number += 1
        self._live[run] = Remembered(self._number, run, script, principal, now_ns)

    def started(self, run: str, revision: str, runner_pid: int, now_ns: int) -> None:
        """It was given to a runner, perhaps not its first."""
        found = self._live.get(run)
        if found is not None:
            found.revision, found.runner_pid, found.started_ns = revision, runner_pid, now_ns
            found.attempts += 1
            found.waits = False

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
        if len(self._ended) > self._most:
            self._forget_oldest()
        while self._bytes > self._most_bytes:
            self._make_room()

    def _make_room(self) -> None:
        if not self._long:
            self._forget_oldest()
            return
        found = self._long.popleft()
        self._bytes -= len(found.end)
        found.end, found.complete = shortened(found.end), False
        self._bytes += len(found.end)

    def _forget_oldest(self) -> None:
        _, oldest = self._ended.popitem(last=False)
        self._bytes -= len(oldest.end)
        self._begins_ns = oldest.ended_ns
        if self._long and self._long[0] is oldest:
            self._long.popleft()

    def find(self, run: str) -> Execution:
        """Raises: LokiError (EXECUTION_NOT_FOUND) that says how far back the history goes."""
        found = self._live.get(run) or self._ended.get(run)
        if found is None:
            since = time_of(self._begins_ns)
            raise LokiError(
                f"no execution '{run[:64]}' is known; the history goes back to {since} and "
                f"holds {self._most} that ended at most",
                code=ErrorCode.EXECUTION_NOT_FOUND,
                details={"execution": run[:64], "since": since},
            )
        return described(found)

    def require_live(self, run: str) -> None:
        """Raises: LokiError (EXECUTION_NOT_FOUND) for one that has ended or is not known."""
        if run in self._live:
            return
        found = self.find(run)
        assert found.cause is not None  # noqa: S101
        raise LokiError(
            f"execution '{run}' has ended already ({found.cause.value})",
            code=ErrorCode.EXECUTION_NOT_FOUND,
            details={"execution": run, "cause": found.cause.value},
        )

    def page(
        self, script: str, state: ExecutionState | None, size: int, after: str
    ) -> tuple[tuple[Execution, ...], str]:
        """Up to `size` (1 to 1000) of the newest that match, and where the next page begins.

        `script` is a glob. Raises: InvalidArgument for an `after` that no page gave.
        """
        below = _number_of(after, self._number + 1)
        matching = [
            each
            for each in self._all()
            if each.number < below
            and (state is None or each.state is state)
            and fnmatchcase(each.script, script)
        ]
        matching.sort(key=lambda each: -each.number)
        page = matching[: min(max(size, 1), MOST_PAGE)]
        more = str(page[-1].number) if len(page) < len(matching) else ""
        return tuple(listed(each) for each in page), more

    def _all(self) -> Iterator[Remembered]:
        yield from self._live.values()
        yield from self._ended.values()


def time_of(ns: int) -> str:
    """Such as "2026-11-28T00:50:10Z"."""
    return datetime.fromtimestamp(ns // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def packed(end: RunFinished) -> tuple[bytes, bool]:
    """An end as history keeps it, and whether it is all: one that is too long is shortened."""
    whole = _encode(end)
    return (whole, True) if len(whole) <= MOST_RESULT_BYTES else (shortened(whole), False)


def shortened(end: bytes) -> bytes:
    """A packed end without value and output, its texts cut; b"" for what is none."""
    finished = _read(end)
    return b"" if finished is None else _encode(_short(finished, None))


def _short(finished: RunFinished, keys: tuple[str, ...] | None) -> RunFinished:
    """Without value and output, and with these details of its failure only; None is all."""
    failure = finished.failure
    if failure is not None:
        details = {
            key[:CUT_KEY]: text[:CUT_CHARACTERS]
            for key, text in failure.details.items()
            if keys is None or key in keys
        }
        failure = Failure(
            code=failure.code,
            message=failure.message[:CUT_CHARACTERS],
            details=dict(list(details.items())[:CUT_DETAILS]),
            retry_after_s=failure.retry_after_s,
        )
    short: RunFinished = msgspec.structs.replace(finished, value=NIL, output="", failure=failure)
    return short


def _read(end: bytes) -> RunFinished | None:
    try:
        return _ends.decode(end)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def described(found: Remembered) -> Execution:
    """All that is known of it."""
    finished = _read(found.end)
    return Execution(
        id=found.id,
        script=found.script,
        revision=found.revision,
        principal=found.principal,
        state=found.state,
        submitted_ns=found.submitted_ns,
        started_ns=found.started_ns,
        ended_ns=found.ended_ns,
        attempts=found.attempts,
        runner_pid=found.runner_pid,
        cause=found.cause,
        finished=finished,
        complete=found.complete and (finished is not None or found.cause is None),
    )


def listed(found: Remembered) -> Execution:
    """What a list shows of it."""
    whole = described(found)
    if whole.finished is None:
        return whole
    short: Execution = msgspec.structs.replace(
        whole, finished=_short(whole.finished, LISTED_DETAILS)
    )
    return short


def _number_of(page: str, first: int) -> int:
    if not page:
        return first
    if not (page.isascii() and page.isdigit() and len(page) < 20):
        raise InvalidArgument(
            "page_token is none that a list of executions gave", details={"field": "page_token"}
        )
    return int(page)
