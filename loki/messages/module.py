"""Runner and Library about the Lua modules that scripts require."""

import msgspec

from loki.messages.envelope import Message, Request


class CompiledModule(msgspec.Struct, frozen=True, kw_only=True):
    """A module as runners keep it."""

    file: str  # What error messages call it.
    source: str
    bytecode: bytes


class ModuleLoaded(Message):
    digest: str  # Of file and source.
    module: msgspec.Raw  # A packed CompiledModule; null where the runner holds this one.


class LoadModule(Request[ModuleLoaded]):
    """Runner -> Library: a script requires this, as it is now."""

    name: str
    held: str = ""  # Digest of what the runner has under this name.
