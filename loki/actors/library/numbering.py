"""The Library's field numbers: read from the keeper, given, and kept there before they are shown.

Theory of operation. What is given is decided here and checked by the keeper, which refuses a
number that is given otherwise: then, as when the keeper was lost (another process may open another
database), all is read again before the next one is given. What an older database lacks and does
not contradict is kept there again, so that a restored backup renumbers nothing that clients know.
Without a keeper numbers are held in memory only, and begin anew with each start.
"""

import asyncio
from collections.abc import Iterable, Sequence

from loki.actors.door.role import Shell
from loki.core import field_number
from loki.core.field_number import Ledger, Offer
from loki.core.registry import DOUBTFUL
from loki.errors import LokiError
from loki.messages.field_number import FieldNumber, KeepNumbers, ReadNumbers
from loki.messages.script import Script

TIMEOUT_S = 5.0
PART = 40_000
"""So many numbers are one transaction: a message carries 8 MiB, and one has 160 bytes at most."""


class Numbering:
    """Field numbers that are on the disk, where anybody keeps them."""

    def __init__(self, shell: Shell, keeper: str, last: int = field_number.LAST) -> None:
        """No number above `last` is given."""
        self._shell = shell
        self._keeper = keeper
        self._last = last
        self._ledger: Ledger = {}
        self._in_doubt = bool(keeper)
        self._renumbered = False  # And nobody was told.
        self._giving = asyncio.Lock()

    def lost(self, peer: str) -> None:
        if peer == self._keeper:
            self._in_doubt = True

    def offer(self, scripts: Iterable[Script]) -> Offer:
        """What clients can see of them now."""
        return field_number.offer(self._ledger, scripts, self._last)

    async def check(self, script: Script) -> None:
        """Raises: LokiError, also where there is no room for what this script would need."""
        async with self._giving:
            await self._refresh()
            if refusal := field_number.refusal(self._ledger, script, self._last):
                raise refusal

    async def give(self, scripts: Iterable[Script]) -> bool:
        """See to it that their parameters have numbers, where there is room, durable on return.

        Whether any that was given before is another one now, since the last time that this was
        answered. Raises: LokiError.
        """
        async with self._giving:
            await self._refresh()
            new = field_number.missing(self._ledger, scripts, self._last)
            await self._keep(new)
            field_number.record(self._ledger, new)
            renumbered, self._renumbered = self._renumbered, False
            return renumbered

    async def _refresh(self) -> None:
        """Read all again where it is in doubt."""
        if not self._in_doubt:
            return
        self._in_doubt = False  # Whoever doubts meanwhile is heard.
        try:
            kept, before = await self._read(), frozenset(field_number.entries(self._ledger))
            now: Ledger = {}
            field_number.record(now, (*kept, *before))
            after = frozenset(field_number.entries(now))
            await self._keep(tuple(after.difference(kept)))
        except BaseException:
            self._in_doubt = True
            raise
        self._ledger = now
        self._renumbered = self._renumbered or not before <= after

    async def _read(self) -> Sequence[FieldNumber]:
        numbers: list[FieldNumber] = []
        request = ReadNumbers()
        while True:
            read = await self._shell.ask(self._keeper, request, timeout_s=TIMEOUT_S)
            numbers += read.numbers
            if not read.more:
                return numbers
            request = ReadNumbers(service=numbers[-1].service, number=numbers[-1].number)

    async def _keep(self, numbers: Sequence[FieldNumber]) -> None:
        for first in range(0, len(numbers), PART) if self._keeper else ():
            request = KeepNumbers(numbers=tuple(numbers[first : first + PART]))
            try:
                await self._shell.ask(self._keeper, request, timeout_s=TIMEOUT_S)
            except LokiError as error:
                self._in_doubt = self._in_doubt or error.code in DOUBTFUL
                raise
