"""The Library's side of what the keeper has: reading registered scripts, and changing them.

Theory of operation. What was read last is served, whatever becomes of the keeper. It is in doubt
when a lane to the keeper closed (another process may open another database), and when nobody knows
what became of a change; then all is read again, until it succeeds. A change waits for that, and
names the revision that it expects to be the current one, which the keeper checks as it commits: of
two Libraries, one that dies and one that begins, none undoes what the other did.
"""

import asyncio
import random
from collections.abc import Callable

from loki.actors.door.role import Shell
from loki.core.library.registry import DOUBTFUL, Registered, no_keeper, opened, packed, unpacked
from loki.core.supervisor.spec import Backoff
from loki.errors import ErrorCode, LokiError, ServiceUnavailable
from loki.messages.envelope import Done, Request
from loki.messages.registry import (
    DropScript,
    KeepScript,
    ReadRevision,
    ReadRevisions,
    ReadScripts,
    RevisionsRead,
    StoredScript,
)
from loki.messages.script import Script

TIMEOUT_S = 5.0
ASKING = Backoff(shortest_s=0.2, longest_s=5.0)


class Registry:
    """Registered scripts, as the keeper had them when it was asked last."""

    def __init__(
        self,
        shell: Shell,
        keeper: str,
        changed: Callable[[Registered | None], None],
    ) -> None:
        """`changed` is told what was known before, whenever all was read; it must not raise."""
        self.now = Registered()
        self.known = not keeper  # Whether all was ever read.
        self.changing = asyncio.Lock()  # Whoever reads or changes something holds it.
        self._shell = shell
        self._keeper = keeper
        self._changed = changed
        self._in_doubt = bool(keeper)
        self._following = False

    def begin(self) -> "asyncio.Task[None]":
        """Ask; the promise says when there is an answer, good or bad."""
        self._following = self._in_doubt
        return asyncio.create_task(self._follow(1) if self._in_doubt else asyncio.sleep(0))

    def lost(self, peer: str) -> None:
        if peer == self._keeper:
            self._doubt()

    def _doubt(self) -> None:
        self._in_doubt = True
        if not self._following:
            self._following = True
            self._try(1)

    def _try(self, attempt: int) -> None:
        self._shell.mind(asyncio.create_task(self._follow(attempt)))

    async def _follow(self, attempt: int) -> None:
        try:
            async with self.changing:
                await self.refresh()
        except LokiError as error:
            if attempt == 1 and not self.known:
                self._shell.log.warning("registered scripts are served later: %s", error)
            delay_s = ASKING.delay_s(attempt, random.random())  # noqa: S311  # No secret.
            self._shell.later(delay_s, lambda: self._try(attempt + 1))
        else:
            self._following = False
            if attempt > 1:
                count = len(self.now.scripts)
                self._shell.log.warning("registered scripts were read again: %d", count)
            if self._in_doubt:
                self._doubt()

    async def refresh(self) -> None:
        """Read all again where it is in doubt. Raises: LokiError."""
        if not self._in_doubt:
            return
        self._in_doubt = False  # Whoever doubts meanwhile is heard.
        try:
            now = await self._read()
        except BaseException:
            self._in_doubt = True
            raise
        before = self.now if self.known else None
        self.now, self.known = now, True
        self._changed(before)

    async def _read(self) -> Registered:
        stored: list[StoredScript] = []
        page = ""
        while True:
            request = ReadScripts(page=page)
            read = await self._shell.ask(self._keeper, request, timeout_s=TIMEOUT_S)
            stored += read.scripts
            page = read.next_page
            if not page:
                return opened(stored)

    @property
    def has_keeper(self) -> bool:
        return bool(self._keeper)

    def require_keeper(self, folder: str) -> None:
        """Raises: LokiError with CHILD_DISABLED, which names another way: the scripts `folder`."""
        if not self.has_keeper:
            raise no_keeper(folder)

    async def keep(self, script: Script, principal: str, most_scripts: int = 0) -> bool:
        """Durable on return; whether that is news: not where all had to be read again.

        Raises: LokiError; then what was there before is served, unless it is OUTCOME_UNKNOWN.
        """
        request = KeepScript(
            script=packed(script),
            expected=self.now.revision_of(script.name),
            principal=principal,
            time_ns=self._shell.clock.now_ns(),
            most_scripts=most_scripts,
        )
        if not await self._change(request, script.name, script.revision):
            return False
        self.now = self.now.added(script)
        return True

    async def drop(self, name: str, principal: str) -> bool:
        """As `keep`."""
        request = DropScript(
            name=name,
            expected=self.now.revision_of(name),
            principal=principal,
            time_ns=self._shell.clock.now_ns(),
        )
        if not await self._change(request, name, ""):
            return False
        self.now = self.now.without(name)
        return True

    async def _change(self, request: Request[Done], name: str, wanted: str) -> bool:
        """Whether the keeper says that it has `wanted` as the current revision from now on.

        False where it did not say it, but has it. Raises: LokiError.
        """
        try:
            await self._tell(request)
            return True
        except LokiError as error:
            if error.code is not ErrorCode.OUTCOME_UNKNOWN:
                raise
            try:
                await self.refresh()
            except LokiError:
                raise error from None
            if self.now.revision_of(name) != wanted:
                undone = f"{self._keeper} ended, or was too slow, and has changed nothing"
                raise ServiceUnavailable(undone) from error
            return False

    async def _tell(self, request: Request[Done]) -> None:
        try:
            await self._shell.ask(self._keeper, request, timeout_s=TIMEOUT_S)
        except LokiError as error:
            if error.code in DOUBTFUL:
                self._doubt()
            raise

    async def revision(self, name: str, revision: str) -> Script:
        """One that is current or was. Raises: LokiError."""
        request = ReadRevision(name=name, revision=revision)
        read = await self._shell.ask(self._keeper, request, timeout_s=TIMEOUT_S)
        return unpacked(read.script)

    async def revisions(self, request: ReadRevisions) -> RevisionsRead:
        """None where nothing keeps any. Raises: LokiError."""
        if not self.has_keeper:
            return RevisionsRead(revisions=())
        return await self._shell.ask(self._keeper, request, timeout_s=TIMEOUT_S)
