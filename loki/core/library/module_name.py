"""Names of Lua modules: which files they mean, and what is said of those that mean none."""

import re
from collections.abc import Iterable
from pathlib import PurePosixPath

from loki.core.name import suggest
from loki.errors import ErrorCode, InvalidArgument, LokiError

LONGEST = 200
SHOWN = 60  # Characters of a bad name that an error quotes.
PART = r"[A-Za-z_][A-Za-z0-9_-]*"
NAME = re.compile(rf"{PART}(?:\.{PART})*")


def files_of(name: str) -> tuple[PurePosixPath, PurePosixPath]:
    """Where `require(name)` looks, from the scripts folder: a file, then a folder's own.

    Raises: InvalidArgument for what is no name, with the one that was meant where that is clear.
    """
    if len(name) > LONGEST or not NAME.fullmatch(name) or name.endswith(".lua"):
        raise InvalidArgument(f"require: {_complaint(name[:SHOWN])}", details={"field": "name"})
    path = PurePosixPath(*name.split("."))
    return path.with_name(f"{path.name}.lua"), path / "init.lua"


def _complaint(name: str) -> str:
    if ".." in name or name.startswith(("/", "~", "\\")):
        return f"'{name}' leads out of the scripts folder; modules are files in it"
    meant = name.removesuffix(".lua").removeprefix("./").replace("\\", "/").replace("/", ".")
    if meant != name and NAME.fullmatch(meant):
        return f"'{name}' is no module name; write require \"{meant}\""
    return (
        f"'{name}' is no module name; it has a-z, A-Z, 0-9, _ and -, no digit or - first, "
        "and a dot between a folder and what is in it"
    )


def name_of(file: PurePosixPath) -> str:
    """The name of a file of the scripts folder, or "" where none leads to it."""
    path = file.parent if file.name == "init.lua" else file.with_suffix("")
    name = ".".join(path.parts)
    return name if file.suffix == ".lua" and NAME.fullmatch(name) else ""


def missing(name: str, known: Iterable[str]) -> LokiError:
    """What is said where none of `files_of(name)` is there."""
    file, folder = files_of(name)
    return LokiError(
        f"there is no module '{name}': neither {file} nor {folder} is in the scripts folder"
        f"{suggest(name, known)}",
        code=ErrorCode.NOT_FOUND,
        details={"module": name},
    )
