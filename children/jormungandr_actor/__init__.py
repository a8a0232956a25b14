"""Jörmungandr, the child that owns the device's network."""

from jormungandr_actor.lua_api import MODULE
from loki.child import Child

CHILD = Child(
    module=MODULE,
    role="jormungandr_actor.actor:Jormungandr",
    config="jormungandr_actor.config:JormungandrConfig",
)
