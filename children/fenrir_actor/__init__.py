"""Fenrir, the child that owns the device's hardware."""

from fenrir_actor.lua_api import MODULE
from loki.child import Child

CHILD = Child(
    module=MODULE,
    role="fenrir_actor.actor:Fenrir",
    config="fenrir_actor.config:FenrirConfig",
)
