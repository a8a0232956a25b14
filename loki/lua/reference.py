"""All that scripts can use, as a text for people and as definitions for editors.

Both come from the declarations that calls are checked against.
"""

import textwrap
from collections.abc import Iterable, Iterator

from loki.core.run.call import TOOLS
from loki.lua import local
from loki.lua.bindings import Binding
from loki.lua.builtin import LOKI
from loki.lua.lint.standard import GLOBALS, LIBRARIES
from loki.messages.lua_module import (
    LuaFunction,
    LuaModule,
    LuaParameter,
    LuaType,
    PermissionKey,
    PermissionShape,
)

WIDTH = 100
PARAMS = "The script's arguments by name; those left out have their defaults."
SHAPES = {
    PermissionShape.LIST: "[...]",
    PermissionShape.FLAG: "true",
    PermissionShape.MODE: '"r" or "rw"',
    PermissionShape.NAME: '"..."',
}

_CATS = {
    LuaType.BOOLEAN: "boolean",
    LuaType.INTEGER: "integer",
    LuaType.NUMBER: "number",
    LuaType.STRING: "string",
    LuaType.BYTES: "string|loki.Bytes",
    LuaType.PIN: "integer|string",
    LuaType.OBJECT: "table<string, any>",
    LuaType.ARRAY: "any[]",
    LuaType.ANY: "any",
    LuaType.NOTHING: "nil",
}
"""Types as LuaCATS has them."""


def functions_of(children: Iterable[LuaModule]) -> tuple[tuple[LuaModule, LuaFunction], ...]:
    """Every function that a script can call, with its module; those of `loki` first."""
    own = ((LOKI, function) for function in (*LOKI.functions, *local.FUNCTIONS))
    theirs = ((module, function) for module in children for function in module.functions)
    return (*own, *theirs)


def as_text(children: Iterable[LuaModule]) -> str:
    """For people: one paragraph a function, indented under its module."""
    modules = (LOKI, *children)
    parts = [_plain_lua()]
    for module in modules:
        parts.append(_wrapped(f"{module.name}: {module.doc}", ""))
        parts += [_function(m.name, f) for m, f in functions_of(children) if m is module]
        if module is LOKI:
            parts.append(f"  loki.null\n{_wrapped(local.NULL, '      ')}")
        keys = (TOOLS,) if module is LOKI else module.permissions
        parts += [_permission(key) for key in keys]
    return "\n\n".join(parts) + "\n"


def _plain_lua() -> str:
    libraries = ", ".join(sorted(LIBRARIES))
    plain = ", ".join(sorted(GLOBALS - LIBRARIES.keys()))
    return "\n".join(
        (
            _wrapped(f"params: {PARAMS}", ""),
            _wrapped(f"Lua 5.4: {plain}; the tables {libraries}.", ""),
        )
    )


def _function(module: str, function: LuaFunction) -> str:
    returns = "" if function.returns is LuaType.NOTHING else f" -> {function.returns.value}"
    lines = [f"  {Binding(module, function).signature}{returns}", _wrapped(function.doc, " " * 6)]
    width = max((len(parameter.name) for parameter in function.parameters), default=0)
    lines += [_parameter(parameter, width) for parameter in function.parameters]
    if function.permission:
        lines.append(f"      Needs the permission {function.permission}.")
    return "\n".join(lines)


def _parameter(parameter: LuaParameter, width: int) -> str:
    name = " " * 8 + parameter.name.ljust(width) + "  "
    text = f"{_type(parameter)}. {parameter.doc}"
    return _wrapped(text, name, " " * len(name))


def _type(parameter: LuaParameter) -> str:
    """Such as "integer in ms, optional"."""
    unit = f" in {parameter.unit}" if parameter.unit else ""
    return f"{parameter.type.value}{unit}{'' if parameter.required else ', optional'}"


def _permission(key: PermissionKey) -> str:
    return f"  permission {key.name} = {SHAPES[key.shape]}\n{_wrapped(key.doc, ' ' * 6)}"


def _wrapped(text: str, first: str, other: str | None = None) -> str:
    return textwrap.fill(
        text,
        WIDTH,
        initial_indent=first,
        subsequent_indent=first if other is None else other,
        break_long_words=False,
        break_on_hyphens=False,
    )


def as_luacats(children: Iterable[LuaModule]) -> str:
    """A definition file that editors with LuaCATS annotations read. It is never run."""
    modules = (LOKI, *children)
    parts = [
        "---@meta",
        f"{_comment(PARAMS)}\n---@type table<string, any>\nparams = {{}}",
        "---What loki.bytes gives.\n---@class loki.Bytes",
    ]
    for module in modules:
        parts.append(f"{_comment(module.doc)}\n---@class {module.name}\n{module.name} = {{}}")
        if module is LOKI:
            parts.append(f"{_comment(local.NULL)}\n---@class loki.Null\nloki.null = {{}}")
        parts += ["\n".join(_definition(m, f)) for m, f in functions_of(children) if m is module]
    return "\n\n".join(parts) + "\n"


def _definition(module: LuaModule, function: LuaFunction) -> Iterator[str]:
    yield _comment(function.doc)
    if function.permission:
        yield f"---Needs the permission {function.permission}."
    for parameter in function.parameters:
        name = parameter.name if parameter.required else f"{parameter.name}?"
        unit = f" ({parameter.unit})" if parameter.unit else ""
        yield f"---@param {name} {_CATS[parameter.type]} {_line(parameter.doc)}{unit}"
    if function.returns is not LuaType.NOTHING:
        yield f"---@return {_returned(module, function)}"
    separator = "." if module is LOKI else ":"
    names = ", ".join(parameter.name for parameter in function.parameters)
    yield f"function {module.name}{separator}{function.name}({names}) end"


def _returned(module: LuaModule, function: LuaFunction) -> str:
    """Bytes from a child are a plain string; only loki.bytes makes the other."""
    if function.returns is LuaType.BYTES:
        return "loki.Bytes" if module is LOKI else "string"
    return _CATS[function.returns]


def _comment(text: str) -> str:
    return textwrap.fill(text, WIDTH, initial_indent="---", subsequent_indent="---")


def _line(text: str) -> str:
    return " ".join(text.split())
