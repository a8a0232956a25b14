"""Where a change can change what the tool files say: the folders to watch, and names in them.

A path is looked at link by link, so that a link that is set anew, in any folder on the way, is
seen as well as a write. Where a folder is missing, the one that it would be in is watched.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from loki.core.run.manifest import SUFFIX

MOST_LINKS = 40  # Source: path_resolution(7).
COARSE_NS = 20_000_000
"""A file's times are the kernel's ticks, of 10 ms at most."""
SCRIPTS = f"*{SUFFIX}"
"""Among names: all scripts of the folder."""

Step = tuple[str, str]
"""A folder, and a name in it."""
Mark = tuple[int, int, int, int, int]
"""What tells one content of a file, link or folder from another one."""


def concerns(names: Iterable[str], name: str) -> bool:
    """Whether a change of that entry of a folder matters; "" is the folder itself."""
    return not name or name in names or (SCRIPTS in names and name.endswith(SUFFIX))


def vantages(paths: Iterable[Path], folder: Path | None = None) -> dict[str, frozenset[str]]:
    """The folders that decide what these paths, and the scripts that lie in `folder`, are."""
    found: dict[str, set[str]] = {}
    parents: dict[str, tuple[str | None, list[Step]]] = {}
    for path in (*paths, *((folder / SCRIPTS,) if folder else ())):
        parent, name = os.path.split(os.path.abspath(path))
        if parent not in parents:
            parents[parent] = _folder(parent)
            for at, entry in parents[parent][1]:
                found.setdefault(at, set()).add(entry)
        real = parents[parent][0]
        for at, entry in _walk(real, [name]) if real is not None else ():
            found.setdefault(at, set()).add(entry)
    return {at: frozenset(names) for at, names in found.items()}


def _folder(path: str) -> tuple[str | None, list[Step]]:
    """Where a folder really is, None where it is not; and the steps that decide it."""
    steps = list(_walk("/", Path(path).parts[1:]))
    real = os.path.realpath(path)
    return (real if os.path.isdir(real) else None), steps


def _walk(at: str, names: Iterable[str]) -> Iterator[Step]:
    """Each link on the way, and what the way ends at or breaks off at."""
    ahead = list(names)[::-1]
    links = 0
    while ahead and links <= MOST_LINKS:
        name = ahead.pop()
        entry = os.path.join(at, name)
        if name == "..":
            at = os.path.dirname(at)
        elif (target := _target(entry)) is not None:
            yield at, name
            links += 1
            parts = Path(target).parts
            at, parts = ("/", parts[1:]) if parts[:1] == ("/",) else (at, parts)
            ahead.extend(parts[::-1])
        elif not ahead or not os.path.isdir(entry):
            yield at, name
            return
        else:
            at = entry


def _target(entry: str) -> str | None:
    try:
        return os.readlink(entry)
    except OSError:
        return None


def marks(places: Mapping[str, frozenset[str]]) -> dict[Step, Mark]:
    """What lies at these places now; what is not there has no mark."""
    found = {}
    for at, names in places.items():
        listed = _scripts(at) if SCRIPTS in names else ()
        for name in (*names.difference((SCRIPTS,)), *listed):
            try:
                seen = os.lstat(os.path.join(at, name))
            except OSError:
                continue
            found[at, name] = (
                seen.st_dev,
                seen.st_ino,
                seen.st_size,
                seen.st_mtime_ns,
                seen.st_ctime_ns,
            )
    return found


def changed_since(places: Mapping[str, frozenset[str]], time_ns: int) -> bool:
    """Whether anything there may have changed since that time, or have gone."""
    found = marks(places)
    changed_ns = [mark[-1] for mark in found.values()]
    for at, names in places.items():
        if any((at, name) not in found for name in names if name != SCRIPTS) and os.path.isdir(at):
            changed_ns.append(os.stat(at).st_ctime_ns)
    return any(each_ns > time_ns - COARSE_NS for each_ns in changed_ns)


def _scripts(at: str) -> list[str]:
    try:
        return [name for name in os.listdir(at) if name.endswith(SUFFIX)]
    except OSError:
        return []
