"""The tools that lie in files on this device: where they are, and what they say now."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from loki.core.library.reload import Reading
from loki.core.run.engine import Engine
from loki.lua import engine_for
from loki.messages.event import ConfigRejected
from loki.messages.library import LibraryConfig
from loki.messages.script import Script
from loki.tool.file import NOTHING, Tools, read_tools
from loki.tool.header import dropped
from loki.tool.module import ModuleFolder
from loki.tool.rule import Rules
from loki.tool.vantage import vantages

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


def tools_of(
    config: LibraryConfig,
    rules: Rules | None = None,
    memory: Mapping[bytes, Script] = NOTHING,
) -> Tools:
    """What the tool file and the scripts folder hold, good and bad.

    Only a tool file that somebody named must be there. `memory` is an earlier reading's.
    """
    path = Path(config.tools)
    there = (path,) if config.tools_named or path.exists() else ()
    scripts = dropped(Path(config.script_storage_path), Path(config.state_dir))
    return read_tools((*there, *scripts), rules or rules_of(config), memory)


def folder_of(config: LibraryConfig) -> ModuleFolder:
    """Where `require` finds modules on this device."""
    return ModuleFolder(
        Path(config.script_storage_path), tools=Path(config.tools), closed=Path(config.state_dir)
    )


@dataclass(frozen=True, slots=True)
class Contents:
    """What the files say, and what was made of that."""

    reading: Reading
    bytecode: Mapping[str, bytes]  # By revision; of those that the last reading did not have.
    places: Mapping[str, frozenset[str]]  # Where a change may change this.


class Toolbox:
    """Reads all files each time, and compiles what is new in them."""

    def __init__(self, config: LibraryConfig, engine: Engine) -> None:
        self._config = config
        self._engine = engine
        self._known: frozenset[str] = frozenset()  # Revisions that Lua takes.
        self._memory = NOTHING

    def configure(self, config: LibraryConfig) -> None:
        """The next reading is by these rules; what an earlier one knew may be otherwise now."""
        self._config = config
        self._memory = NOTHING

    def read(self) -> Contents:
        """May block; for one thread at a time."""
        bytecode: dict[str, bytes] = {}

        def compile_new(script: Script) -> None:
            if script.revision not in self._known:
                bytecode[script.revision] = compile_one(script)

        with self._engine.compiling() as compile_one:
            rules = rules_of(self._config, compile_new)
            tools = tools_of(self._config, rules, self._memory)
        self._memory = tools.memory
        self._known = frozenset(script.revision for script in tools.scripts)
        paths = (Path(self._config.tools), *tools.paths)
        places = vantages(paths, Path(self._config.script_storage_path))
        return Contents(reading_of(tools), bytecode, places)


def reading_of(tools: Tools) -> Reading:
    rejected = tuple(ConfigRejected(file=p.where, problem=p.say()) for p in tools.problems)
    return Reading(tools.scripts, tools.broken, tools.unread, rejected)
