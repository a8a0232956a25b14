"""How many bytes each namespace keeps, for the threads that write them.

Theory of operation: the thread of the files and that of the database each know exactly what they
hold, and one limit is over both. So each claims what a change will add before it makes it, and
settles what is true after it: a claim that is refused changed nothing, and no two threads can claim
the same last byte. Between claim and settlement a namespace counts what it may come to hold; what a
change frees counts as free only when it is on the disk.
"""

from collections import Counter
from collections.abc import Mapping
from enum import Enum
from threading import Condition

from hel_actor.quota import Account, refused
from loki.errors import ResourceLimitExceeded


class Part(Enum):
    """Of what a namespace keeps; one thread each."""

    FILES = "files"
    DATABASE = "database"  # Stored values and time series.


class Ledger:
    """May be used by any thread."""

    def __init__(self) -> None:
        self._bytes: dict[Part, Counter[str]] = {}
        self._loaded = Condition()

    def load(self, part: Part, sizes_bytes: Mapping[str, int]) -> None:
        """All that there is of one part. Until both parts are known, claims wait."""
        with self._loaded:
            self._bytes[part] = Counter(sizes_bytes)
            self._loaded.notify_all()

    def claim(
        self, account: Account, part: Part, before: int, after: int
    ) -> ResourceLimitExceeded | None:
        """Let a part have `after` bytes that has `before`; nothing is claimed where it may not.

        What does not grow is never refused, however much there is.
        """
        with self._loaded:
            self._wait_for_both()
            mine = self._bytes[part]
            others = self._used(account.namespace) - mine[account.namespace]
            limit = account.limit_bytes
            if after > before and limit and others + after > limit:
                return refused(account, others + before, after - before)
            mine[account.namespace] = max(mine[account.namespace], after)
            return None

    def settle(self, part: Part, namespace: str, size_bytes: int) -> None:
        """What a part holds in truth."""
        with self._loaded:
            self._bytes[part][namespace] = size_bytes

    def used_bytes(self, namespace: str) -> int:
        with self._loaded:
            return self._used(namespace)

    def _used(self, namespace: str) -> int:
        return sum(each[namespace] for each in self._bytes.values())

    def _wait_for_both(self) -> None:
        """Each part is loaded by its own thread as its first work, and waits for no other."""
        self._loaded.wait_for(lambda: len(self._bytes) == len(Part))
