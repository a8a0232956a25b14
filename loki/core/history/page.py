"""A page of executions: what matches, and how memory and disk together give one."""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from loki.core.history.remembered import Remembered
from loki.errors import InvalidArgument
from loki.messages.access import EVERY_SCRIPT
from loki.messages.history import ExecutionState, ListExecutions

MOST_PAGE = 1000
ABOVE_ALL = 2**63 - 1
LIVE = frozenset({ExecutionState.QUEUED, ExecutionState.RUNNING})


@dataclass(frozen=True, slots=True)
class Asked:
    """Which executions, and how many of them: the newest that have smaller numbers than `below`."""

    script: str  # A glob.
    state: ExecutionState | None
    size: int
    below: int
    among: tuple[str, ...] = EVERY_SCRIPT  # Globs; nothing else is there for who asks.

    def matches(self, found: Remembered) -> bool:
        return (
            found.number < self.below
            and (self.state is None or found.state is self.state)
            and fnmatchcase(found.script, self.script)
            and any(fnmatchcase(found.script, glob) for glob in self.among)
        )


@dataclass(frozen=True, slots=True)
class Page:
    """Some of them, the newest first, and where the next page begins: "" where there is none."""

    executions: tuple[Remembered, ...]
    next: str


def asked(request: ListExecutions) -> Asked:
    """Raises: InvalidArgument for a page that no list gave."""
    page = request.page
    if page and not (page.isascii() and page.isdigit() and len(page) < 20):
        raise InvalidArgument(
            "page_token is none that a list of executions gave", details={"field": "page_token"}
        )
    below = min(int(page), ABOVE_ALL) if page else ABOVE_ALL
    size = min(max(request.page_size, 1), MOST_PAGE)
    return Asked(request.script, request.state, size, below, request.among)


def suffices(asked: Asked, remembered: Sequence[Remembered], seam: int) -> bool:
    """Whether memory has all of the page: of numbers above `seam` nothing is on disk only."""
    if not seam or asked.state in LIVE:
        return True
    return len(remembered) >= asked.size and remembered[asked.size - 1].number > seam


def of_memory(asked: Asked, remembered: Sequence[Remembered], seam: int) -> Page:
    """A page for which memory suffices. `remembered` are all of it that match, the newest first."""
    beyond = seam > 0 and asked.state not in LIVE
    return _page(asked, remembered, more=beyond)


def merged(
    asked: Asked, remembered: Sequence[Remembered], kept: Sequence[Remembered], *, more: bool
) -> Page:
    """A page of both. `kept` are those on disk, of which there are `more` below the last.

    What both know is newer in memory. What memory knows below the last of `kept` comes later.
    """
    lowest = kept[-1].number if more else 0
    both = {each.number: each for each in kept}
    both.update((each.number, each) for each in remembered if each.number >= lowest)
    newest_first = sorted(both.values(), key=lambda each: -each.number)
    return _page(asked, newest_first, more=more)


def _page(asked: Asked, matching: Sequence[Remembered], *, more: bool) -> Page:
    page = tuple(matching[: asked.size])
    more = more or len(matching) > len(page)
    return Page(page, str(page[-1].number) if page and more else "")
