"""The members of `loki` that need no host: Lua itself has them; here they are as data."""

from loki.messages.lua_module import LuaFunction, LuaParameter, LuaType

NULL = "Stands for null inside of arrays and objects, where nil would be a hole or no key at all."
"""What `loki.null` is for."""

FUNCTIONS = (
    LuaFunction(
        name="array",
        request="",
        parameters=(
            LuaParameter(name="t", type=LuaType.ARRAY, required=False, doc="Without it a new one"),
        ),
        returns=LuaType.ARRAY,
        doc="Gives the same table, marked as an array even while it is empty; {} is an object.",
    ),
    LuaFunction(
        name="bytes",
        request="",
        parameters=(
            LuaParameter(name="s", type=LuaType.STRING, doc="Any bytes; it need not be text"),
        ),
        returns=LuaType.BYTES,
        doc="Wraps a string, so that it is sent as bytes. tostring gives the string back, # its "
        "length.",
    ),
)
