"""Script languages: which there are, and the engine of each."""

from collections.abc import Callable

from loki.core.run.engine import Engine
from loki.errors import InvalidArgument
from loki.lua.engine import LuaEngine
from loki.lua.sandbox import warm_up
from loki.messages.lua_module import LuaModule

__all__ = ("ENGINES", "engine_for", "warm_up")

ENGINES: dict[str, Callable[[tuple[LuaModule, ...]], Engine]] = {LuaEngine.language: LuaEngine}
"""Language -> what makes its engine. A further language is one more entry."""


def engine_for(language: str, modules: tuple[LuaModule, ...]) -> Engine:
    """The engine that runs `language`, with what `modules` offer to its scripts.

    Raises: InvalidArgument for a language that no engine runs; its text lists the known ones.
    """
    make = ENGINES.get(language)
    if make is None:
        known = ", ".join(sorted(ENGINES))
        raise InvalidArgument(
            f"no engine runs the language '{language[:40]}'; known: {known}",
            details={"field": "language"},
        )
    return make(modules)
