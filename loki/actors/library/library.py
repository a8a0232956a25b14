"""Keeps the scripts of this device: reads tools of files, stores registrations, publishes both.

What may be added, revised or removed is decided in `loki.core.library.library`; what a good
definition is, in `loki.tool`. A registration is acknowledged when it is on disk and the Dispatcher
has it.
"""

import asyncio
import random
from collections.abc import Mapping

import msgspec

from loki.actors.door.announcer import Announcer
from loki.actors.door.role import Context, Handler, Role, Shell
from loki.actors.file.reloader import Reloader
from loki.actors.library.module import ModuleShelf
from loki.actors.library.numbering import Numbering
from loki.actors.library.publisher import ASKING, Publisher
from loki.actors.library.registry import Registry
from loki.actors.library.toolbox import LANGUAGE, Contents, Toolbox, folder_of, rules_of
from loki.core.library import library, registry, reload
from loki.core.library.catalogue import Catalogue
from loki.core.library.registry import Registered
from loki.core.library.reload import Difference
from loki.errors import ErrorCode, LokiError, ServiceUnavailable
from loki.lua import engine_for
from loki.messages.envelope import Done, Message
from loki.messages.event import ConfigRejected, ScriptChange, ScriptChanged
from loki.messages.interface import SendInterfaces
from loki.messages.library import (
    CountScripts,
    GetScript,
    HeaderRead,
    LibraryConfig,
    LibraryReport,
    ListRevisions,
    ListScripts,
    ReadHeader,
    RegisterScript,
    RollbackScript,
    ScriptFound,
    ScriptsCounted,
    ScriptsListed,
    SendScripts,
    UnregisterScript,
)
from loki.messages.lifecycle import ChangeConfig
from loki.messages.module import DescribeModules, LoadModule
from loki.messages.registry import ReadRevisions, RevisionsRead
from loki.messages.script import Script
from loki.messages.value import unpack
from loki.tool.file import read_adhoc, read_upload, require_fit
from loki.v1_name import camel_case

PATIENCE_S = 1.0
"""So long the tool files, which are read by then, wait for the keeper."""
MOST_REJECTIONS = 100  # Told one by one; a broken file may have any number.


class Library(Role):
    """LibraryActor. `detail` is a LibraryReport."""

    asynchronous = True

    def __init__(self, shell: Shell, config: bytes) -> None:
        super().__init__(shell, config)
        self._settings = msgspec.msgpack.decode(config, type=LibraryConfig)
        engine, keeper = engine_for(LANGUAGE, self._settings.modules), self._settings.keeper
        self._registry = Registry(shell, keeper, self._read_again)
        self._catalogue = Catalogue()
        self._publisher = Publisher(
            shell,
            engine,
            Numbering(shell, keeper, self._services),
            self._catalogue,
            whole=lambda: self._registry.known,
        )
        self._rules = rules_of(self._settings, self._publisher.compile)
        self._announcer = Announcer(shell)
        self._modules = ModuleShelf(folder_of(self._settings), engine, shell.worker("modules"))
        self._toolbox = Toolbox(self._settings, engine)
        watches = self._settings.watch
        self._files = Reloader(shell, self._toolbox.read, self._reload, watches=watches)
        self._from_files: dict[str, Script] = {}
        self._rejected: tuple[ConfigRejected, ...] = ()
        self._told: tuple[ConfigRejected, ...] = ()
        self._serving = False

    def handlers(self) -> Mapping[type[Message], Handler]:
        return {
            GetScript: self._get,
            ListScripts: self._list,
            CountScripts: self._count,
            ListRevisions: self._list_revisions,
            ReadHeader: self._read_header,
            RegisterScript: self._register,
            RollbackScript: self._roll_back,
            UnregisterScript: self._unregister,
            SendScripts: self._send_all,
            SendInterfaces: self._send_interfaces,
            LoadModule: self._modules.load,
            DescribeModules: self._modules.describe,
            ChangeConfig: self._change_config,
        }

    async def begin(self) -> None:
        """The keeper is asked first: it answers while the files are read."""
        reading = self._registry.begin()
        await asyncio.sleep(0)
        self._take(await self._files.first())
        numbering = asyncio.create_task(self._publisher.prepare(self._from_files.values()))
        await asyncio.wait({reading, numbering}, timeout=PATIENCE_S)
        self.shell.mind(reading)
        self.shell.mind(numbering)
        self._catalogue.replace(self._effective().values())
        problems = self._complain()
        names = tuple(sorted(self._catalogue.scripts))
        report = LibraryReport(tools=names, problems=problems)
        self.detail = msgspec.json.encode(report).decode()
        self._serving = True
        self._publish_soon()
        self._files.begin()

    @property
    def trouble(self) -> str:
        return self._publisher.trouble

    def stop(self) -> None:
        self._files.close()

    async def _change_config(self, message: ChangeConfig, context: Context) -> Done:
        """Files are read again by the new rules; what is registered stays as it is."""
        context.require_kin("only the root configures it")
        self._settings = msgspec.msgpack.decode(message.config, type=LibraryConfig)
        self._rules = rules_of(self._settings, self._publisher.compile)
        self._toolbox.configure(self._settings)
        self._modules.look_in(folder_of(self._settings))
        await self._files.again()
        return Done()

    def lost(self, peer: str, pid: int) -> None:  # noqa: ARG002
        self._registry.lost(peer)
        self._publisher.lost(peer)

    def _services(self) -> frozenset[str] | None:
        """Those of all scripts that there are, served or not; None while not all may be known."""
        if not self._serving or not self._registry.known or self._rejected:
            return None
        now = self._registry.now
        return frozenset(map(camel_case, (*self._from_files, *now.scripts, *now.unreadable)))

    def _effective(self) -> dict[str, Script]:
        return library.effective(self._from_files, self._registry.now.scripts)

    def _take(self, contents: Contents) -> None:
        for revision, bytecode in contents.bytecode.items():
            self._publisher.compiled(revision, bytecode)
        self._from_files = reload.after(self._from_files, contents.reading)
        self._rejected = contents.reading.rejected

    def _complain(self) -> tuple[str, ...]:
        """Say what is wrong with files and registered scripts, as far as that is news."""
        now = self._registry.now
        clashes = library.clashes(self._from_files, now.scripts)
        damaged = registry.damaged(now, self._settings.keeper)
        found = (*self._rejected, *clashes, *damaged)
        known = frozenset(self._told)
        news = tuple(each for each in found if each not in known)
        self._told = found
        for fact in library.bounded(news, MOST_REJECTIONS):
            self._announcer.tell(fact)
        for each in news:
            self.shell.log.warning("%s: %s", each.file, each.problem)
        return tuple(f"{each.file}: {each.problem}" for each in news)

    def _read_again(self, before: Registered | None) -> None:
        """The registry read all that the keeper has; `before` is None for the first time."""
        if not self._serving:
            return
        self._publisher.renumber()
        if before == self._registry.now:
            return
        self._complain()
        for fact in self._renew()[1]:
            self._announcer.tell(fact)
        self._publish_soon()

    async def _reload(self, contents: Contents) -> None:
        """The files were read again."""
        self._take(contents)
        self._complain()
        difference, facts = self._renew()
        if not difference:
            return
        try:
            await self._publisher.publish(difference.changed, difference.removed)
        except LokiError as error:
            self.shell.log.debug("not published yet: %s", error)
            self._publish_soon(attempt=1)
        self.shell.log.info("%s", reload.summary(facts))
        for fact in facts:
            self._announcer.tell(fact)

    def _renew(self) -> tuple[Difference, list[ScriptChanged]]:
        """Serve what is in files and registry now; what became of each script."""
        old, new = self._catalogue.scripts, self._effective()
        self._catalogue.replace(new.values())
        facts = registry.changes(old, new)
        for fact in facts:
            self._publisher.forget(old.get(fact.name))
        return reload.difference(old, new), facts

    def _publish_soon(self, attempt: int = 0) -> None:
        self._publishing = asyncio.create_task(self._publish(attempt))
        self.shell.mind(self._publishing)

    async def _publish(self, attempt: int) -> None:
        """At the first start, and after its own, the Dispatcher asks; but what if it was busy?"""
        try:
            await self._publisher.publish_all()
        except LokiError as error:
            self.shell.log.debug("not published yet: %s", error)
            if attempt:
                delay_s = ASKING.delay_s(attempt, random.random())  # noqa: S311  # No secret.
                self.shell.later(delay_s, lambda: self._publish_soon(attempt + 1))

    async def _send_all(self, _request: SendScripts, context: Context) -> Done:
        context.require_kin("only the Dispatcher asks for all")
        await self._publisher.publish_all()
        return self._all_were_sent()

    async def _send_interfaces(self, _request: SendInterfaces, context: Context) -> Done:
        context.require_kin("only the Gateway may ask this")
        await self._publisher.send_interfaces()
        return self._all_were_sent()

    def _all_were_sent(self) -> Done:
        if not self._registry.known:
            raise ServiceUnavailable("the registered scripts are not here yet")
        return Done()

    def _find(self, name: str) -> Script:
        """Raises: ScriptNotFound; ServiceUnavailable for one that may be registered."""
        revision = self._registry.now.unreadable.get(name)
        if revision is not None and name not in self._from_files:
            raise registry.unreadable(name, revision)
        return library.look_up(self._catalogue.scripts, name, whole=self._registry.known)

    async def _get(self, request: GetScript, context: Context) -> ScriptFound:
        scripts = self._catalogue.scripts
        held = scripts.get(request.name)
        if not request.revision or (held is not None and held.revision == request.revision):
            return ScriptFound(script=self._find(request.name))
        context.require_kin("only the Gateway may ask this")
        if not self._registry.has_keeper:
            return ScriptFound(script=library.find(scripts, request.name, request.revision))
        old = await self._registry.revision(request.name, request.revision)
        return ScriptFound(script=old)

    async def _list_revisions(self, request: ListRevisions, context: Context) -> RevisionsRead:
        context.require_kin("only the Gateway may ask this")
        held, first = self._catalogue.scripts.get(request.name), not request.page
        asked = ReadRevisions(name=request.name, page_size=request.page_size, page=request.page)
        kept = await self._registry.revisions(asked)
        if first and not kept.revisions:
            self._find(request.name)
        return registry.revisions_of(held, kept, first=first)

    def _list(self, request: ListScripts, _context: Context) -> ScriptsListed:
        page, more = self._catalogue.page(
            request.pattern, request.language, request.page_size, request.page, request.among
        )
        return ScriptsListed(scripts=page, next_page=more)

    def _count(self, request: CountScripts, _context: Context) -> ScriptsCounted:
        return ScriptsCounted(count=self._catalogue.count(request.among))

    def _read_header(self, request: ReadHeader, context: Context) -> HeaderRead:
        context.require_kin("only the Gateway may ask this")
        return HeaderRead(script=read_adhoc(request.script, self._rules))

    async def _register(self, request: RegisterScript, context: Context) -> ScriptFound:
        context.require_kin("only the Gateway may ask this")
        self._registry.require_keeper(self._settings.script_storage_path)
        table = unpack(request.definition)
        if not isinstance(table, dict):
            raise LokiError("a definition is a table", code=ErrorCode.SCRIPT_INVALID)
        script = read_upload(table, self._rules)
        try:
            async with self._registry.changing:
                await self._registry.refresh()
                library.check_addition(self._catalogue, script, request.expected_revision)
                await self._publisher.check(script)
                if not request.validate_only:
                    await self._keep(script, request)
        finally:
            self._publisher.forget(script)
        return ScriptFound(script=script)

    async def _roll_back(self, request: RollbackScript, context: Context) -> ScriptFound:
        context.require_kin("only the Gateway may ask this")
        self._registry.require_keeper(self._settings.script_storage_path)
        name, expected = request.name, request.expected_revision
        async with self._registry.changing:
            await self._registry.refresh()
            current = self._registry.now.revision_of(name)
            library.check_rollback(self._catalogue, name, current, expected)
            script = await self._registry.revision(name, request.revision)
            if request.revision != current:
                await self._keep_again(script, request)
        return ScriptFound(script=script)

    async def _keep_again(self, script: Script, request: RollbackScript) -> None:
        """Raises: LokiError, also for one that would not run any more."""
        try:
            require_fit(script, self._rules)
            await self._publisher.check(script)
            await self._keep(script, request)
        finally:
            self._publisher.forget(script)

    async def _keep(self, script: Script, request: RegisterScript | RollbackScript) -> None:
        old = self._catalogue.scripts.get(script.name)
        if not await self._registry.keep(script, request.principal, request.most_scripts):
            return
        if library.is_a_files(self._catalogue, script.name):  # Of late.
            self._complain()
            return
        self._catalogue.put(script)
        self._publisher.forget(old)
        change = ScriptChange.CHANGED if old else ScriptChange.ADDED
        await self._tell(script, change)

    async def _unregister(self, request: UnregisterScript, context: Context) -> Done:
        context.require_kin("only the Gateway may ask this")
        async with self._registry.changing:
            await self._registry.refresh()
            script = self._removable(request)
            if await self._registry.drop(request.name, request.principal):
                self._catalogue.drop(request.name)
                self._publisher.forget(script)
                await self._tell(script, ScriptChange.REMOVED)
        return Done()

    def _removable(self, request: UnregisterScript) -> Script:
        """Raises: LokiError."""
        unreadable = registry.stand_ins(self._registry.now)
        scripts = {**unreadable, **self._catalogue.scripts}
        library.check_removal(scripts, request.name, request.expected_revision)
        return scripts[request.name]

    async def _tell(self, script: Script, change: ScriptChange) -> None:
        """Publish; then all are told, for who hears of a script may call it at once.

        It is kept by now: what the Dispatcher does not get, because it is away or slow, it gets
        later, and calls wait for it or are refused for now.
        """
        try:
            if change is ScriptChange.REMOVED:
                await self._publisher.publish(removed=(script.name,))
            else:
                await self._publisher.publish(changed=(script,))
        except LokiError as error:
            self.shell.log.info("%s is %s for calls later: %s", script.name, change.value, error)
            self._publish_soon(attempt=1)
        self._announcer.tell(registry.changed(script, change))
