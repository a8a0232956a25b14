"""Keeps the scripts of this device: reads tools of files, stores registrations, publishes both.

What may be added, revised or removed is decided in `loki.core.library`; what a good definition is,
in `loki.tool`. A registration is acknowledged when it is on disk and the Dispatcher has it.
"""

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import msgspec

from loki.actors.announcer import Announcer
from loki.actors.module import ModuleShelf
from loki.actors.role import Context, Handler, Role, Shell
from loki.core import library
from loki.errors import CompilationError, ErrorCode, IoError, LokiError, PermissionRefused
from loki.lua import engine_for
from loki.messages.envelope import Done, Message
from loki.messages.event import ConfigRejected, ScriptChange, ScriptChanged
from loki.messages.library import (
    GetScript,
    HeaderRead,
    LibraryConfig,
    LibraryReport,
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
from loki.messages.script import Script
from loki.messages.value import unpack
from loki.tool.file import Tools, read_adhoc, read_tools, read_upload
from loki.tool.header import dropped
from loki.tool.module import ModuleFolder
from loki.tool.rule import Rules

PUBLISH_TIMEOUT_S = 2.0
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


class Store:
    """Registered scripts in one file, replaced as a whole."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> dict[str, Script]:
        """Raises: IoError where the file is there but no store."""
        try:
            scripts = msgspec.msgpack.decode(self._path.read_bytes(), type=tuple[Script, ...])
        except FileNotFoundError:
            return {}
        except (OSError, msgspec.DecodeError) as error:
            raise IoError(f"{self._path} cannot be read: {error}") from error
        return {script.name: script for script in scripts}

    def set_aside(self) -> None:
        """Keep what cannot be read under another name, for people."""
        self._path.rename(self._path.with_suffix(f".unreadable-{time.time_ns()}"))

    def save(self, scripts: Mapping[str, Script]) -> None:
        """Durable on return. Raises: IoError; then the old content stays."""
        fresh = self._path.with_suffix(".new")
        try:
            with fresh.open("wb") as file:
                file.write(msgspec.msgpack.encode(tuple(scripts.values())))
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self._path)
            directory = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)
        except OSError as error:
            raise IoError(f"the registration could not be stored: {error.strerror}") from error


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
        self._store = Store(Path(self._settings.state_dir) / "scripts.msgpack")
        self._worker = shell.worker("store")
        self._announcer = Announcer(shell)
        self._modules = ModuleShelf(
            folder_of(self._settings), self._engine, shell.worker("modules")
        )
        self._changing = asyncio.Lock()
        self._from_files: dict[str, Script] = {}
        self._registered: dict[str, Script] = {}

    @property
    def _scripts(self) -> dict[str, Script]:
        return self._registered | self._from_files

    def handlers(self) -> Mapping[type[Message], Handler]:
        return {
            GetScript: self._get,
            ListScripts: self._list,
            ReadHeader: self._read_header,
            RegisterScript: self._register,
            UnregisterScript: self._unregister,
            SendScripts: self._send_all,
            LoadModule: self._modules.load,
            DescribeModules: self._modules.describe,
        }

    async def begin(self) -> None:
        self._registered = self._load_registered()
        tools = tools_of(self._settings, self._rules)
        self._from_files = {script.name: script for script in tools.scripts}
        hidden = [
            self._from_files[name]
            for name in sorted(self._registered.keys() & self._from_files.keys())
        ]
        problems = (*map(str, tools.problems), *map(library.hidden, hidden))
        for problem in problems:
            self.shell.log.warning("%s", problem)
        rejected = (
            *(ConfigRejected(file=p.where, problem=p.say()) for p in tools.problems),
            *(ConfigRejected(file=s.declared_in, problem=library.hidden(s)) for s in hidden),
        )
        for fact in library.bounded(rejected, MOST_REJECTIONS):
            self._announcer.tell(fact)
        report = LibraryReport(tools=tuple(sorted(self._scripts)), problems=problems)
        self.detail = msgspec.json.encode(report).decode()
        self._publishing = asyncio.create_task(self._publish_to_a_dispatcher_that_is_there())

    def _load_registered(self) -> dict[str, Script]:
        try:
            return self._store.load()
        except IoError as error:
            self.shell.log.error("%s; it is kept aside, the tool files are served", error)
            self._store.set_aside()
            return {}

    async def _publish_to_a_dispatcher_that_is_there(self) -> None:
        """After a restart of ours. At the first start it asks by itself, later."""
        try:
            await self._publish_all()
        except LokiError as error:
            self.shell.log.debug("not published yet: %s", error)

    async def _publish_all(self) -> None:
        """In parts that fit into messages; the last one tells the Dispatcher to forget others."""
        scripts = tuple(self._scripts.values())
        self._compile_missing(scripts)
        *parts, last = library.parts(scripts, self._bytecode, PART_BYTES)
        for part in parts:
            await self._publish(PublishScripts(changed=part))
        others = tuple(script.name for part in parts for script in part)
        await self._publish(PublishScripts(changed=last, complete=True, others=others))

    def _compile(self, script: Script) -> None:
        self._bytecode[script.revision] = self._engine.compile(script)

    def _compile_missing(self, scripts: Iterable[Script]) -> None:
        """Bytecode never comes from a file: another process, another version of Lua made it."""
        for script in scripts:
            if script.revision not in self._bytecode:
                with contextlib.suppress(CompilationError):  # Its runs will say what is wrong.
                    self._compile(script)

    def _forget_bytecode(self) -> None:
        """Of what was replaced, removed, or checked and not kept."""
        current = {script.revision for script in self._scripts.values()}
        self._bytecode = {r: code for r, code in self._bytecode.items() if r in current}

    async def _publish(self, message: PublishScripts) -> None:
        self._compile_missing(message.changed)
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
        return Done()

    def _get(self, request: GetScript, _context: Context) -> ScriptFound:
        return ScriptFound(script=library.find(self._scripts, request.name))

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
        table = unpack(request.definition)
        if not isinstance(table, dict):
            raise LokiError("a definition is a table", code=ErrorCode.SCRIPT_INVALID)
        script = read_upload(table, self._rules)
        async with self._changing:
            library.check_addition(self._scripts, script, request.expected_revision)
            if not request.validate_only:
                known = script.name in self._scripts
                change = ScriptChange.CHANGED if known else ScriptChange.ADDED
                everything = self._registered | {script.name: script}
                await self._change(everything, PublishScripts(changed=(script,)), script, change)
        self._forget_bytecode()
        return ScriptFound(script=script)

    async def _unregister(self, request: UnregisterScript, context: Context) -> Done:
        self._require_kin(context)
        async with self._changing:
            library.check_removal(self._scripts, request.name, request.expected_revision)
            script = self._registered[request.name]
            rest = {n: s for n, s in self._registered.items() if n != request.name}
            gone = PublishScripts(removed=(request.name,))
            await self._change(rest, gone, script, ScriptChange.REMOVED)
        return Done()

    @staticmethod
    def _require_kin(context: Context) -> None:
        """A runner may not change the library, or have it work, whatever runs in it."""
        if not context.kin:
            raise PermissionRefused("only the Gateway may ask this", code=ErrorCode.ROLE)

    async def _change(
        self,
        registered: dict[str, Script],
        news: PublishScripts,
        script: Script,
        change: ScriptChange,
    ) -> None:
        """Keep and publish; then all are told, for who hears of a script may call it at once.

        Told also if the Dispatcher is away: it will ask when it is back.
        """
        await self._keep(registered)
        try:
            await self._publish(news)
        finally:
            self._announcer.tell(
                ScriptChanged(
                    name=script.name, revision=script.revision, change=change, origin=script.origin
                )
            )

    async def _keep(self, registered: dict[str, Script]) -> None:
        await asyncio.get_running_loop().run_in_executor(self._worker, self._store.save, registered)
        self._registered = registered
