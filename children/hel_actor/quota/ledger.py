"""How many bytes each namespace keeps, for the threads that write them.

Theory of operation: the thread of the files and that of the database each know exactly what they
hold, and one limit is over both. So each claims what a change will add before it makes it, and
settles what is true after it: a claim that is refused changed nothing, and no two threads can claim
the same last byte. Between claim and settlement a namespace counts what it may come to hold; what a
change frees counts as free only when it is on the disk. A part that tells of a namespace when
somebody first asks for it need not count all of them at a start; a claim waits for it.
"""

from collections.abc import Mapping
from enum import Enum
from threading import Condition

from hel_actor.quota.quota import Account, refused
from loki.errors import ResourceLimitExceeded


class Part(Enum):
    """Of what a namespace keeps; one thread each."""

    FILES = "files"
    DATABASE = "database"  # Stored values and time series.


class Ledger:
    """May be used by any thread."""

    def __init__(self) -> None:
        self._bytes: dict[Part, dict[str, int]] = {part: {} for part in Part}
        self._whole: set[Part] = set()
        self._too_much: dict[Part, set[str]] = {part: set() for part in Part}
        self._loaded = Condition()

    def load(self, part: Part, sizes_bytes: Mapping[str, int]) -> None:
        """All that there is of one part; who is not named has nothing of it."""
        with self._loaded:
            self._bytes[part] = dict(sizes_bytes)
            self._whole.add(part)
            self._too_much[part].clear()
            self._loaded.notify_all()

    def settle(self, part: Part, sizes_bytes: Mapping[str, int]) -> None:
        """What a part holds of some namespaces in truth."""
        with self._loaded:
            self._bytes[part].update(sizes_bytes)
            self._too_much[part].difference_update(sizes_bytes)
            self._loaded.notify_all()

    def claim(
        self, account: Account, part: Part, before: int, after: int
    ) -> ResourceLimitExceeded | None:
        """Let a part have `after` bytes that has `before`; nothing is claimed where it may not.

        What does not grow is never refused, however much there is.
        """
        with self._loaded:
            self._loaded.wait_for(lambda: self._is_known(account.namespace))
            if after > before and self._beyond(account, part, after):
                self._loaded.wait_for(lambda: self._is_exact_beside(part, account.namespace))
                if self._beyond(account, part, after):
                    others = self._beside(part, account.namespace)
                    return refused(account, others + before, after - before)
            mine = self._bytes[part]
            mine[account.namespace] = max(mine.get(account.namespace, 0), after)
            return None

    def claim_at_most(self, account: Account, part: Part, growth: int) -> bool:
        """Let a part grow by so many bytes, or fewer; nothing is claimed where that is too much.

        Until it is settled all of it counts, so that whoever is refused because of it waits for
        that first. Who claims so must not wait for another part.
        """
        with self._loaded:
            self._loaded.wait_for(lambda: self._is_known(account.namespace))
            limit = account.limit_bytes
            if limit and self._used(account.namespace) + growth > limit:
                return False
            mine = self._bytes[part]
            mine[account.namespace] = mine.get(account.namespace, 0) + growth
            self._too_much[part].add(account.namespace)
            return True

    def used_bytes(self, namespace: str) -> int:
        with self._loaded:
            return self._used(namespace)

    def _beyond(self, account: Account, part: Part, size_bytes: int) -> bool:
        limit = account.limit_bytes
        return limit > 0 and self._beside(part, account.namespace) + size_bytes > limit

    def _beside(self, part: Part, namespace: str) -> int:
        """What the other parts have."""
        return self._used(namespace) - self._bytes[part].get(namespace, 0)

    def _is_exact_beside(self, part: Part, namespace: str) -> bool:
        return not any(
            namespace in names for kind, names in self._too_much.items() if kind is not part
        )

    def _used(self, namespace: str) -> int:
        return sum(each.get(namespace, 0) for each in self._bytes.values())

    def _is_known(self, namespace: str) -> bool:
        return all(part in self._whole or namespace in sizes for part, sizes in self._bytes.items())
