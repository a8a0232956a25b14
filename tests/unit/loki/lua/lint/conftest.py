"""Sources linted against a made-up board and store, and what comes of it in one line each."""

from collections.abc import Callable

import pytest

from loki.lua.lint import Contract, lint
from loki.messages.lua_module import (
    LuaFunction,
    LuaModule,
    LuaParameter,
    LuaType,
    PermissionKey,
    PermissionShape,
)
from loki.messages.script import Parameter, Permissions, Script, ValueType

Problems = Callable[..., list[str]]


def parameter(name: str, type_: LuaType, required: bool = True) -> LuaParameter:
    return LuaParameter(name=name, type=type_, required=required, doc=f"The {name}")


def function(name: str, *parameters: LuaParameter, permission: str = "") -> LuaFunction:
    return LuaFunction(
        name=name, request=name, parameters=parameters, permission=permission, doc=f"Does {name}"
    )


PIN = parameter("pin", LuaType.PIN)
MODULES = (
    LuaModule(
        name="board",
        child="board",
        doc="A board.",
        functions=(
            function("read", PIN, permission="pins"),
            function("write", PIN, parameter("level", LuaType.BOOLEAN), permission="pins"),
            function("wait", PIN, parameter("ms", LuaType.INTEGER, required=False)),
            function("move", parameter("speed", LuaType.NUMBER)),
            function("plan", parameter("options", LuaType.OBJECT), parameter("s", LuaType.ARRAY)),
            function("ping"),
        ),
        permissions=(PermissionKey(name="pins", shape=PermissionShape.LIST, doc="Pins"),),
    ),
    LuaModule(
        name="store",
        child="store",
        doc="A store.",
        functions=(
            function("fs_read", parameter("path", LuaType.STRING), permission="files"),
            function(
                "fs_write",
                parameter("path", LuaType.STRING),
                parameter("content", LuaType.BYTES),
                permission="files",
            ),
            function(
                "keep",
                parameter("key", LuaType.STRING),
                parameter("value", LuaType.ANY),
                permission="storage",
            ),
        ),
        permissions=(
            PermissionKey(name="files", shape=PermissionShape.MODE, doc="Files"),
            PermissionKey(name="storage", shape=PermissionShape.FLAG, doc="Values"),
        ),
    ),
)


def tool(*parameters: str, **permissions: tuple[str, ...]) -> Script:
    """A tool with string parameters of these names."""
    declared = tuple(Parameter(name=name, type=ValueType.STRING) for name in parameters)
    allowed: Permissions = permissions
    return Script(name="probe", source="", chunk="probe", parameters=declared, permissions=allowed)


@pytest.fixture
def problems() -> Problems:
    """`problems(source)`: "LINE:COLUMN severity rule: message" of each finding."""

    def found(source: str, subject: Script | None = None) -> list[str]:
        return [
            f"{f.line}:{f.column} {f.severity.value} {f.rule}: {f.message}"
            for f in lint(source, Contract(MODULES, subject))
        ]

    return found
