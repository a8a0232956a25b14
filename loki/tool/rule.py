"""What a tool is checked against besides its own text: settings, children and the compiler."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from loki.messages.lua_module import LuaModule
from loki.messages.script import Limits, Permissions, Script


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """One device's rules; the same for tool files and for uploads."""

    compile: Callable[[Script], object]
    """Raises: CompilationError where the language refuses the source. Executes nothing."""

    modules: tuple[LuaModule, ...] = ()  # Whose permission keys there are.
    elsewhere: bool = False  # Another device is meant, which may have more modules.
    defaults: Limits = field(default_factory=Limits)
    ceiling: Limits = field(default_factory=Limits)
    default_permissions: Permissions = field(default_factory=dict)  # Of tools without a manifest.
    script_storage_path: Path | None = None  # None: the folder of the tool file.
