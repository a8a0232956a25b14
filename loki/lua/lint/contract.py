"""What a script may count on where it runs: the children's functions, tools, its parameters."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from loki.lua.bindings import Binding
from loki.lua.builtin import LOCAL, LOKI
from loki.lua.lint.standard import GLOBALS
from loki.messages.lua_module import LuaFunction, LuaModule
from loki.messages.script import Script
from loki.tool.module import ModuleFolder

PARAMS = "params"


@dataclass(frozen=True)
class Contract:
    """One script's surroundings."""

    modules: tuple[LuaModule, ...]
    tool: Script | None = None  # None: nobody knows its parameters and permissions.
    tools: Mapping[str, Script] | None = None  # By name. None: nobody knows which there are.
    folder: ModuleFolder | None = None  # Of the scripts. None: nobody knows its modules.
    in_folder: bool = True  # Whether the script itself lies there, or belongs to its tools.

    @cached_property
    def globals(self) -> frozenset[str]:
        """Every name that is there before the script runs."""
        return GLOBALS | {PARAMS} | set(self.bindings)

    @cached_property
    def bindings(self) -> Mapping[str, Mapping[str, Binding]]:
        """Module -> function -> its checks."""
        return {
            module.name: {f.name: Binding(module.name, f) for f in module.functions}
            for module in (LOKI, *self.modules)
        }

    @cached_property
    def functions(self) -> Mapping[str, LuaFunction]:
        """Declarations by full name, such as "fenrir:gpio_read"."""
        return {
            f"{module.name}{separator(module.name)}{function.name}": function
            for module in (LOKI, *self.modules)
            for function in module.functions
        }

    @cached_property
    def offered(self) -> dict[str, str]:
        """Name of a function -> how it is called."""
        return {name.rpartition(separator(name))[2]: name for name in self.functions}

    def members(self, module: str) -> frozenset[str]:
        """All that a module has."""
        return frozenset((*self.bindings[module], *(LOCAL if module == LOKI.name else ())))

    @cached_property
    def parameters(self) -> frozenset[str]:
        """Names of the tool's parameters."""
        return frozenset(p.name for p in self.tool.parameters) if self.tool else frozenset()


def separator(name: str) -> str:
    """What stands between a module, or a full name that begins with it, and a function."""
    return "." if name == LOKI.name or name.startswith(f"{LOKI.name}.") else ":"
