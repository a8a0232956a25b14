"""Which scripts there are: adding, revising, removing and finding them."""

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

import msgspec

from loki.core.name import camel_case, suggest
from loki.errors import ErrorCode, LokiError, ScriptNotFound, ServiceUnavailable
from loki.messages.event import ConfigRejected
from loki.messages.library import PublishScripts
from loki.messages.script import Origin, Script

MAX_PAGE = 1000
PAGE_BYTES = 2 * 1024 * 1024  # Clients of gRPC take 4 MiB.
_pack = msgspec.msgpack.Encoder().encode
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
        raise ServiceUnavailable(
            f"the library has not sent '{name}' yet; try again", details={"child": "library"}
        )
    return find(scripts, name, revision)


def check_addition(scripts: Mapping[str, Script], new: Script, expected_revision: str) -> None:
    """Whether `new` may join, or replace the revision that its sender expects.

    Raises: LokiError with SCRIPT_EXISTS or REVISION_CONFLICT; ScriptNotFound for an update of
    what is not there.
    """
    old = scripts.get(new.name)
    if old is None:
        _check_method_name(scripts, new)
        if expected_revision:
            find(scripts, new.name)
        return
    if not expected_revision:
        raise LokiError(
            f"script '{new.name}' exists; give its revision {old.revision} as expected_revision "
            "to replace it",
            code=ErrorCode.SCRIPT_EXISTS,
            details={"script": new.name, "revision": old.revision},
        )
    _check_changeable(old, expected_revision)


def hidden(script: Script) -> str:
    """What is said where a file declares a script under the name of a registered one."""
    return (
        f"the registered script '{script.name}' is hidden by that of {script.declared_in}; "
        "rename one of the two"
    )


def check_removal(scripts: Mapping[str, Script], name: str, expected_revision: str) -> None:
    """Raises: ScriptNotFound; LokiError with SCRIPT_EXISTS (a file's) or REVISION_CONFLICT."""
    script = find(scripts, name)
    _check_changeable(script, expected_revision or script.revision)


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


def _check_method_name(scripts: Mapping[str, Script], new: Script) -> None:
    """`read_sensor` and `ReadSensor` would be one typed method."""
    method = camel_case(new.name)
    for name in scripts:
        if camel_case(name) == method:
            raise LokiError(
                f"'{new.name}' and '{name}' would both be {method}; choose another name",
                code=ErrorCode.SCRIPT_EXISTS,
                details={"script": new.name},
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


def page_of(
    scripts: Mapping[str, Script], pattern: str, language: str, size: int, after: str
) -> tuple[tuple[Script, ...], str]:
    """Up to `size` (1 to 1000) matching scripts by name, and where the next page begins.

    Fewer where more would not fit into a message.
    """
    names: Iterable[str] = sorted(n for n in scripts if n > after and fnmatchcase(n, pattern))
    matching = [scripts[n] for n in names if not language or scripts[n].language == language]
    page, *_ = parts(matching[: min(max(size, 1), MAX_PAGE)], {}, PAGE_BYTES)
    return page, page[-1].name if len(page) < len(matching) else ""


def published(scripts: Mapping[str, Script], news: PublishScripts) -> dict[str, Script]:
    """All scripts after these news from the Library."""
    changed = {script.name: script for script in news.changed}
    gone = set(news.removed)
    if news.complete:
        gone |= scripts.keys() - news.others
    return {name: script for name, script in scripts.items() if name not in gone} | changed


def parts(
    scripts: Sequence[Script], bytecode: Mapping[str, bytes], most_bytes: int
) -> list[tuple[Script, ...]]:
    """At least one part; packed and with bytecode, no two scripts of one are over `most_bytes`."""
    found: list[tuple[Script, ...]] = []
    part: list[Script] = []
    size = 0
    for script in scripts:
        own = len(_pack(script)) + len(bytecode.get(script.revision, b""))
        if part and size + own > most_bytes:
            found.append(tuple(part))
            part, size = [], 0
        part.append(script)
        size += own
    return [*found, tuple(part)]
