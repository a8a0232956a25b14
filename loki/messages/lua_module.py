"""A child's Lua functions as data: bindings, permission checks and docs all come from here."""

from enum import Enum

import msgspec


class LuaType(Enum):
    """What a parameter takes or a function gives, in script authors' words."""

    BOOLEAN = "boolean"
    INTEGER = "integer"
    NUMBER = "number"
    STRING = "string"
    BYTES = "bytes"  # A Lua string that may hold anything.
    PIN = "pin"  # A line's number or its name.
    OBJECT = "object"
    ARRAY = "array"
    ANY = "any"
    NOTHING = "nothing"


class LuaParameter(msgspec.Struct, frozen=True, kw_only=True):
    """One argument of a Lua function; `name` is also the field of the request."""

    name: str
    type: LuaType
    doc: str
    unit: str = ""
    required: bool = True


class LuaFunction(msgspec.Struct, frozen=True, kw_only=True):
    """One function of a child, called in scripts as `module:name(...)`.

    A reply with one field becomes that field's value in Lua, one with several a table of them,
    and `Done` becomes nothing.
    """

    name: str
    request: str  # The tag of the message that the child takes.
    parameters: tuple[LuaParameter, ...] = ()
    returns: LuaType = LuaType.NOTHING
    permission: str = ""  # A key of the manifest; "" needs none.
    doc: str


class PermissionShape(Enum):
    """How people write a permission in TOML."""

    LIST = "list"  # gpio = [17, "led"]
    FLAG = "flag"  # storage = true
    MODE = "mode"  # files = "r" or "rw"
    NAME = "name"  # share = "greenhouse"


class PermissionKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key of `[tools.permissions]` that a child declares and enforces."""

    name: str
    shape: PermissionShape
    doc: str


class LuaModule(msgspec.Struct, frozen=True, kw_only=True):
    """All that a child offers to scripts, under one global name."""

    name: str
    child: str  # The actor that serves it.
    doc: str
    functions: tuple[LuaFunction, ...]
    permissions: tuple[PermissionKey, ...] = ()
