"""Keeps the scripts of this device: reads tools of files, stores registrations, publishes both.

What may be added, revised or removed is decided in `loki.core.library`; what a good definition is,
in `loki.tool`. A registration is acknowledged when it is on disk and the Dispatcher has it.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import msgspec

from loki.actors.announcer import Announcer
from loki.actors.module import ModuleShelf
from loki.actors.registry import Registry
from loki.actors.role import Context, Handler, Role, Shell
from loki.actors.script_file import ScriptFile
from loki.actors.settings_record import SettingsRecord
from loki.core import library, registry
from loki.core.registry import Registered
from loki.errors import (
    CompilationError,
    ErrorCode,
    LokiError,
    PermissionRefused,
    ServiceUnavailable,
)
from loki.lua import engine_for
from loki.messages.envelope import Done, Message
from loki.messages.event import ConfigRejected, ScriptChange
from loki.messages.library import (
    GetScript,
    HeaderRead,
    LibraryConfig,
    LibraryReport,
    ListRevisions,
    ListScripts,
    PublishScripts,
    ReadHeader,
    RegisterScript,
    ScriptFound,
    ScriptsListed,
    SendScripts,
    UnregisterScript,
)
from loki.messages.module import DescribeModules, LoadModule
from loki.messages.registry import ReadRevisions, RevisionsRead
from loki.messages.script import Script
from loki.messages.value import unpack
from loki.tool.file import Tools, read_adhoc, read_tools, read_upload
from loki.tool.header import dropped
from loki.tool.module import ModuleFolder
from loki.tool.rule import Rules

PUBLISH_TIMEOUT_S = 2.0
PATIENCE_S = 1.0
"""So long the tool files, which are read by then, wait for the registered scripts."""
PART_BYTES = 2 * 1024 * 1024
MOST_REJECTIONS = 100  # Told one by one; a broken file may have any number.
LANGUAGE = "lua"


def rules_of(config: LibraryConfig, compiler: Callable[[Script], object] | None = None) -> Rules:
    """What tool files and uploads are checked against on this device."""
    return Rules(
        compile=compiler or engine_for(LANGUAGE, config.modules).validate,
        modules=config.modules,
        defaults=config.default_limits,
        ceiling=config.ceiling,
        default_permissions=config.default_permissions,
        script_storage_path=Path(config.script_storage_path),
    )


def tools_of(config: LibraryConfig, rules: Rules | None = None) -> Tools:
    """What the tool file and the scripts folder hold, good and bad.

    Only a tool file that somebody named must be there.
    """
    path = Path(config.tools)
    there = (path,) if config.tools_named or path.exists() else ()
    scripts = dropped(Path(config.script_storage_path), Path(config.state_dir))
    return read_tools((*there, *scripts), rules or rules_of(config))


def folder_of(config: LibraryConfig) -> ModuleFolder:
    """Where `require` finds modules on this device."""
    return ModuleFolder(
        Path(config.script_storage_path), tools=Path(config.tools), closed=Path(config.state_dir)
    )


class Library(Role):
    """LibraryActor. `detail` is a LibraryReport."""

    asynchronous = True
    dispatcher = "dispatcher"

    def __init__(self, shell: Shell, config: bytes) -> None:
        super().__init__(shell, config)
        self._settings = msgspec.msgpack.decode(config, type=LibraryConfig)
        self._engine = engine_for(LANGUAGE, self._settings.modules)
        self._bytecode: dict[str, bytes] = {}  # By revision, which covers the whole source.
        self._rules = rules_of(self._settings, self._compile)
        self._announcer = Announcer(shell)
        self._modules = ModuleShelf(
            folder_of(self._settings), self._engine, shell.worker("modules")
        )
        file = ScriptFile(Path(self._settings.state_dir) / "scripts.msgpack")
        self._registry = Registry(shell, self._settings.keeper, file, self._read_again)
        self._record = SettingsRecord(shell, self._settings.keeper, self._settings.settings)
        self._from_files: dict[str, Script] = {}
        self._told: tuple[ConfigRejected, ...] = ()
        self._serving = False
        self._next_whole: asyncio.Task[None] | None = None
        self._order = asyncio.Lock()  # Of what the Dispatcher hears: a whole library is no news.

    @property
    def _scripts(self) -> dict[str, Script]:
        return {**self._registry.now.scripts, **self._from_files}

    def handlers(self) -> Mapping[type[Message], Handler]:
        return {
            GetScript: self._get,
            ListScripts: self._list,
            ListRevisions: self._list_revisions,
            ReadHeader: self._read_header,
            RegisterScript: self._register,
            UnregisterScript: self._unregister,
            SendScripts: self._send_all,
            LoadModule: self._modules.load,
            DescribeModules: self._modules.describe,
        }

    async def begin(self) -> None:
        """The keeper is asked first: it answers while the files are read."""
        reading = self._registry.begin()
        await asyncio.sleep(0)
        tools = tools_of(self._settings, self._rules)
        self._from_files = {script.name: script for script in tools.scripts}
        await asyncio.wait({reading}, timeout=PATIENCE_S)
        self.shell.mind(reading)
        rejected = tuple(ConfigRejected(file=p.where, problem=p.say()) for p in tools.problems)
        problems = (*map(str, tools.problems), *self._tell_clashes(rejected))
        for problem in problems:
            self.shell.log.warning("%s", problem)
        report = LibraryReport(tools=tuple(sorted(self._scripts)), problems=problems)
        self.detail = msgspec.json.encode(report).decode()
        self._serving = True
        self._publish_soon()

    def lost(self, peer: str, pid: int) -> None:  # noqa: ARG002
        self._registry.lost(peer)

    def _tell_clashes(self, rejected: tuple[ConfigRejected, ...] = ()) -> list[str]:
        """Announce these, and what is wrong with registered scripts; the latter that are news."""
        now = self._registry.now
        hidden = [self._from_files[name] for name in sorted(now.scripts.keys() & self._from_files)]
        found = (
            *(ConfigRejected(file=s.declared_in, problem=library.hidden(s)) for s in hidden),
            *(
                ConfigRejected(
                    file=self._settings.keeper,
                    problem=registry.unreadable(name, revision).message,
                )
                for name, revision in sorted(now.unreadable.items())
            ),
        )
        news = tuple(each for each in found if each not in self._told)
        self._told = found
        for fact in library.bounded((*rejected, *news), MOST_REJECTIONS):
            self._announcer.tell(fact)
        return [each.problem for each in news]

    def _read_again(self, before: Registered | None) -> None:
        """The registry read all that the keeper has; `before` is None for the first time."""
        self._record.keep()
        if not self._serving or before == self._registry.now:
            return
        for problem in self._tell_clashes():
            self.shell.log.warning("%s", problem)
        old = before.scripts if before else {}
        for fact in registry.changes({**old, **self._from_files}, self._scripts):
            self._announcer.tell(fact)
        self._publish_soon()

    def _publish_soon(self) -> None:
        self._publishing = asyncio.create_task(self._publish_to_a_dispatcher_that_is_there())
        self.shell.mind(self._publishing)

    async def _publish_to_a_dispatcher_that_is_there(self) -> None:
        """After a restart of ours. At the first start it asks by itself, later."""
        try:
            await self._publish_all()
        except LokiError as error:
            self.shell.log.debug("not published yet: %s", error)

    async def _publish_all(self) -> None:
        """In parts that fit into messages; the last one tells the Dispatcher to forget others.

        But not before the registered ones were read: it knows them from another Library, perhaps.
        Whoever asks while this has yet to begin gets the same.
        """
        if self._next_whole is None:
            self._next_whole = asyncio.create_task(self._publish_each_part())
        await asyncio.shield(self._next_whole)

    async def _publish_each_part(self) -> None:
        async with self._order:
            self._next_whole = None
            whole, scripts = self._registry.known, tuple(self._scripts.values())
            await self._compile_missing(scripts)
            *parts, last = library.parts(scripts, self._bytecode, PART_BYTES)
            for part in parts:
                await self._publish(PublishScripts(changed=part))
            others = tuple(script.name for part in parts for script in part)
            await self._publish(PublishScripts(changed=last, complete=whole, others=others))

    def _compile(self, script: Script) -> None:
        self._bytecode[script.revision] = self._engine.compile(script)

    async def _compile_missing(self, scripts: Iterable[Script]) -> None:
        """Bytecode never comes from a file: another process, another version of Lua made it.

        Thousands take seconds, in which heartbeats and calls are answered.
        """
        for script in scripts:
            if script.revision not in self._bytecode:
                await asyncio.sleep(0)
                with contextlib.suppress(CompilationError):  # Its runs will say what is wrong.
                    self._compile(script)

    def _forget_bytecode(self) -> None:
        """Of what was replaced, removed, or checked and not kept."""
        current = {script.revision for script in self._scripts.values()}
        self._bytecode = {r: code for r, code in self._bytecode.items() if r in current}

    async def _publish(self, message: PublishScripts) -> None:
        await self._compile_missing(message.changed)
        self._forget_bytecode()
        bytecode = {
            script.revision: self._bytecode[script.revision]
            for script in message.changed
            if script.revision in self._bytecode
        }
        whole = msgspec.structs.replace(message, bytecode=bytecode)
        await self.shell.ask(self.dispatcher, whole, timeout_s=PUBLISH_TIMEOUT_S)

    async def _send_all(self, _request: SendScripts, context: Context) -> Done:
        if not context.kin:
            raise PermissionRefused("only the Dispatcher asks for all", code=ErrorCode.ROLE)
        await self._publish_all()
        if not self._registry.known:
            raise ServiceUnavailable("the registered scripts are not here yet")
        return Done()

    def _find(self, name: str) -> Script:
        """Raises: ScriptNotFound; ServiceUnavailable for one that may be registered."""
        revision = self._registry.now.unreadable.get(name)
        if revision is not None and name not in self._from_files:
            raise registry.unreadable(name, revision)
        return library.look_up(self._scripts, name, whole=self._registry.known)

    async def _get(self, request: GetScript, context: Context) -> ScriptFound:
        held = self._scripts.get(request.name)
        if not request.revision or (held is not None and held.revision == request.revision):
            return ScriptFound(script=self._find(request.name))
        self._require_kin(context)
        if not self._registry.has_keeper:
            return ScriptFound(script=library.find(self._scripts, request.name, request.revision))
        old = await self._registry.revision(request.name, request.revision)
        return ScriptFound(script=old)

    async def _list_revisions(self, request: ListRevisions, context: Context) -> RevisionsRead:
        self._require_kin(context)
        held, first = self._scripts.get(request.name), not request.page
        asked = ReadRevisions(name=request.name, page_size=request.page_size, page=request.page)
        kept = await self._registry.revisions(asked)
        if first and not kept.revisions:
            self._find(request.name)
        return registry.revisions_of(held, kept, first=first)

    def _list(self, request: ListScripts, _context: Context) -> ScriptsListed:
        page, more = library.page_of(
            self._scripts, request.pattern, request.language, request.page_size, request.page
        )
        return ScriptsListed(scripts=page, next_page=more)

    def _read_header(self, request: ReadHeader, context: Context) -> HeaderRead:
        self._require_kin(context)
        return HeaderRead(script=read_adhoc(request.script, self._rules))

    async def _register(self, request: RegisterScript, context: Context) -> ScriptFound:
        self._require_kin(context)
        self._registry.require_keeper(self._settings.script_storage_path)
        table = unpack(request.definition)
        if not isinstance(table, dict):
            raise LokiError("a definition is a table", code=ErrorCode.SCRIPT_INVALID)
        script = read_upload(table, self._rules)
        async with self._registry.changing:
            await self._registry.refresh()
            library.check_addition(self._scripts, script, request.expected_revision)
            if not request.validate_only:
                known = script.name in self._scripts
                await self._registry.keep(script, request.principal)
                change = ScriptChange.CHANGED if known else ScriptChange.ADDED
                await self._tell(PublishScripts(changed=(script,)), script, change)
        self._forget_bytecode()
        return ScriptFound(script=script)

    async def _unregister(self, request: UnregisterScript, context: Context) -> Done:
        self._require_kin(context)
        async with self._registry.changing:
            await self._registry.refresh()
            script = self._removable(request)
            await self._registry.drop(request.name, request.principal)
            gone = PublishScripts(removed=(request.name,))
            await self._tell(gone, script, ScriptChange.REMOVED)
        return Done()

    def _removable(self, request: UnregisterScript) -> Script:
        """Raises: LokiError."""
        unreadable = registry.stand_ins(self._registry.now)
        scripts = {**unreadable, **self._scripts}
        library.check_removal(scripts, request.name, request.expected_revision)
        return scripts[request.name]

    @staticmethod
    def _require_kin(context: Context) -> None:
        """A runner may not change the library, or have it work, whatever runs in it."""
        if not context.kin:
            raise PermissionRefused("only the Gateway may ask this", code=ErrorCode.ROLE)

    async def _tell(self, news: PublishScripts, script: Script, change: ScriptChange) -> None:
        """Publish; then all are told, for who hears of a script may call it at once.

        Told also if the Dispatcher is away: it will ask when it is back.
        """
        try:
            async with self._order:
                await self._publish(news)
        finally:
            self._announcer.tell(registry.changed(script, change))
