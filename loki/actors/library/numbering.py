"""The Library's field numbers: read from the keeper, given, and kept there before they are shown.

Theory of operation. What is given is decided here and checked by the keeper, which refuses a
number that is given otherwise: then, as when the keeper was lost (another process may open another
database), all is read again before the next one is given. What an older database lacks and does
not contradict is kept there again, so that a restored backup renumbers nothing that clients know.
Without a keeper numbers are held in memory only, and begin anew with each start. Those of scripts
that are gone are forgotten only when there are too many in all.
"""

import asyncio
from collections.abc import Callable, Container, Iterable, Sequence
from itertools import islice

from loki.actors.door.role import Shell
from loki.core.library import field_number
from loki.core.library.field_number import Ledger, Offer
from loki.core.library.registry import DOUBTFUL
from loki.errors import LokiError
from loki.messages.envelope import Done, Request
from loki.messages.field_number import FieldNumber, ForgetNumbers, KeepNumbers, ReadNumbers
from loki.messages.script import Script

TIMEOUT_S = 5.0
PART = 40_000
"""So many are one transaction: a message carries 8 MiB, and one number has 160 bytes at most."""
STEP = 4000
"""So many are gone through at once: whoever does not answer for a second counts as hung."""


class Numbering:
    """Field numbers that are on the disk, where anybody keeps them."""

    def __init__(
        self,
        shell: Shell,
        keeper: str,
        in_use: Callable[[], Container[str] | None] = lambda: None,
        last: int = field_number.LAST,
        most: int = field_number.MOST,
    ) -> None:
        """`in_use` tells the services of all scripts that there are; None while nobody knows.

        No number above `last` is given, nor is there room in all for more than `most`.
        """
        self._shell = shell
        self._keeper = keeper
        self._in_use = in_use
        self._last = last
        self._most = most
        self._count = 0  # Of the ledger's entries.
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
            new = len(field_number.missing(self._ledger, [script], self._last))
            if new and self._count - self._spare(new)[1] + new > self._most:
                raise field_number.crowded(self._ledger, script, self._most)

    async def give(self, scripts: Iterable[Script]) -> bool:
        """See to it that their parameters have numbers, where there is room, durable on return.

        Whether any that was given before is another one now, since the last time that this was
        answered. Raises: LokiError.
        """
        async with self._giving:
            await self._refresh()
            new = field_number.missing(self._ledger, scripts, self._last)
            await self._make_room(len(new))
            await self._keep(new)
            field_number.record(self._ledger, new)
            self._count += len(new)
            renumbered, self._renumbered = self._renumbered, False
            return renumbered

    async def _refresh(self) -> None:
        """Read all again where it is in doubt."""
        if not self._in_doubt:
            return
        self._in_doubt = False  # Whoever doubts meanwhile is heard.
        try:
            now = await self._read()
            renumbered = await self._add_own(now)
        except BaseException:
            self._in_doubt = True
            raise
        self._ledger = now
        self._count = sum(len(numbers.by_key) for numbers in now.values())
        self._renumbered = self._renumbered or renumbered

    async def _add_own(self, now: Ledger) -> bool:
        """Enter and keep what the keeper lacks; whether any number is another one now."""
        renumbered = False
        own = field_number.entries(self._ledger)
        while part := tuple(islice(own, STEP)):
            recorded = field_number.record(now, part)
            renumbered = renumbered or recorded.refused
            await self._keep(recorded.new)
            await asyncio.sleep(0)
        return renumbered

    def _spare(self, new: int) -> tuple[tuple[str, ...], int]:
        """What can be forgotten so that there is room for `new` ones."""
        wanted = field_number.excess(self._count, new, self._most)
        in_use = self._in_use() if wanted else None
        return ((), 0) if in_use is None else field_number.spare(self._ledger, in_use, wanted)

    async def _make_room(self, new: int) -> None:
        services, count = self._spare(new)
        for first in range(0, len(services), PART) if self._keeper else ():
            await self._tell(ForgetNumbers(services=services[first : first + PART]))
        for service in services:
            del self._ledger[service]
        self._count -= count
        if services:
            self._shell.log.warning(
                "field numbers of %d scripts that are gone were forgotten", len(services)
            )

    async def _read(self) -> Ledger:
        """What the keeper has. A page is entered before the next is asked for."""
        ledger: Ledger = {}
        request = ReadNumbers()
        while True:
            read = await self._shell.ask(self._keeper, request, timeout_s=TIMEOUT_S)
            field_number.record(ledger, read.numbers)
            if not read.more:
                return ledger
            last = read.numbers[-1]
            request = ReadNumbers(service=last.service, number=last.number)

    async def _keep(self, numbers: Sequence[FieldNumber]) -> None:
        for first in range(0, len(numbers), PART) if self._keeper else ():
            await self._tell(KeepNumbers(numbers=tuple(numbers[first : first + PART])))

    async def _tell(self, request: Request[Done]) -> None:
        try:
            await self._shell.ask(self._keeper, request, timeout_s=TIMEOUT_S)
        except LokiError as error:
            self._in_doubt = self._in_doubt or error.code in DOUBTFUL
            raise
