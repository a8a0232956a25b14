"""The clumsy child in an asyncio loop of its own."""

from clumsy_actor import FUNCTIONS

from loki.child import Child, LuaModule

CHILD = Child(
    module=LuaModule(
        name="clumsy_loop", child="clumsy_loop", doc="Clumsy.", functions=FUNCTIONS[:1]
    ),
    role="clumsy_actor:ClumsyLoop",
    config="clumsy_actor:Config",
)
