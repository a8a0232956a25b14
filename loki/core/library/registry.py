"""Registered scripts between the keeper, which has bytes, and the Library, which serves them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import msgspec

from loki.errors import ErrorCode, LokiError, ScriptNotFound
from loki.messages.event import ConfigRejected, ScriptChange, ScriptChanged
from loki.messages.registry import RevisionsRead, ScriptRevision, StoredScript
from loki.messages.script import Origin, Script

DOUBTFUL = frozenset(
    {ErrorCode.OUTCOME_UNKNOWN, ErrorCode.CHILD_DOWN, ErrorCode.REVISION_CONFLICT, ErrorCode.IO}
)
"""Of a change that failed so, nobody knows what the keeper has now; a disk may have it in part."""

_encode = msgspec.msgpack.Encoder().encode
_scripts = msgspec.msgpack.Decoder(Script)


@dataclass(frozen=True, slots=True)
class Registered:
    """All that are registered now."""

    scripts: Mapping[str, Script] = field(default_factory=dict)
    unreadable: Mapping[str, str] = field(default_factory=dict)  # Name -> revision.

    def revision_of(self, name: str) -> str:
        """What the keeper has as the current one; "" where it has none."""
        script = self.scripts.get(name)
        return self.unreadable.get(name, "") if script is None else script.revision

    def added(self, script: Script) -> "Registered":
        return Registered({**self.scripts, script.name: script}, self._but(script.name))

    def without(self, name: str) -> "Registered":
        scripts = dict(self.scripts)  # Faster than to look at ten thousand names.
        scripts.pop(name, None)
        return Registered(scripts, self._but(name))

    def _but(self, name: str) -> dict[str, str]:
        return {n: revision for n, revision in self.unreadable.items() if n != name}


def packed(script: Script) -> StoredScript:
    return StoredScript(name=script.name, revision=script.revision, content=_encode(script))


def opened(stored: Iterable[StoredScript]) -> Registered:
    """Those that can be read, and the names of those that cannot: the others are served."""
    scripts: dict[str, Script] = {}
    unreadable: dict[str, str] = {}
    for each in stored:
        try:
            scripts[each.name] = unpacked(each)
        except ScriptNotFound:
            unreadable[each.name] = each.revision
    return Registered(scripts, unreadable)


def unpacked(stored: StoredScript) -> Script:
    """Raises: ScriptNotFound for what is damaged, or was written by a newer Loki."""
    try:
        script = _scripts.decode(stored.content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise unreadable(stored.name, stored.revision) from error
    if (script.name, script.revision) != (stored.name, stored.revision):
        raise unreadable(stored.name, stored.revision)
    return script


def unreadable(name: str, revision: str) -> ScriptNotFound:
    return ScriptNotFound(
        f"the registered script '{name}', revision {revision}, cannot be read: it is damaged, or "
        "a newer Loki wrote it; register it again, or remove it",
        details={"script": name, "revision": revision},
    )


def damaged(registered: Registered, keeper: str) -> tuple[ConfigRejected, ...]:
    """What is said of those that cannot be read, by name."""
    return tuple(
        ConfigRejected(file=keeper, problem=unreadable(name, revision).message)
        for name, revision in sorted(registered.unreadable.items())
    )


def stand_ins(registered: Registered) -> dict[str, Script]:
    """Of those that cannot be read, so that they can be removed."""
    return {
        name: Script(name=name, source="", chunk=name, revision=revision, origin=Origin.REGISTERED)
        for name, revision in registered.unreadable.items()
    }


def changes(old: Mapping[str, Script], new: Mapping[str, Script]) -> list[ScriptChanged]:
    """What became of the scripts, by name."""
    found: list[ScriptChanged] = []
    for name in sorted(old.keys() | new.keys()):
        before, after = old.get(name), new.get(name)
        if before is None and after is not None:
            found.append(changed(after, ScriptChange.ADDED))
        elif before is not None and after is None:
            found.append(changed(before, ScriptChange.REMOVED))
        elif before is not None and after is not None and before != after:
            found.append(changed(after, ScriptChange.CHANGED))
    return found


def changed(script: Script, change: ScriptChange) -> ScriptChanged:
    return ScriptChanged(
        name=script.name, revision=script.revision, change=change, origin=script.origin
    )


def revisions_of(held: Script | None, kept: RevisionsRead, *, first: bool) -> RevisionsRead:
    """A page of revisions; that of a file comes before all that were registered under its name."""
    if held is None or held.origin is not Origin.FILE:
        return kept
    hidden = tuple(
        msgspec.structs.replace(each, current=False, current_by="", current_ns=0)
        for each in kept.revisions
    )
    own = ScriptRevision(revision=held.revision, principal="", registered_ns=0, current=True)
    return RevisionsRead(revisions=(own, *hidden) if first else hidden, next_page=kept.next_page)


def no_keeper(folder: str) -> LokiError:
    """What is said where nothing keeps registrations. `folder` is that of the scripts."""
    return LokiError(
        "scripts cannot be registered here, for the child that would keep them, hel, is switched "
        f"off: switch it on, or put the script with a '--- loki:' header into {folder}",
        code=ErrorCode.CHILD_DISABLED,
        details={"child": "hel"},
    )
