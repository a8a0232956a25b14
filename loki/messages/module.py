"""Runner and Library about the Lua modules that scripts require."""

import msgspec

from loki.messages.engine import ChunkCacheStatistics
from loki.messages.envelope import Message, Request


class CompiledModule(msgspec.Struct, frozen=True, kw_only=True):
    """A module as runners keep it."""

    file: str  # What error messages call it.
    source: str
    bytecode: bytes


class ModuleLoaded(Message):
    digest: str  # Of file and source.
    module: msgspec.Raw  # A packed CompiledModule; null where the runner holds this one.


class ModulesDescribed(Message):
    """`entries` are those of the Library; a hit is a module that its runner held."""

    statistics: ChunkCacheStatistics


class DescribeModules(Request[ModulesDescribed]):
    """Gateway -> Library: how did the modules fare since you began?"""


class LoadModule(Request[ModuleLoaded]):
    """Runner -> Library: a script requires this, as it is now."""

    name: str
    held: str = ""  # Digest of what the runner has under this name.
