"""How many bytes the files of each namespace take, kept right by the files' thread."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from hel_actor.file.jail import Jail, Room, endless
from hel_actor.quota.ledger import Ledger, Part
from hel_actor.quota.quota import Account


class Occupancy:
    """Counts what each change adds; where one fails half-way, it counts the files again."""

    def __init__(self, jail: Jail, ledger: Ledger, log: logging.Logger) -> None:
        self._jail = jail
        self._ledger = ledger
        self._log = log
        self._bytes: dict[str, int] = {}
        self._counted_at = 0  # Of the jail's openings.
        self._uncertain: set[str] = set()

    def load(self) -> None:
        """Count everything, once for each directory that the jail opens.

        Raises: OSError; then files count nothing until it succeeds.
        """
        try:
            self._jail.open()
            if self._counted_at == self._jail.openings:
                return
            self._bytes, self._counted_at = self._jail.taken(), self._jail.openings
        except OSError:
            self._bytes, self._counted_at = {}, 0
            self._ledger.load(Part.FILES, {})
            raise
        self._uncertain.clear()
        self._ledger.load(Part.FILES, self._bytes)

    @contextmanager
    def changing(self, account: Account) -> Iterator[Room]:
        """For one change. The room raises ResourceLimitExceeded, before anything is changed."""
        name, moved = account.namespace, 0
        try:
            before = self._known(name)
        except OSError:
            yield endless  # The jail itself says in its own words what it cannot do.
            return

        def room(size_bytes: int) -> None:
            nonlocal moved
            had = before + moved
            refusal = self._ledger.claim(account, Part.FILES, had, had + size_bytes)
            if refusal is not None:
                raise refusal
            moved += size_bytes

        try:
            yield room
        except Exception:
            if moved:
                self._recount(name)
            raise
        self._settle(name, before + moved)

    def _known(self, name: str) -> int:
        self.load()
        if name in self._uncertain:
            self._recount(name)
        return self._bytes.get(name, 0)

    def _recount(self, name: str) -> None:
        """What a change did that failed is seen on the disk only."""
        self._uncertain.add(name)
        try:
            taken = self._jail.taken_by(name)
        except OSError as error:
            self._log.error("the files of %s cannot be counted for now: %s", name, error)
            return
        self._uncertain.discard(name)
        self._settle(name, taken)

    def _settle(self, name: str, taken: int) -> None:
        self._bytes[name] = taken
        self._ledger.settle(Part.FILES, name, taken)
