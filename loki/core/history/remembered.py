"""One execution in the history: how it is kept, how it is told, and how its end is shortened."""

from datetime import UTC, datetime

import msgspec

from loki.errors import ErrorCode
from loki.messages.archive import Kept
from loki.messages.envelope import Failure
from loki.messages.execution import Cause, RunFinished
from loki.messages.history import Execution, ExecutionState
from loki.messages.value import NIL

MOST_RESULT_BYTES = 256 * 1024
SHORT_BYTES = 2048  # An end of no more is kept as long as its execution is.
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
    changes: int = 0  # So many times it became another than it was.

    @property
    def state(self) -> ExecutionState:
        if self.cause is None:
            return ExecutionState.QUEUED if self.waits else ExecutionState.RUNNING
        return ExecutionState.FINISHED if self.cause is Cause.FINISHED else ExecutionState.FAILED


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
    finished = _interrupted(found) if found.cause is Cause.INTERRUPTED else _read(found.end)
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


def _interrupted(found: Remembered) -> RunFinished:
    """Nobody was left to tell this end."""
    when = "in the middle of this execution" if found.started_ns else "before this execution began"
    failure = Failure(code=ErrorCode.RUNNER_CRASHED, message=f"Loki or its dispatcher ended {when}")
    return RunFinished(run=found.id, script=found.script, cause=Cause.INTERRUPTED, failure=failure)


def listed(found: Remembered) -> Execution:
    """What a list shows of it."""
    whole = described(found)
    if whole.finished is None:
        return whole
    short: Execution = msgspec.structs.replace(
        whole, finished=_short(whole.finished, LISTED_DETAILS)
    )
    return short


def kept(found: Remembered) -> Kept:
    """As it goes to the disk: of a long end there is a short one, too, which stays for longer."""
    end, result, complete = found.end, b"", found.complete
    if len(end) > SHORT_BYTES:
        end, result, complete = shortened(end), end if complete else b"", False
    return Kept(
        number=found.number,
        id=found.id,
        script=found.script,
        principal=found.principal,
        revision=found.revision,
        submitted_ns=found.submitted_ns,
        started_ns=found.started_ns,
        ended_ns=found.ended_ns,
        attempts=found.attempts,
        runner_pid=found.runner_pid,
        cause=found.cause.value if found.cause else "",
        complete=complete,
        end=end,
        result=result,
    )


def recalled(row: Kept) -> Remembered:
    """What was kept of it."""
    return Remembered(
        number=row.number,
        id=row.id,
        script=row.script,
        principal=row.principal,
        submitted_ns=row.submitted_ns,
        revision=row.revision,
        started_ns=row.started_ns,
        ended_ns=row.ended_ns,
        attempts=row.attempts,
        runner_pid=row.runner_pid,
        waits=not row.started_ns,
        cause=Cause(row.cause) if row.cause else None,
        end=row.result or row.end,
        complete=row.complete or bool(row.result),
    )
