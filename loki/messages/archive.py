"""Dispatcher and the child that keeps the history of executions on disk.

A Dispatcher opens the archive once, then gives it what has changed, and asks for what it does not
remember itself.
"""

import msgspec

from loki.messages.access import EVERY_SCRIPT
from loki.messages.envelope import Done, Message, Request
from loki.messages.history import ExecutionState

SESSION_BITS = 40
"""A session's numbers begin at its own shifted by so many bits: later ones are larger."""


class Kept(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One execution as it is kept. Times are nanoseconds since 1970, 0 for not yet."""

    number: int  # Of its session, then counted in it: grows with each submission.
    id: str
    script: str
    principal: str
    revision: str
    submitted_ns: int
    started_ns: int
    ended_ns: int
    attempts: int
    runner_pid: int
    cause: str  # "" until it has ended.
    complete: bool  # Whether `end` has value and output; a `result` always has.
    end: bytes  # A packed RunFinished, a short one where there is a `result`; b"" for none.
    result: bytes = b""  # A long end, kept for less long.


class ArchiveOpened(Message):
    session: int  # Larger than any before.


class OpenArchive(Request[ArchiveOpened]):
    """Dispatcher -> keeper: a new Dispatcher is here. What has no end has none: it died."""

    now_ns: int


class KeepExecutions(Request[Done]):
    """Dispatcher -> keeper: new ones, and new states of known ones. The answer is durable.

    The rest of what an earlier session had to say may come later than the next one's first word.
    """

    session: int
    now_ns: int
    executions: tuple[Kept, ...]


class KeptFound(Message):
    execution: Kept | None
    begins_ns: int  # When the oldest that is kept was submitted; 0 where none is.


class FindKept(Request[KeptFound]):
    """Dispatcher -> keeper: one by its id."""

    run: str


class KeptListed(Message):
    executions: tuple[Kept, ...]  # The newest first; without a `result`.
    more: bool


class ListKept(Request[KeptListed]):
    """Dispatcher -> keeper: a page of those that have ended."""

    script: str  # A glob over names.
    state: ExecutionState | None  # FINISHED or FAILED; None is both.
    below: int  # The page is of smaller numbers.
    size: int
    among: tuple[str, ...] = EVERY_SCRIPT  # Globs; no others are looked at.
