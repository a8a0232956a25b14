"""Which scripts there are: adding, revising, removing and finding them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

import msgspec

from loki.core.library.catalogue import Catalogue
from loki.core.name import suggest
from loki.errors import ErrorCode, LokiError, ScriptNotFound, ServiceUnavailable
from loki.messages.event import ConfigRejected
from loki.messages.interface import PublishInterfaces
from loki.messages.library import PublishScripts
from loki.messages.script import Origin, Script
from loki.v1_name import camel_case

_pack = msgspec.msgpack.Encoder().encode
T = TypeVar("T")
LONGEST_PROBLEM = 1000  # Characters of an event: a message of Lua may quote the whole source.


def find(scripts: Mapping[str, Script], name: str, revision: str = "") -> Script:
    """The script of that name. Raises: ScriptNotFound, with the nearest name."""
    script = scripts.get(name)
    if script is None:
        raise ScriptNotFound(
            f"there is no script '{name}'{suggest(name, scripts)}", details={"script": name}
        )
    if revision and revision != script.revision:
        raise ScriptNotFound(
            f"script '{name}' has revision {script.revision}, not {revision}",
            details={"script": name, "revision": script.revision},
        )
    return script


def look_up(scripts: Mapping[str, Script], name: str, revision: str = "", *, whole: bool) -> Script:
    """As `find`, where `scripts` are perhaps not yet the `whole` library.

    Raises: ScriptNotFound; ServiceUnavailable for one that may still come.
    """
    if not whole and name not in scripts:
        raise unread(name)
    return find(scripts, name, revision)


def unread(name: str) -> ServiceUnavailable:
    """What is said of a script or method while there may be more of them than is known.

    Loki starts, or, for as long as that takes, what keeps registered scripts cannot be read.
    """
    return ServiceUnavailable(
        f"'{name}' is not among the scripts that are known, and registered ones are not read yet; "
        "try again. If that stays so, `loki status` and `loki doctor` say what is in the way",
        details={"child": "library"},
    )


def check_addition(catalogue: Catalogue, new: Script, expected_revision: str) -> None:
    """Whether `new` may join, or replace the revision that its sender expects.

    Raises: LokiError with SCRIPT_EXISTS or REVISION_CONFLICT; ScriptNotFound for an update of
    what is not there.
    """
    old = catalogue.scripts.get(new.name)
    if old is None:
        _check_method_name(catalogue, new)
        if expected_revision:
            find(catalogue.scripts, new.name)
        return
    if not expected_revision and old.origin is not Origin.FILE:
        raise LokiError(
            f"script '{new.name}' exists; give its revision {old.revision} as expected_revision "
            "to replace it",
            code=ErrorCode.SCRIPT_EXISTS,
            details={"script": new.name, "revision": old.revision},
        )
    _check_changeable(old, expected_revision)


def effective(files: Mapping[str, Script], registered: Mapping[str, Script]) -> dict[str, Script]:
    """What is served: files hide what is registered under the same name, or method name."""
    methods = {camel_case(name) for name in files}
    shown = {n: s for n, s in registered.items() if camel_case(n) not in methods}
    return {**shown, **files}


def is_a_files(catalogue: Catalogue, name: str) -> bool:
    """Whether a file's script has that name, or its method name."""
    held = catalogue.scripts.get(catalogue.named_like(name))
    return held is not None and held.origin is Origin.FILE


def clashes(files: Mapping[str, Script], registered: Iterable[str]) -> tuple[ConfigRejected, ...]:
    """What is said of each registered script that a file hides, by name."""
    methods = {camel_case(name): script for name, script in files.items()}
    hidden = [(name, methods.get(camel_case(name))) for name in sorted(registered)]
    return tuple(
        ConfigRejected(file=by.declared_in, problem=_hidden(name, by))
        for name, by in hidden
        if by is not None
    )


def _hidden(name: str, by: Script) -> str:
    that = "that" if by.name == name else f"'{by.name}'"
    return f"the registered script '{name}' is hidden by {that} of this file; rename one of the two"


def check_removal(scripts: Mapping[str, Script], name: str, expected_revision: str) -> None:
    """Raises: ScriptNotFound; LokiError with SCRIPT_EXISTS (a file's) or REVISION_CONFLICT."""
    script = find(scripts, name)
    _check_changeable(script, expected_revision or script.revision)


def check_rollback(catalogue: Catalogue, name: str, current: str, expected_revision: str) -> None:
    """Whether another revision than `current`, "" for none, may take its place.

    Raises: LokiError with SCRIPT_EXISTS or REVISION_CONFLICT.
    """
    held = catalogue.scripts.get(name)
    if held is not None and held.origin is Origin.FILE:
        _check_changeable(held, held.revision)
    if held is None and (other := catalogue.named_like(name)):
        raise _method_taken(name, other)
    if expected_revision not in ("", current):
        state = f"has revision {current} now" if current else "is not registered any more"
        raise LokiError(
            f"script '{name}' {state}; {expected_revision} is expected",
            code=ErrorCode.REVISION_CONFLICT,
            details={"script": name, "revision": current},
        )


def _check_changeable(old: Script, expected_revision: str) -> None:
    if old.origin is Origin.FILE:
        raise LokiError(
            f"script '{old.name}' comes from {old.declared_in or 'a tool file'}; change it there",
            code=ErrorCode.SCRIPT_EXISTS,
            details={"script": old.name},
        )
    if old.revision != expected_revision:
        raise LokiError(
            f"script '{old.name}' has revision {old.revision} now, not {expected_revision}",
            code=ErrorCode.REVISION_CONFLICT,
            details={"script": old.name, "revision": old.revision},
        )


def _check_method_name(catalogue: Catalogue, new: Script) -> None:
    """`read_sensor` and `ReadSensor` would be one typed method."""
    if name := catalogue.named_like(new.name):
        raise _method_taken(new.name, name)


def _method_taken(name: str, other: str) -> LokiError:
    return LokiError(
        f"'{name}' and '{other}' would both be {camel_case(name)}; choose another name",
        code=ErrorCode.SCRIPT_EXISTS,
        details={"script": name, "other": other},
    )


def bounded(rejected: Sequence[ConfigRejected], most: int) -> list[ConfigRejected]:
    """At most so many, none of them long; the last one then says how many more there are."""
    told = [
        ConfigRejected(file=each.file, problem=each.problem[:LONGEST_PROBLEM])
        for each in rejected[:most]
    ]
    if len(rejected) > most:
        rest = len(rejected) - most + 1
        told[-1] = ConfigRejected(
            file=told[-1].file, problem=f"and {rest} problems more; see the log"
        )
    return told


def gone(scripts: Mapping[str, Script], news: PublishScripts) -> set[str]:
    """Names that there are no more after these news from the Library."""
    removed = set(news.removed)
    if news.complete:
        removed |= scripts.keys() - news.others - {script.name for script in news.changed}
    return removed & scripts.keys()


def parts(
    scripts: Sequence[Script], bytecode: Mapping[str, bytes], most_bytes: int
) -> list[tuple[Script, ...]]:
    """At least one part; packed and with bytecode, no two scripts of one are over `most_bytes`."""
    return _split(scripts, lambda s: len(_pack(s)) + len(bytecode.get(s.revision, b"")), most_bytes)


def interface_parts(news: PublishInterfaces, most_bytes: int) -> list[PublishInterfaces]:
    """The same news in messages that are short enough; a whole library's last one says so."""
    *first, last = _split(news.changed, lambda each: len(_pack(each)), most_bytes)
    others = (*news.others, *(each.name for part in first for each in part))
    end = PublishInterfaces(
        changed=last,
        removed=news.removed,
        complete=news.complete,
        others=others if news.complete else (),
    )
    return [*(PublishInterfaces(changed=part) for part in first), end]


def _split(items: Iterable[T], size_of: Callable[[T], int], most_bytes: int) -> list[tuple[T, ...]]:
    found: list[tuple[T, ...]] = []
    part: list[T] = []
    size = 0
    for item in items:
        own = size_of(item)
        if part and size + own > most_bytes:
            found.append(tuple(part))
            part, size = [], 0
        part.append(item)
        size += own
    return [*found, tuple(part)]
