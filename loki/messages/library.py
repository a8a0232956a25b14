"""Gateway and Dispatcher with the Library: which scripts there are."""

import msgspec

from loki.messages.access import EVERY_SCRIPT
from loki.messages.envelope import Change, Done, Message, Request
from loki.messages.lua_module import LuaModule
from loki.messages.registry import RevisionsRead
from loki.messages.script import Limits, Permissions, Script
from loki.messages.value import Packed


class ScriptFound(Message):
    script: Script


class ScriptsListed(Message):
    scripts: tuple[Script, ...]  # Ordered by name.
    next_page: str = ""  # "" is the last page.


class GetScript(Request[ScriptFound]):
    """Gateway -> Library."""

    name: str
    revision: str = ""  # "" is the current one.


class ListRevisions(Request[RevisionsRead]):
    """Gateway -> Library: a page of what a script was and is; also of one that was removed."""

    name: str
    page_size: int = 100  # 1 to 1000.
    page: str = ""


class HeaderRead(Message):
    script: Script | None  # With what its header declares; None where it has none.


class ReadHeader(Request[HeaderRead]):
    """Gateway -> Library: what does the header of this ad-hoc script declare?"""

    script: Script


class ListScripts(Request[ScriptsListed]):
    """Gateway -> Library: a page of scripts whose names match a glob."""

    pattern: str = "*"
    language: str = ""
    page_size: int = 100
    page: str = ""  # The name after which this page begins.
    among: tuple[str, ...] = EVERY_SCRIPT  # Globs: only scripts that one of them matches too.


class ScriptsCounted(Message):
    count: int


class CountScripts(Request[ScriptsCounted]):
    """Gateway -> Library: how many scripts are there whose names one of these globs matches?"""

    among: tuple[str, ...] = EVERY_SCRIPT


class RegisterScript(Change[ScriptFound]):
    """Gateway -> Library: add a script, or a revision where `expected_revision` is given."""

    definition: Packed
    """A table with the keys of a `[[tools]]` entry, as its sender gave them and nothing else:

    what is left out gets this device's defaults. `script` is {"inline": SOURCE}.
    """
    principal: str
    most_scripts: int = 0  # So many the principal may have registered at a time; 0 is no bound.
    expected_revision: str = ""
    validate_only: bool = False

    @property
    def once(self) -> bool:
        return not self.validate_only


class RollbackScript(Change[ScriptFound]):
    """Gateway -> Library: an earlier revision is the current one again."""

    name: str
    revision: str
    principal: str
    expected_revision: str = ""
    most_scripts: int = 0


class UnregisterScript(Change[Done]):
    """Gateway -> Library."""

    name: str
    principal: str
    expected_revision: str = ""


class PublishScripts(Request[Done]):
    """Library -> Dispatcher: these are new or changed, those are gone.

    `complete` marks a whole library: what it does not name is gone too.
    """

    changed: tuple[Script, ...] = ()
    removed: tuple[str, ...] = ()
    complete: bool = False
    others: tuple[str, ...] = ()  # Of a whole library: names that earlier messages brought.
    bytecode: dict[str, bytes] = {}  # Revision -> what its source compiles to.


class SendScripts(Request[Done]):
    """Dispatcher -> Library: I am new here; publish everything to me."""


class LibraryReport(msgspec.Struct, frozen=True, kw_only=True):
    """What the Library says when it is ready, as JSON in `Ready.detail`."""

    tools: tuple[str, ...]  # Names, sorted.
    problems: tuple[str, ...]  # One line each, for people.


class LibraryConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What the Library is told at boot."""

    tools: str  # Path of the tool file.
    tools_named: bool  # Whether somebody named it, so that its absence is an error.
    script_storage_path: str
    state_dir: str
    modules: tuple[LuaModule, ...]
    watch: bool = False  # Whether changed files are read again.
    keeper: str = ""  # The child that keeps what Loki must not forget; "" where none does.
    default_permissions: Permissions = {}
    default_limits: Limits = Limits()
    ceiling: Limits = Limits()
