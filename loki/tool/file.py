"""Tool files, headers and uploads, read into scripts: good entries, and a list of what is wrong."""

import marshal
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias, cast

import msgspec
from pydantic import ValidationError

from loki.core.name import suggest
from loki.core.run.manifest import SUFFIX, UPLOADED
from loki.errors import CompilationError, ConfigurationError, InvalidScript
from loki.messages.script import Origin, Script
from loki.tool.definition import Surroundings, ToolDefinition, collision
from loki.tool.document import Document, read_document
from loki.tool.header import header_of, read_header
from loki.tool.permission import read_permissions
from loki.tool.problem import Breach, Place, Problem, key_of, problems_of, show
from loki.tool.rule import Rules
from loki.v1_name import camel_case

NOTHING: Mapping[bytes, Script] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Tools:
    """What one or more tool files hold."""

    scripts: tuple[Script, ...]  # In the order of the files.
    problems: tuple[Problem, ...]
    paths: frozenset[Path]  # The files and the scripts they name, there or not: worth watching.
    broken: frozenset[str] = frozenset()  # Names of entries that are there, and not good.
    unread: frozenset[str] = frozenset()  # Files that cannot be read, or not be parsed.
    memory: Mapping[bytes, Script] = field(default_factory=dict)  # For the next reading.

    def require_good(self) -> "Tools":
        """Strict mode. Raises: ConfigurationError with a line for each problem."""
        if self.problems:
            raise ConfigurationError("\n".join(map(str, self.problems)))
        return self


Memory: TypeAlias = dict[bytes, Script]
"""The good entries of an earlier reading, with the same rules, that bring their source along."""


def read_tools(
    files: Sequence[Path], rules: Rules, memory: Mapping[bytes, Script] = NOTHING
) -> Tools:
    """Every good entry of these files; names are unique across all of them.

    A `.lua` file is the one tool that its header declares, or none. An entry whose name an earlier
    one has, good or bad, is bad. What `memory` has is not checked again.
    """
    reading = _Reading(rules, memory)
    for file in files:
        reading.read(file)
    return Tools(
        tuple(reading.scripts),
        tuple(reading.problems),
        frozenset(reading.paths),
        frozenset(reading.broken),
        frozenset(reading.unread),
        reading.memory,
    )


def read_source(source: str, path: Path, rules: Rules) -> Tools:
    """The tool that the header of this source declares, if it has one; `path` names it."""
    reading = _Reading(rules)
    reading.take(path, lambda: header_of(source, path, {"inline": source}), "header")
    return Tools(tuple(reading.scripts), tuple(reading.problems), frozenset())


def read_upload(table: Mapping[str, object], rules: Rules) -> Script:
    """One tool as in a tool file, with its source inline, under the same rules.

    `table` has the keys of a `[[tools]]` entry; byte strings are allowed as defaults.

    Raises: InvalidScript with `details["field"]` of the first rule that is broken and a line for
    each in its text; CompilationError for bad source.
    """
    checked = _checked(table, Surroundings(rules, None), lambda _: "", "")
    if isinstance(checked, ToolDefinition):
        script = checked.as_script(rules, Origin.REGISTERED, UPLOADED)
        rules.compile(script)
        return script
    raise InvalidScript("\n".join(map(str, checked)), details={"field": checked[0].key})


def require_fit(script: Script, rules: Rules) -> None:
    """Whether what was registered once, perhaps by an earlier Loki, would still run here.

    Its limits are no matter: a run keeps to today's ceiling whatever they say.

    Raises: InvalidScript for permissions that no child has any more; CompilationError.
    """
    table = {key: list(allowed) for key, allowed in script.permissions.items()}
    _, breaches = read_permissions(table, rules.modules)
    if breaches:
        keys = [key_of(("permissions", *breach.at)) for breach in breaches]
        lines = "\n".join(map("{}: {}".format, keys, (breach.text for breach in breaches)))
        raise InvalidScript(
            f"revision {script.revision} of '{script.name}' does not run here any more: {lines}",
            details={"script": script.name, "field": keys[0]},
        )
    rules.compile(script)


def read_adhoc(sent: Script, rules: Rules) -> Script | None:
    """An ad-hoc script with the parameters, limits and result of its header; None without one.

    Its name and what it may do are not its sender's to say: the header's are only checked.

    Raises: InvalidScript with a line for each problem.
    """

    def read() -> Document | None:
        source = sent.source.removeprefix("\ufeff").replace("\r\n", "\n")
        document = header_of(source, Path(sent.chunk), {"inline": source})
        for _, entry in _entries(document) if document else ():
            assert isinstance(entry, dict)  # noqa: S101  # It is made of the header's keys.
            entry["name"] = sent.name
        return document

    reading = _Reading(replace(rules, compile=lambda _: None))
    reading.take(Path(sent.chunk), read, "header")
    if reading.problems:
        lines = "\n".join(map(str, reading.problems))
        raise InvalidScript(lines, details={"field": reading.problems[0].key})
    for declared in reading.scripts:
        script: Script = msgspec.structs.replace(
            sent,
            parameters=declared.parameters,
            return_type=declared.return_type,
            limits=declared.limits,
        )
        return script
    return None


class _Reading:
    """Tool files on their way into a `Tools`."""

    def __init__(self, rules: Rules, memory: Mapping[bytes, Script] = NOTHING) -> None:
        self.rules = rules
        self.memory: Memory = {}
        self._known = memory
        self.scripts: list[Script] = []
        self.problems: list[Problem] = []
        self.paths: set[Path] = set()
        self.broken: set[str] = set()
        self.unread: set[str] = set()
        self._taken: dict[str, tuple[str, Callable[[], str]]] = {}

    def read(self, file: Path) -> None:
        self.paths.add(file)
        if file.suffix == SUFFIX:
            good = self.take(file, lambda: read_header(file), "header")
        else:
            good = self.take(file, lambda: read_document(file), "tools[{}]")
        if not good:
            self.unread.add(str(file))

    def take(self, path: Path, read: Callable[[], Document | None], kind: str) -> bool:
        """Whether it could be read; `kind` is what problems call an entry, with its number."""
        try:
            document = read()
        except ConfigurationError as error:
            place = error.details.get("place", str(path))
            text = error.message.removeprefix(f"{place}: ")
            self.problems.append(Problem(place, "", "", "", text))
            return False
        if document is None:
            return True
        strangers = tuple(_strangers(document))
        self.problems += strangers
        for index, table in _entries(document):
            self._read_entry(document, index, table, _title(kind, index, table))
        return not strangers

    def _read_entry(self, document: Document, index: int, table: object, entry: str) -> None:
        def where(at: Place) -> str:
            return document.where(("tools", index, *at))

        folder = document.path.parent
        self.paths |= _script_path(folder, table)
        name = _name_of(table)
        problems = self._name_problems(name, lambda: where(("name",)), entry)
        key = _key(document.path, table)
        if not problems and key in self._known:
            self.scripts.append(self._known[key])
            self.memory[key] = self._known[key]
            return
        checked = _checked(table, Surroundings(self.rules, folder), where, entry)
        if isinstance(checked, ToolDefinition):
            script = checked.as_script(self.rules, Origin.FILE, str(document.path))
            problems += _compile_problems(script, self.rules, lambda: where(("script",)), entry)
            if not problems:
                self.scripts.append(script)
                self.memory |= {key: script} if key else {}
        else:
            problems += checked
        self.problems += problems
        self.broken |= {name} if problems and name is not None else set()

    def _name_problems(
        self, name: str | None, where: Callable[[], str], entry: str
    ) -> tuple[Problem, ...]:
        if name is None:
            return ()
        if other := self._taken.get(camel_case(name)):
            text = f"{collision(name, other[0])} (see {other[1]()})"
            return (Problem(where(), entry, "name", f'"{name}"', text),)
        self._taken[camel_case(name)] = (name, where)
        return ()


def _checked(
    table: object, surroundings: Surroundings, where: Callable[[Place], str], entry: str
) -> ToolDefinition | tuple[Problem, ...]:
    try:
        return ToolDefinition.model_validate(table, context=surroundings)
    except ValidationError as error:
        return problems_of(error, ToolDefinition, where, entry)


def _compile_problems(
    script: Script, rules: Rules, where: Callable[[], str], entry: str
) -> tuple[Problem, ...]:
    try:
        rules.compile(script)
    except CompilationError as error:
        return (Problem(where(), entry, "script", "", error.message),)
    return ()


def _strangers(document: Document) -> Iterator[Problem]:
    """What stands beside the `tools` of a file."""
    for key, value in document.data.items():
        breach = Breach((key,), value, f"unknown key{suggest(key, ['tools'])} (known: tools)")
        if key == "tools":
            breach = Breach((key,), value, "must be a list of tables: [[tools]]")
        if key != "tools" or not isinstance(value, list):
            yield Problem(document.where((key,)), "", key, show(breach), breach.text)


def _entries(document: Document) -> Iterator[tuple[int, object]]:
    tools = document.data.get("tools")
    yield from enumerate(tools if isinstance(tools, list) else [])


def _key(file: Path, table: object) -> bytes:
    """What tells an entry from every other one; b"" for one that depends on more than its text."""
    script = table.get("script") if isinstance(table, dict) else None
    if not isinstance(script, dict) or script.keys() != {"inline"}:
        return b""
    try:
        return marshal.dumps((str(file), cast(Any, table)), 0)  # Later versions vary with objects.
    except ValueError:  # Of a date, which is no part of a good one.
        return b""


def _name_of(table: object) -> str | None:
    """What an entry calls itself, good or bad; None where that is no text."""
    name = table.get("name") if isinstance(table, dict) else None
    return name if isinstance(name, str) else None


def _title(kind: str, index: int, table: object) -> str:
    name = _name_of(table)
    return kind.format(index + 1) + ("" if name is None else f" '{name[:64]}'")


def _script_path(folder: Path, table: object) -> set[Path]:
    """The file that an entry means, whatever else is wrong with it."""
    script = table.get("script") if isinstance(table, dict) else None
    path = script.get("path") if isinstance(script, dict) else None
    return {folder / path} if isinstance(path, str) else set()
