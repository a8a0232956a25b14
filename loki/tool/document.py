"""A TOML or JSON file as plain data, with the lines on which its keys stand."""

import json
import re
import tomllib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

import tomli

from loki.errors import ConfigurationError
from loki.tool.problem import Place

LONG = 256 * 1024
"""Characters that take tomli 20 ms on a small computer; heartbeats wait for no more."""
MAX_BYTES = 16 * 1024 * 1024
MOST_DEPTH = 100
MULTILINE = re.compile(r'"""(?:\\.|[^\\])*?"{3,5}|\'\'\'.*?\'{3,5}', re.DOTALL)
HEADER = re.compile(r"\s*(\[\[?)([\w.\s\"'-]+)\]\]?\s*(?:#.*)?$")
PART = re.compile(r"\"[^\"]*\"|'[^']*'|[\w-]+")
KEY = re.compile(r"\s*([\w-]+|\"[^\"]*\"|'[^']*')(?:\s*\.\s*[\w-]+)*\s*=")

Lines: TypeAlias = Callable[[], Mapping[Place, int]]
NOWHERE: Mapping[Place, int] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Document:
    """What one file says."""

    path: Path
    data: dict[str, object]
    lines: Lines = lambda: NOWHERE
    """From 1; none for JSON. Only asked for when something is wrong: they take their time."""

    def where(self, place: Place) -> str:
        """File and line of the value there, or of the nearest thing around it."""
        line = self.line(place)
        return f"{self.path}:{line}" if line else str(self.path)

    def line(self, place: Place) -> int:
        """Line of the value there, or of the nearest thing around it; 0 where nobody knows."""
        around = (place[:end] for end in range(len(place), 0, -1))
        lines = self.lines()
        return next((lines[at] for at in around if at in lines), 0)


def read_document(path: Path) -> Document:
    """A file whose suffix is `.json`, else TOML; a byte order mark is passed over.

    Raises: ConfigurationError for a file that cannot be read or parsed.
    """
    return parse_document(read_text(path, MAX_BYTES), path)


def parse_document(text: str, path: Path) -> Document:
    """`path` names the text in errors, and its suffix tells the format.

    Raises: ConfigurationError with the parser's own place.
    """
    try:
        if path.suffix == ".json":
            return Document(path, _table(_shallow(json.loads(text))))
        data = _loads(text)
        _shallow(data)
        return Document(path, data, cache(partial(lines_of, text)))
    except (ValueError, RecursionError) as error:
        kind = "JSON" if path.suffix == ".json" else "TOML"
        raise ConfigurationError(f"{path}: is no valid {kind}: {error}") from error


def _shallow(value: object, depth: int = 0) -> object:
    """The value. Raises: ValueError where whoever walks through it could run out of stack."""
    if depth > MOST_DEPTH:
        raise ValueError(f"it is nested more than {MOST_DEPTH} deep")
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for each in inner:
        if isinstance(each, dict | list):
            _shallow(each, depth + 1)
    return value


def _loads(text: str) -> dict[str, object]:
    """tomli is three times as fast as Python's own, and lets no other thread run meanwhile.

    It also knows TOML 1.1, and has the last word on what is valid.
    """
    if len(text) > LONG:
        with suppress(ValueError, RecursionError):
            return tomllib.loads(text)
    return tomli.loads(text)


def read_text(path: Path, max_bytes: int) -> str:
    """A UTF-8 file with its line ends as `\\n` and without a byte order mark.

    Raises: ConfigurationError where it is missing, unreadable, too large or not UTF-8.
    """
    try:
        if not path.is_file():
            what = "is no regular file" if path.exists() else "no such file"
            raise ConfigurationError(f"{path}: {what}")
        with path.open("rb") as file:
            content = file.read(max_bytes + 1)
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from error
    if len(content) > max_bytes:
        raise ConfigurationError(f"{path}: larger than {max_bytes // 1024} KiB")
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            f"{path}: is not UTF-8 at byte {error.start}; save it as UTF-8"
        ) from error


def whole_path(folder: Path, path: str, source: object) -> Path:
    """Relative paths start at `folder`; `~` is the user's home. `source` is what says so.

    Raises: ConfigurationError for what is no path.
    """
    try:
        return (folder / Path(path).expanduser()).resolve()
    except (ValueError, RuntimeError, OSError) as error:  # NUL; ~nobody; links in a ring.
        raise ConfigurationError(f"{source}: {path!r} is no path: {error}") from error


def lines_of(text: str) -> dict[Place, int]:
    """Line of each table header and of each key at the start of a line; good enough for errors."""
    lines: dict[Place, int] = {}
    counts: dict[Place, int] = {}
    table: Place = ()
    plain = MULTILINE.sub(lambda found: '""' + "\n" * found[0].count("\n"), text)
    for number, line in enumerate(plain.splitlines(), start=1):
        if header := HEADER.match(line):
            table = _table_place(header[2], header[1] == "[[", counts)
            lines.setdefault(table, number)
        elif key := KEY.match(line):
            names = re.split(r"\s*\.\s*", key[0].rstrip("= \t").strip())
            place = table
            for name in names:
                place = (*place, name.strip("\"'"))
                lines.setdefault(place, number)
    return lines


def _table_place(name: str, repeated: bool, counts: dict[Place, int]) -> Place:
    """`[[tools]]` opens the next element; `[tools.limits]` belongs to the last one."""
    place: Place = ()
    parts = [part.strip("\"'") for part in PART.findall(name)]
    for depth, part in enumerate(parts, start=1):
        place = (*place, part)
        if repeated and depth == len(parts):
            counts[place] = counts.get(place, -1) + 1
        if place in counts:
            place = (*place, counts[place])
    return place


def _table(data: object) -> dict[str, object]:
    if not isinstance(data, dict):
        raise ValueError("expected an object")
    return {str(key): _without_nulls(value) for key, value in data.items() if value is not None}


def _without_nulls(value: object) -> object:
    """A null is the same as a key left out: TOML has none."""
    return _table(value) if isinstance(value, dict) else value
