"""Library and keeper about registered scripts: which there are, and all that they ever were."""

import msgspec

from loki.messages.envelope import Change, Done, Message, Request


class StoredScript(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    revision: str
    content: bytes  # A packed `Script`; the keeper never looks into it.


class ScriptsRead(Message):
    scripts: tuple[StoredScript, ...]  # Ordered by name; as many as fit into a message.
    next_page: str = ""  # "" is the last page.


class ReadScripts(Request[ScriptsRead]):
    """Library -> keeper: the current revision of every registered script, a page at a time."""

    page: str = ""  # The name after which this page begins.


class KeepScript(Change[Done]):
    """Library -> keeper: this is the current revision of its script from now on.

    A revision that the keeper has already becomes the current one again: who registered it and
    when stays as it was. Done means that it is on the disk; REVISION_CONFLICT that another one than
    `expected` was the current one, and QUOTA that the principal has registered `most_scripts`.
    """

    script: StoredScript
    expected: str  # The current revision so far; "" where the script is not registered.
    principal: str
    time_ns: int  # Wall clock, since 1970.
    most_scripts: int = 0  # Current ones that the principal registered last; 0 is no bound.


class DropScript(Change[Done]):
    """Library -> keeper: this script is registered no more; its revisions stay, as history."""

    name: str
    expected: str
    principal: str
    time_ns: int


class ScriptRevision(msgspec.Struct, frozen=True, kw_only=True):
    revision: str
    principal: str  # Who registered it first; "" where that is not known.
    registered_ns: int  # When; 0 where that is not known.
    current: bool
    current_by: str = ""  # Who made it the current one.
    current_ns: int = 0  # When; 0 for others, and where that is not known.


class RevisionsRead(Message):
    revisions: tuple[ScriptRevision, ...]  # The newest first, by when they were registered first.
    next_page: str = ""  # "" is the last page.


class ReadRevisions(Request[RevisionsRead]):
    """Library -> keeper: what a script was and is; also of one that was removed."""

    name: str
    page_size: int = 100  # 1 to 1000.
    page: str = ""


class RevisionRead(Message):
    script: StoredScript


class ReadRevision(Request[RevisionRead]):
    """Library -> keeper: one revision, current or not. SCRIPT_NOT_FOUND where it is not kept."""

    name: str
    revision: str
