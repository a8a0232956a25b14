"""How scripts go from the Library to those who serve them: callable first, visible second.

Theory of operation. The Dispatcher gets scripts with their bytecode, the Gateway interfaces with
their field numbers; whoever hears that a script is there may call it at once. Both get news in one
order, also between a whole library and single changes. What the Dispatcher missed it asks for when
it is back; what the Gateway missed, or what had no number because the keeper was away, is owed to
the Gateway, and sent as a whole at growing distances until that succeeds; people are told of what
stays owed, and of scripts for which no number is left.
"""

import asyncio
import random
from collections.abc import Callable, Iterable
from contextlib import suppress

import msgspec

from loki.actors.door.role import Shell, Timer
from loki.actors.library.numbering import Numbering
from loki.actors.library.shortfall import Shortfall
from loki.core.library import library
from loki.core.library.catalogue import Catalogue
from loki.core.run.engine import Engine
from loki.core.supervisor.spec import Backoff
from loki.errors import CompilationError, LokiError
from loki.messages.interface import PublishInterfaces
from loki.messages.library import PublishScripts
from loki.messages.script import Script

DISPATCHER = "dispatcher"
GATEWAY = "gateway"
PUBLISH_TIMEOUT_S = 2.0
PART_BYTES = 2 * 1024 * 1024
ASKING = Backoff(shortest_s=0.2, longest_s=10.0)


class Publisher:
    """Tells Dispatcher and Gateway what is in a catalogue."""

    def __init__(
        self,
        shell: Shell,
        engine: Engine,
        numbering: Numbering,
        catalogue: Catalogue,
        whole: Callable[[], bool],
    ) -> None:
        """`whole` says whether the catalogue has all: only then others are forgotten."""
        self._shell = shell
        self._engine = engine
        self._numbering = numbering
        self._catalogue = catalogue
        self._whole = whole
        self._bytecode: dict[str, bytes] = {}  # By revision, which covers name and source.
        self._order = asyncio.Lock()  # Of what is heard: a whole library is no news.
        self._next_whole: asyncio.Task[None] | None = None
        self._gateway_heard = False  # A gateway that begins asks.
        self._timer: Timer | None = None  # While something is owed to the Gateway.
        self._shortfall = Shortfall(shell.log)

    @property
    def trouble(self) -> str:
        """Why typed methods are missing, for people; "" where none is."""
        return self._shortfall.text

    async def check(self, script: Script) -> None:
        """Raises: LokiError where it can have no typed method, or where nobody can tell now."""
        await self._numbering.check(script)

    async def prepare(self, scripts: Iterable[Script]) -> None:
        """Number these before anybody asks; where that fails, it is tried again then."""
        with suppress(LokiError):
            await self._numbering.give(scripts)

    def compile(self, script: Script) -> None:
        """Raises: CompilationError."""
        self.compiled(script.revision, self._engine.compile(script))

    def compiled(self, revision: str, bytecode: bytes) -> None:
        """It was compiled elsewhere."""
        self._bytecode[revision] = bytecode

    def forget(self, script: Script | None) -> None:
        """What was replaced or removed, or checked and not kept, unless it is served."""
        held = self._catalogue.scripts.get(script.name) if script else None
        if script and (held is None or held.revision != script.revision):
            self._bytecode.pop(script.revision, None)

    async def publish(
        self, changed: tuple[Script, ...] = (), removed: tuple[str, ...] = ()
    ) -> None:
        """Raises: LokiError where the Dispatcher does not get it; the Gateway is told anyway."""
        async with self._order:
            try:
                await self._compile_missing(changed)
                *parts, last = library.parts(changed, self._bytecode, PART_BYTES)
                for part in parts:
                    await self._to_dispatcher(PublishScripts(changed=part))
                await self._to_dispatcher(PublishScripts(changed=last, removed=removed))
            finally:
                await self._tell_gateway(changed, removed)

    async def publish_all(self) -> None:
        """To the Dispatcher, in parts that fit into messages; the last one has it forget others.

        But not before the registered ones were read: it knows them from another Library, perhaps.
        Whoever asks while this has yet to begin gets the same.
        """
        if self._next_whole is None:
            self._next_whole = asyncio.create_task(self._publish_each_part())
        await asyncio.shield(self._next_whole)

    async def _publish_each_part(self) -> None:
        async with self._order:
            self._next_whole = None
            whole, scripts = self._whole(), tuple(self._catalogue.scripts.values())
            await self._compile_missing(scripts)
            *parts, last = library.parts(scripts, self._bytecode, PART_BYTES)
            for part in parts:
                await self._to_dispatcher(PublishScripts(changed=part))
            others = tuple(script.name for part in parts for script in part)
            await self._to_dispatcher(PublishScripts(changed=last, complete=whole, others=others))

    async def _compile_missing(self, scripts: Iterable[Script]) -> None:
        """Bytecode never comes from a file: another process, another version of Lua made it.

        Thousands take seconds, in which heartbeats and calls are answered.
        """
        for script in scripts:
            if script.revision not in self._bytecode:
                await asyncio.sleep(0)
                with suppress(CompilationError):  # Its runs will say what is wrong.
                    self.compile(script)

    async def _to_dispatcher(self, message: PublishScripts) -> None:
        revisions = [script.revision for script in message.changed]
        bytecode = {r: self._bytecode[r] for r in revisions if r in self._bytecode}
        whole = msgspec.structs.replace(message, bytecode=bytecode)
        await self._shell.ask(DISPATCHER, whole, timeout_s=PUBLISH_TIMEOUT_S)

    # To the Gateway.

    def lost(self, peer: str) -> None:
        if peer == GATEWAY:
            self._gateway_heard = False
            self._wait_no_longer()
        self._numbering.lost(peer)

    async def send_interfaces(self) -> None:
        """Everything to a Gateway that asks. Raises: LokiError."""
        self._gateway_heard = True
        async with self._order:
            try:
                await self._number_all()
            except LokiError as error:
                self._owe(error)
            else:
                self._wait_no_longer()
            await self._send_interfaces()
        if self._timer is None:
            self._shortfall.settled()

    def renumber(self) -> None:
        """The keeper is back, perhaps another one: look after the numbers, soon."""
        if self._gateway_heard:
            self._owe()

    async def _tell_gateway(self, changed: tuple[Script, ...], removed: tuple[str, ...]) -> None:
        """What fails is owed: the scripts can be called without it."""
        if not self._gateway_heard:
            return
        try:
            if await self._numbering.give(changed):
                self._owe()
            offer = self._numbering.offer(changed)
            self._shortfall.renew(offer.refused, {*removed, *(each.name for each in changed)})
            gone = (*removed, *offer.refused)
            await self._to_gateway(PublishInterfaces(changed=offer.shown, removed=gone))
        except LokiError as error:
            self._owe(error)

    def _owe(self, why: LokiError | None = None) -> None:
        """All interfaces, soon."""
        if why is not None:
            self._shell.log.debug("typed methods are published later: %s", why)
        if self._timer is None:
            self._pay_later(attempt=1)

    def _pay_later(self, attempt: int) -> None:
        def pay() -> None:
            self._shell.mind(asyncio.create_task(self._pay(attempt)))

        delay_s = ASKING.delay_s(attempt, random.random())  # noqa: S311  # No secret.
        self._timer = self._shell.later(delay_s, pay)

    async def _pay(self, attempt: int) -> None:
        mine = self._timer
        try:
            async with self._order:
                await self._number_all()
                await self._send_interfaces()
        except LokiError as error:
            self._shell.log.debug("typed methods are published later: %s", error)
            if self._timer is mine:
                self._shortfall.failed(attempt, error)
                self._pay_later(attempt + 1)
        else:
            self._wait_no_longer()
            self._shortfall.settled()

    def _wait_no_longer(self) -> None:
        """Nothing is owed any more, or nobody is there to get it."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _number_all(self) -> None:
        await self._numbering.give(tuple(self._catalogue.scripts.values()))

    async def _send_interfaces(self) -> None:
        """All of them; those that have no number yet stay as the Gateway knows them."""
        offer = self._numbering.offer(self._catalogue.scripts.values())
        self._shortfall.renew(offer.refused)
        await self._to_gateway(
            PublishInterfaces(changed=offer.shown, complete=self._whole(), others=offer.waiting)
        )

    async def _to_gateway(self, news: PublishInterfaces) -> None:
        for part in library.interface_parts(news, PART_BYTES):
            await self._shell.ask(GATEWAY, part, timeout_s=PUBLISH_TIMEOUT_S)
