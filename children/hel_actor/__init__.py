"""Hel, the child that owns data: files, a key-value store and a cache."""

from hel_actor.lua_api import MODULE
from loki.child import Child

CHILD = Child(
    module=MODULE,
    role="hel_actor.actor:Hel",
    config="hel_actor.config:HelConfig",
    vital=True,
    keeps=True,
    restore="hel_actor.backup.upkeep:restore",
    doctor="hel_actor.doctor.doctor:examine",
)
