"""Scripts that bring their manifest along: a `.lua` file in the scripts folder that is a tool.

Its header is TOML with the keys of a `[[tools]]` entry, behind `---` on lines of its own, before
the first line of code:

    --- loki:
    --- description = "n times n"
    --- parameters = [{ name = "n", type = "number" }]
    --- return_type = "number"
    return params.n * params.n

Without `name` the tool is called as its file. A comment that is no header line ends the header.
"""

import re
from pathlib import Path

import tomli

from loki.core.run.manifest import SUFFIX
from loki.errors import ConfigurationError
from loki.tool.definition import MAX_SOURCE_BYTES
from loki.tool.document import Document, lines_of

OPENING = re.compile(r"---[ \t]*loki:[ \t]*(.*)")
LINE = re.compile(r"--- ?(.*)")
AROUND = re.compile(r"\s*(--(?!\[=*\[).*)?")  # What may stand before a header.


def dropped(folder: Path, closed: Path) -> list[Path]:
    """The scripts that lie in a folder itself, sorted; those in `closed`, the state, are not meant.

    Scripts may write to the state: nothing there becomes a tool.
    """
    shut = closed.resolve()
    return [
        file
        for file in sorted(folder.glob(f"*{SUFFIX}"))
        if file.is_file() and not file.resolve().is_relative_to(shut)
    ]


def read_header(file: Path) -> Document | None:
    """The manifest of a script and the script, as a tool file would have them; None without one.

    What is no UTF-8 or too long is refused when the script is read.

    Raises: ConfigurationError for a file that cannot be read, or a header that is no TOML.
    """
    try:
        with file.open("rb") as opened:
            start = opened.read(MAX_SOURCE_BYTES)
    except OSError as error:
        raise ConfigurationError(f"{file}: cannot be read: {error.strerror}") from error
    text = start.decode("utf-8-sig", errors="replace").replace("\r\n", "\n")
    return header_of(text, file, {"path": file.name})


def header_of(source: str, path: Path, script: dict[str, object]) -> Document | None:
    """`path` names the source in errors, and the tool; `script` is where its source is.

    Raises: ConfigurationError, with the place in its details.
    """
    first, text = _toml(source)
    if not first:
        return None
    try:
        table = tomli.loads(text)
    except (ValueError, RecursionError) as error:
        line, why = getattr(error, "lineno", first), getattr(error, "msg", error)
        raise _refusal(path, line, f"its header is no valid TOML: {why}") from error
    lines = {("tools", 0, *place): line for place, line in lines_of(text).items()}
    if "script" in table:
        line = lines.get(("tools", 0, "script"), first)
        raise _refusal(path, line, "script: the file itself is the script; leave it out")
    entry = {"name": path.stem, **table, "script": script}
    return Document(path, {"tools": [entry]}, lambda: {("tools", 0): first, **lines})


def strays(source: str) -> tuple[int, ...]:
    """Lines, from 1, on which a header seems to begin that is none."""
    first, _ = _toml(source)
    lines = enumerate(source.split("\n"), start=1)
    return tuple(n for n, line in lines if n != first and OPENING.fullmatch(line.strip()))


def _toml(source: str) -> tuple[int, str]:
    """The line on which the header begins, from 1, and its TOML on the lines where it stands.

    0 where there is none.
    """
    lines = source.split("\n")
    for index, line in enumerate(lines):
        if opening := OPENING.fullmatch(line):
            found = [opening[1]]
            for more in map(LINE.fullmatch, lines[index + 1 :]):
                if more is None:
                    break
                found.append(more[1])
            return index + 1, "\n" * index + "\n".join(found) + "\n"
        if not AROUND.fullmatch(line):
            break
    return 0, ""


def _refusal(path: Path, line: int, text: str) -> ConfigurationError:
    place = f"{path}:{line}"
    return ConfigurationError(f"{place}: {text}", details={"place": place})
