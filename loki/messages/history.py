"""Gateway and Dispatcher about executions, those under way and those that have ended."""

from enum import Enum

import msgspec

from loki.messages.access import EVERY_SCRIPT
from loki.messages.envelope import Message, Request
from loki.messages.execution import Cause, RunFinished


class ExecutionState(Enum):
    """How far an execution is."""

    QUEUED = "queued"
    RUNNING = "running"
    FINISHED = "finished"  # With a result.
    FAILED = "failed"  # Any other end; its cause says why.


class Execution(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one execution. Times are nanoseconds since 1970, 0 for not yet."""

    id: str
    script: str
    revision: str  # "" where none was found, and of a source that came along.
    principal: str
    state: ExecutionState
    submitted_ns: int
    started_ns: int = 0  # The last attempt.
    ended_ns: int = 0
    attempts: int = 0  # Runners that it was given to.
    runner_pid: int = 0  # The last one.
    cause: Cause | None = None  # None until it has ended.
    finished: RunFinished | None = None  # Its end as its caller was told it.
    complete: bool = True  # Whether that still has value and output.


class ExecutionFound(Message):
    execution: Execution


class GetExecution(Request[ExecutionFound]):
    """Gateway -> Dispatcher."""

    run: str


class ExecutionsListed(Message):
    """Without values, outputs and tracebacks, so that a page fits into a message."""

    executions: tuple[Execution, ...]  # The newest first, by the time of their submission.
    next_page: str = ""  # "" is the last page.


class ListExecutions(Request[ExecutionsListed]):
    """Gateway -> Dispatcher: a page of executions."""

    script: str = "*"  # A glob over names.
    among: tuple[str, ...] = (
        EVERY_SCRIPT  # Globs; of no others the answer, or its next page, tells.
    )
    state: ExecutionState | None = None  # None is all.
    page_size: int = 100
    page: str = ""  # The `next_page` of the page before.
