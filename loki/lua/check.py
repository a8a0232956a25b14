"""Whole files checked: scripts where they stand, alone or as the tools of a tool file."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from loki.lua.lint import Contract, Finding, Severity, examine, place
from loki.messages.lua_module import LuaModule
from loki.messages.script import Script
from loki.tool.document import MAX_BYTES, parse_document, read_text
from loki.tool.header import strays
from loki.tool.module import ModuleFolder
from loki.tool.problem import Problem


@dataclass(frozen=True, slots=True)
class Report:
    """What is wrong in one file. The findings' lines and columns are those of `text`."""

    file: Path
    text: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Checked:
    """Everything that is wrong: in tool files themselves, and in scripts."""

    problems: tuple[Problem, ...] = ()
    reports: tuple[Report, ...] = ()


def accept(_script: Script) -> None:
    """A compiler for tool files whose scripts are checked afterwards, all at once."""


@dataclass(frozen=True, slots=True)
class Checker:
    """One device's compiler, and what there is for its scripts."""

    compile: Callable[[Script], object]
    modules: tuple[LuaModule, ...]
    folder: ModuleFolder | None = None
    tools: Mapping[str, Script] | None = None  # By name, which scripts may call.

    def check_tools(self, tools: Iterable[Script]) -> tuple[Report, ...]:
        """One report a file: tools that share a script are checked together."""
        sharing: dict[Path, list[Script]] = {}
        reports = []
        for tool in tools:
            if file := file_of(tool):
                sharing.setdefault(file, []).append(tool)
            else:
                reports.append(self.check_inline(tool))
        return (
            *reports,
            *(self.check_source(file, some[0].source, some) for file, some in sharing.items()),
        )

    def check_inline(self, script: Script) -> Report:
        """A script that stands in its tool file."""
        findings = examine(script, self._contract(script), self.compile)
        toml = Path(script.declared_in)
        text = read_text(toml, MAX_BYTES)
        return Report(toml, text, tuple(_placed(findings, script, text)))

    def check_source(self, file: Path, source: str, tools: Iterable[Script] = ()) -> Report:
        """A file's source. `tools` are those that run it; without any, its parameters are unknown.

        What is wrong for one of the tools is wrong.
        """
        script = Script(name=file.stem, source=source, chunk=file.name)
        in_folder = self.folder is not None and self.folder.holds(file)
        found: dict[Finding, None] = {}
        for tool in tuple(tools) or (None,):
            contract = self._contract(tool, in_folder=in_folder)
            found |= dict.fromkeys(examine(script, contract, self.compile))
        found |= dict.fromkeys(map(_stray, strays(source)))
        return Report(file, source, tuple(sorted(found, key=place)))

    def _contract(self, tool: Script | None, *, in_folder: bool = True) -> Contract:
        return Contract(self.modules, tool, self.tools, self.folder, in_folder)


def file_of(script: Script) -> Path | None:
    """The file that holds a tool's script, unless it stands in the tool file itself."""
    if script.chunk == script.name:
        return None
    return (Path(script.declared_in).parent / script.chunk).resolve()


def _stray(line: int) -> Finding:
    text = (
        "this header is not read: a script has one, before its first line of code and not indented"
    )
    return Finding(line, 1, 2, Severity.WARNING, "stray-header", text)


def _placed(findings: Iterable[Finding], script: Script, text: str) -> Iterator[Finding]:
    """Findings of an inline script where they stand in its tool file."""
    at = text.find(script.source)
    line = text.count("\n", 0, at) if at >= 0 else _line_of_entry(script, text) - 1
    column = at - text.rfind("\n", 0, at) - 1
    for found in findings:
        if at < 0:  # Written with escapes.
            message = f"'{script.name}', line {found.line}: {found.message}"
            yield replace(found, line=line + 1, column=1, end_column=2, message=message)
        else:
            shift = column if found.line == 1 else 0
            yield replace(
                found,
                line=found.line + line,
                column=found.column + shift,
                end_column=found.end_column + shift,
            )


def _line_of_entry(script: Script, text: str) -> int:
    """The line of a tool file on which the script of this tool begins."""
    document = parse_document(text, Path(script.declared_in))
    entries = document.data.get("tools", [])
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        if isinstance(entry, dict) and entry.get("name") == script.name:
            return document.line(("tools", index, "script", "inline")) or 1
    return 1
