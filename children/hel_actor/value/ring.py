"""The last changes of one namespace's stored values, and what is told of them."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

MOST = 1000


@dataclass(frozen=True, slots=True)
class Change:
    """Every change has the next number; `revision` is the namespace's after it."""

    revision: int
    key: str
    removed: bool


@dataclass(frozen=True, slots=True)
class News:
    """What happened after a revision: `changes`, or too much to remember, where it is a reset."""

    revision: int
    changes: tuple[Change, ...] = ()
    is_reset: bool = False


class Ring:
    """Remembers the last changes; what came before it began it does not know."""

    def __init__(self, revision: int) -> None:
        self.revision = revision
        self._changes: deque[Change] = deque(maxlen=MOST)

    def add(self, changed: Sequence[tuple[str, bool]], revision: int) -> None:
        """Keys and whether they were removed, in order; the last one made it this revision.

        Where that does not fit what came before, all of it is forgotten.
        """
        if revision != self.revision + len(changed):
            self._changes.clear()
        first = revision - len(changed) + 1
        for number, (key, removed) in zip(count(first), changed, strict=False):
            self._changes.append(Change(number, key, removed))
        self.revision = revision

    def since(self, revision: int, prefix: str) -> News:
        """What happened to keys with that prefix after `revision`.

        It is a reset where that is too long ago to know, or was never yet.
        """
        if not self._floor <= revision <= self.revision:
            return News(self.revision, is_reset=True)
        changes = tuple(
            each
            for each in self._changes
            if each.revision > revision and each.key.startswith(prefix)
        )
        return News(self.revision, changes)

    @property
    def _floor(self) -> int:
        """The oldest revision after which everything is known."""
        return self._changes[0].revision - 1 if self._changes else self.revision
