"""The composition root: settings in, a running system out; and the way down again."""

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING

import msgspec

from loki import checkup, tree
from loki.actors.file.credential_file import read_tls, read_tokens
from loki.actors.library.toolbox import LANGUAGE, folder_of, rules_of, tools_of
from loki.actors.log.log_file import LineFormatter, LogFile, LogHandler
from loki.actors.start.keeper import Keeper
from loki.actors.start.service_manager import service_manager
from loki.actors.start.system import Instance
from loki.child import BackupContents, Examine, Finding, Restore, Tell
from loki.clock import SystemClock
from loki.config import Settings
from loki.configuration import Configuration
from loki.core import state_folder
from loki.core.access import expiry
from loki.core.address import keep_ports
from loki.core.run.manifest import SUFFIX
from loki.errors import ConfigurationError
from loki.lua import engine_for
from loki.messages.access import AccessConfig
from loki.messages.finding import Need
from loki.messages.gateway import GatewayReport
from loki.messages.library import LibraryReport
from loki.messages.lua_module import PermissionShape
from loki.messages.script import Limits
from loki.messages.tree import SupervisorConfig
from loki.setup import Setup, child_of, named
from loki.setup import load as load  # Whoever wires things finds it here.
from loki.tool.definition import MAX_SOURCE_BYTES
from loki.tool.document import read_text
from loki.tool.file import Tools, read_source, read_tools
from loki.tool.header import dropped
from loki.tool.problem import Problem
from loki.tool.rule import Rules

if TYPE_CHECKING:
    from loki.lua.check import Checked, Checker

LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"


@dataclass(frozen=True, slots=True)
class Running:
    """What is said when the system is up."""

    address: str
    http: str  # Where HTTP is served; "" where it is not.
    state_dir: Path
    tools: tuple[str, ...]
    problems: tuple[str, ...]
    children: tuple[str, ...]
    options: str  # Of commands that call it from this device, "" for none.


def check(setup: Setup) -> "Checked":
    """Everything that is wrong with tools, of the tool file and dropped, and with their scripts."""
    from loki.lua.check import Checked

    check_access(setup)
    checker, tools = _checked_tools(setup)
    return Checked(tools.problems, checker.check_tools(tools.scripts))


def check_source(setup: Setup, file: Path, source: str) -> "Checked":
    """Everything that is wrong with one script and its header.

    The tools that run `file`, and its header, tell what it may use; it may call those of the
    settings, and those that lie beside it.
    """
    from loki.lua.check import Checked, accept, file_of

    checker, tools = _checked_tools(setup)
    rules = replace(rules_of(setup.library), compile=accept)
    own = read_source(source, file, rules)
    users = [tool for tool in tools.scripts if file_of(tool) == file.resolve()]
    here, storage = file.parent.resolve(), Path(setup.library.script_storage_path).resolve()
    beside = () if here == storage else dropped(here, setup.loaded.state_dir)
    others = read_tools(beside, rules).scripts
    checker = replace(checker, tools={t.name: t for t in (*others, *tools.scripts, *own.scripts)})
    report = checker.check_source(file, source, (*users, *own.scripts))
    return Checked(own.problems, (report,))


def permission_flags() -> frozenset[str]:
    """Permissions that are just on or off, of the children that come with Loki."""
    keys = (key for name in Settings().children for key in child_of(name).module.permissions)
    return frozenset(key.name for key in keys if key.shape is PermissionShape.FLAG)


def check_upload(file: Path) -> tuple[Problem, ...]:
    """What any device would refuse of a tool file, or of the header of a script.

    Ceilings, the scripts folder and permissions of unknown children are for the device to judge.

    Raises: ConfigurationError for a script that cannot be read.
    """
    modules = tuple(child_of(name).module for name in Settings().children)
    rules = Rules(
        compile=engine_for(LANGUAGE, modules).validate,
        modules=modules,
        elsewhere=True,
        ceiling=Limits(**dict.fromkeys(Limits.__struct_fields__, 0)),
        script_storage_path=Path(file.absolute().anchor),
    )
    if file.suffix != SUFFIX:
        return read_tools((file,), rules).problems
    return read_source(read_text(file, MAX_SOURCE_BYTES), file, rules).problems


def check_access(setup: Setup) -> None:
    """Whether the files that secure the gateway can be used. Raises: ConfigurationError."""
    if texts := access_problems(setup.gateway.access):
        raise ConfigurationError("\n".join(texts))


def access_problems(access: AccessConfig) -> list[str]:
    """What keeps the files that secure the gateway from being used, each with its path."""
    _, problems = read_tokens(access.principals)
    texts = [problem.message for problem in problems]
    if access.tls is not None:
        try:
            read_tls(access.tls)
        except ConfigurationError as error:
            texts.append(error.message)
    return texts


def _checked_tools(setup: Setup) -> tuple["Checker", Tools]:
    """Tools whose entries are good, whether or not their scripts compile."""
    from loki.lua.check import Checker, accept  # Serving needs none of it.

    rules = rules_of(setup.library)
    tools = tools_of(setup.library, replace(rules, compile=accept))
    by_name = {tool.name: tool for tool in tools.scripts}
    return Checker(rules.compile, rules.modules, folder_of(setup.library), by_name), tools


def plan(setup: Setup, former: str = "") -> SupervisorConfig:
    """The tree of this device.

    `former` is what the gateway of an earlier system of this device reported: ports are kept.
    """
    return tree.plan(
        [(part.child, part.config) for part in setup.parts if part.enabled],
        library=setup.library,
        dispatcher=setup.dispatcher,
        gateway=keep_ports(setup.gateway, GatewayReport.of(former)),
        supervision=setup.loaded.settings.supervision,
    )


def serve(setup: Setup, announce: Callable[[Running], None]) -> int:
    """Run until SIGINT or SIGTERM, or until it died too often; the exit code.

    Raises: LokiError when the system cannot start; nothing is left running then.
    """
    setup.loaded.require_tools()
    check_access(setup)
    os.umask(0o077)  # What scripts store is for this user alone.
    log_file = LogFile(setup.gateway.log)
    start_logging(setup.loaded.settings.logging.level, log_file)
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # Its log lines are not for people.
    configuration = Configuration(setup, plan)
    keeper = Keeper(
        Instance(setup.instance_dir),
        plan=lambda details: plan(configuration.setup, details.get("gateway", "")),
        announce=lambda details: announce(_running(setup, details)),
        manager=service_manager(),
        log_file=log_file,
        configuration=configuration,
    )
    return keeper.run()


def restore(setup: Setup, archive: IO[bytes], agreed: Callable[[BackupContents], None]) -> str:
    """Put a backup back while no Loki runs here; see `loki.child.Restore`.

    Raises: ConfigurationError where one runs, or nothing keeps data; LokiError.
    """
    parts = [part for part in setup.parts if part.child.restore and part.enabled]
    if not parts:
        raise ConfigurationError("the settings switch off the child that keeps data")
    os.umask(0o077)
    instance = Instance(setup.instance_dir)
    try:
        act: Restore = named(parts[0].child.restore)
        return act(bytes(parts[0].config), archive, agreed, SystemClock())
    finally:
        instance.release()


def examine(setup: Setup, tell: Tell, *, deep: bool) -> tuple[Finding, ...]:
    """How the data of this device fare, whether a Loki runs or not; nothing is changed.

    `tell` is told how far a deep look is. Raises: OSError for what may not be looked at.
    """
    loaded = setup.loaded
    is_named = loaded.path is not None or ("state_dir",) in loaded.variables
    folder = replace(checkup.look(setup.instance_dir), is_named=is_named)
    found = [*state_folder.findings(folder)]
    for part in setup.parts:
        if part.child.doctor:
            act: Examine = named(part.child.doctor)
            found += act(bytes(part.config), deep, tell)
    return (*found, *_examine_access(setup.gateway.access))


def _examine_access(access: AccessConfig) -> Iterator[Finding]:
    """How the files fare that secure the gateway."""
    for problem in access_problems(access):
        path, _, text = problem.partition(": ")
        yield Finding(Need.PERSON, path, text, "Loki does not start until that is put right")
    if access.tls is not None:
        from loki.certificate import now_utc, validity_of  # Serving needs none of it.

        shown = access.tls.certificate
        with suppress(OSError, ValueError):  # That has been told.
            yield expiry.finding(shown, *validity_of(Path(shown).read_bytes()), now_utc())


def start_logging(level: str, file: LogFile) -> None:
    """To stderr for people, to the file for `loki logs`; also in all that this process forks."""
    to_stderr = logging.StreamHandler()
    to_stderr.setFormatter(LineFormatter(LOG_FORMAT))
    logging.basicConfig(level=level, handlers=(to_stderr, LogHandler(file)))


def _running(setup: Setup, details: Mapping[str, str]) -> Running:
    """`details` is what the actors said when they were ready."""
    library = msgspec.json.decode(details["library"], type=LibraryReport)
    gateway = GatewayReport.of(details["gateway"])
    return Running(
        address=gateway.grpc,
        http=gateway.http,
        state_dir=setup.loaded.state_dir,
        tools=library.tools,
        problems=(*setup.loaded.warnings, *library.problems),
        children=tuple(part.child.name for part in setup.parts if part.enabled),
        options=client_options(setup.gateway.access),
    )


def client_options(access: AccessConfig) -> str:
    """What a command of this device has to give."""
    tls = access.tls
    words = [
        " --tls-ca FILE" if tls else "",
        " --tls-cert FILE --tls-key FILE" if tls and tls.client_ca else "",
        "" if access.anonymous_loopback or (tls and tls.client_ca) else " --token-file FILE",
    ]
    return "".join(words)
