"""How many bytes the files of each namespace take, kept right by the files' thread.

A namespace is counted when somebody first changes it, so that no start waits for a look at all; and
in small steps, so that nobody waits for a look at the files of others.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from hel_actor.file.jail import Jail, Room, endless
from hel_actor.quota.ledger import Ledger, Part
from hel_actor.quota.quota import Account
from hel_actor.turns import Steps

AT_ONCE = 1000
"""Files looked at in one step, some 10 ms."""


class Occupancy:
    """Counts what each change adds; where one fails half-way, it counts the files again."""

    def __init__(self, jail: Jail, ledger: Ledger, log: logging.Logger) -> None:
        self._jail = jail
        self._ledger = ledger
        self._log = log
        self._bytes: dict[str, int] = {}  # Of those that were asked for.
        self._uncertain: set[str] = set()
        self._told: dict[str, str] = {}  # Why some cannot be counted, as the log has it.
        self._opening = 0  # Of the jail, when those were counted.

    def is_counted(self, namespace: str) -> bool:
        """For any thread."""
        return namespace in self._bytes

    def counting(self, namespace: str) -> Steps[None]:
        """Let the ledger know a namespace, which nobody may change meanwhile.

        Where it cannot be counted, it is nothing for now: each call about its files says why.
        """
        try:
            self._look_at_jail(namespace)
            opening, taken = self._opening, 0
            for number, size_bytes in enumerate(self._jail.taken(namespace)):
                taken += size_bytes
                if number % AT_ONCE == AT_ONCE - 1:
                    yield
        except OSError as error:
            self._cannot_count(namespace, error)
            return
        if namespace in self._bytes:
            return
        if opening == self._opening:
            self._settle(namespace, taken)
        else:  # Of a directory that is no more; who claims waits for a number.
            self._recount(namespace)

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
        """Raises: OSError where the jail cannot be opened."""
        self._look_at_jail(name)
        if name in self._uncertain or name not in self._bytes:
            self._recount(name)
        return self._bytes[name]

    def _look_at_jail(self, name: str) -> None:
        """It opens a new directory where somebody took the old one away."""
        try:
            self._jail.open()
        except OSError:
            self._opening = 0
            for each in {*self._bytes, name}:
                self._settle(each, 0)
            raise
        if self._opening != self._jail.openings:
            self._opening = self._jail.openings
            for each in tuple(self._bytes):
                self._recount(each)

    def _recount(self, name: str) -> None:
        """What a change did that failed is seen on the disk only."""
        self._uncertain.add(name)
        try:
            taken = sum(self._jail.taken(name))
        except OSError as error:
            self._cannot_count(name, error)
        else:
            self._uncertain.discard(name)
            self._told.pop(name, None)
            self._settle(name, taken)

    def _cannot_count(self, name: str, error: OSError) -> None:
        self._uncertain.add(name)
        if self._told.get(name) != str(error):
            self._told[name] = str(error)
            self._log.error("the files of %s cannot be counted for now: %s", name, error)
        self._settle(name, self._bytes.get(name, 0))

    def _settle(self, name: str, taken: int) -> None:
        self._bytes[name] = taken
        self._ledger.settle(Part.FILES, {name: taken})
