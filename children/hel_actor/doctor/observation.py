"""Looks at Hel's data without changing anything, beside a running Hel too: facts, no opinions."""

import os
import sqlite3
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from hel_actor import plain_file
from hel_actor.backup.snapshot import STAGING
from hel_actor.backup.swap import ASIDE, DECIDED, UNDECIDED, decided, time_of
from hel_actor.database.migration import version_of
from hel_actor.doctor.diagnosis import (
    Aside,
    DatabaseFacts,
    GroupFacts,
    HistoryFacts,
    JailFacts,
    Leftovers,
    RegisteredScript,
    SeriesFacts,
)
from hel_actor.doctor.oddity import unusable
from hel_actor.file import resolver, tree
from hel_actor.file.jail import UNFINISHED
from hel_actor.quota import recount, usage
from hel_actor.schema import MIGRATIONS
from hel_actor.series import attribute, description, journal, removal
from hel_actor.series.description import ARRAYS, Description
from hel_actor.series.moment import utc
from hel_actor.series.row import each_unsound
from hel_actor.series.series import MAX_NS, MIN_NS, Span
from hel_actor.soundness import shape, untrusted
from hel_actor.storage import PARTIAL
from hel_actor.system import history
from hel_actor.system.history import Bounds
from hel_actor.value.damage import reason, shown, text_of

EVERYTHING = Span(MIN_NS, MAX_NS)
MOST_ODD = 100


def database(
    path: Path, bounds: Bounds, *, deep: bool
) -> tuple[DatabaseFacts, tuple[SeriesFacts, ...]]:
    """The file, and the series that it knows."""
    if not os.path.lexists(path):
        return DatabaseFacts(exists=False), ()
    size_bytes = path.lstat().st_size
    log = path.with_name(f"{path.name}-wal")
    has_log = log.exists() and log.stat().st_size > 0
    try:
        # Without a log nobody writes, and SQLite must not make the files that go with one.
        with untrusted(path, "mode=ro" if has_log else "immutable=1") as connection:
            connection.execute("BEGIN")
            return _database(connection, size_bytes, bounds, deep)
    except (sqlite3.Error, OSError) as error:
        return DatabaseFacts(size_bytes, error=str(error)), ()


def _database(
    connection: sqlite3.Connection, size_bytes: int, bounds: Bounds, deep: bool
) -> tuple[DatabaseFacts, tuple[SeriesFacts, ...]]:
    version = version_of(connection)
    problems = _problems(connection, deep)
    if problems or version != len(MIGRATIONS):
        found = DatabaseFacts(
            size_bytes, problems=problems, version=version, known_version=len(MIGRATIONS)
        )
        return found, ()
    kept, used = history.stock(connection), usage.of_all(connection)
    facts = DatabaseFacts(
        size_bytes,
        version=version,
        known_version=len(MIGRATIONS),
        strange_tables=shape(connection) != shape(),
        undecodable=tuple(_undecodable(connection)),
        scripts=_scripts(connection),
        usage_bytes=tuple((name, each.size_bytes) for name, each in used.items()),
        miscounts=recount.look(connection),
        history=HistoryFacts(kept.rows, bounds.rows, kept.result_bytes, bounds.result_bytes),
        removed=frozenset(each.mark for each in removal.pending(connection)),
    )
    return facts, tuple(_series(connection))


def _problems(connection: sqlite3.Connection, deep: bool) -> tuple[str, ...]:
    check = "integrity_check" if deep else "quick_check"
    rows = connection.execute(f"PRAGMA {check}(10)").fetchall()
    return tuple(text for (text,) in rows if text != "ok")


def _undecodable(connection: sqlite3.Connection) -> Iterator[str]:
    """Rows whose content is no packed value any more, and values whose key is none."""
    values = connection.execute(
        "SELECT CAST(namespace AS BLOB), CAST(key AS BLOB), typeof(key) = 'blob', "
        "CASE typeof(value) WHEN 'blob' THEN value END FROM keyvalue"
    )
    for name, key, is_key, value in values:
        if not is_key or text_of(key) is None or text_of(name) is None:
            yield f"key {key!r} of {shown(name)}"
        if reason(value):
            yield f"value {key!r} of {shown(name)}"
    revisions = connection.execute("SELECT name, revision, content FROM script_revision")
    yield from (f"script {name} {each}" for name, each, text in revisions if not _decodes(text))
    ends = connection.execute("SELECT id, told FROM execution WHERE told <> x''")
    yield from (f"execution {each}" for each, told in ends if not _decodes(told))


def _decodes(packed: bytes) -> bool:
    try:
        msgspec.msgpack.decode(packed, type=msgspec.Raw)
    except (msgspec.MsgspecError, TypeError):
        return False
    return True


def _scripts(connection: sqlite3.Connection) -> tuple[RegisteredScript, ...]:
    rows = connection.execute(
        "SELECT name, coalesce(current, ''), (SELECT count(*) FROM script_revision AS r "
        "WHERE r.name = script.name), EXISTS (SELECT 1 FROM script_revision AS r "
        "WHERE r.name = script.name AND r.revision = script.current) FROM script ORDER BY name"
    )
    return tuple(
        RegisteredScript(name, current, revisions, bool(there))
        for name, current, revisions, there in rows
    )


def _series(connection: sqlite3.Connection) -> Iterator[SeriesFacts]:
    names = connection.execute("SELECT namespace, name FROM series ORDER BY 1, 2").fetchall()
    for namespace, name in names:
        known = journal.find(connection, namespace, name)
        if known is not None:
            chunks = journal.chunks(connection, known, EVERYTHING)
            yield SeriesFacts(
                namespace,
                name,
                known.mark,
                known.dropped,
                known.chunks,
                {each.number: each.size_bytes for each in chunks},
                known.chunk_rows,
                {each.number: (each.oldest_ns, each.newest_ns) for each in chunks},
                known.waiting,
                tuple(_named(row, ns) for row, ns in each_unsound(connection, known.id, MOST_ODD)),
                attribute.read(known.attributes) is None,
            )


def _named(row: str, time_ns: int | None) -> str:
    return f"row {row} of {'an unknown time' if time_ns is None else utc(time_ns)}"


def groups(folder: Path) -> Mapping[tuple[str, str], GroupFacts]:
    """Every group of files beneath the folder of the series, by namespace and name."""
    return {
        (namespace.name, group.name): _group(group)
        for namespace in _folders(folder)
        for group in _folders(namespace)
    }


def _folders(folder: Path) -> list[Path]:
    if not folder.is_dir() or unusable(folder):
        return []
    return sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))


def _group(folder: Path) -> GroupFacts:
    found = _description(folder)
    partials = sum(name.endswith(PARTIAL) for _, _, names in os.walk(folder) for name in names)
    partials += folder.with_name(f".{folder.name}{PARTIAL}").exists()
    sizes = {array: dict(_numbered(folder / array / "c")) for array in ARRAYS}
    return GroupFacts(found.mark, found.dropped, sizes, partials)


def _description(folder: Path) -> Description:
    try:
        return description.read(folder)
    except OSError:
        return Description()


def _numbered(folder: Path) -> Iterator[tuple[int, int]]:
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.name.isascii() and path.name.isdigit():
            with suppress(FileNotFoundError):
                status = path.lstat()
                if stat.S_ISREG(status.st_mode):
                    yield int(path.name), status.st_size


def jail(folder: Path) -> JailFacts:
    sizes: dict[str, int] = {}
    odd: list[tuple[str, str]] = []
    for entry in _entries(folder):
        path, status = os.fsdecode(entry.path), entry.status
        script, _, inside = path.partition("/")
        if script == UNFINISHED:
            continue
        if kind := _kind(status, top=not inside):
            odd.append((ascii(path)[1:-1], kind))
        else:
            size_bytes = status.st_size if stat.S_ISREG(status.st_mode) else 0
            sizes[script] = sizes.get(script, 0) + size_bytes
    unfinished = folder / UNFINISHED
    usable = unfinished.is_dir() and not unusable(unfinished)
    names = sorted(map(ascii, os.listdir(unfinished))) if usable else []
    closed = {name: unusable(folder / name) for name in ("", UNFINISHED)}
    return JailFacts(sizes, tuple(odd[:MOST_ODD]), tuple(names), closed)


def _kind(status: os.stat_result, *, top: bool) -> str:
    """What it is that no script can use; "" for a file or folder of a script."""
    if stat.S_ISDIR(status.st_mode):
        return ""
    if stat.S_ISREG(status.st_mode):
        if top:
            return "a file outside of every script's folder"
        return "a file with more than one hard link" if status.st_nlink != 1 else ""
    return plain_file.kind(status.st_mode)


def _entries(folder: Path) -> Iterator[tree.Entry]:
    """All beneath a folder, links unfollowed, also at paths too long for the kernel."""
    if folder.is_dir() and not unusable(folder):
        root = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            yield from tree.walk(resolver.walk, root)
        finally:
            os.close(root)


def leftovers(state: Path) -> Leftovers:
    names = {path.name: path for path in state.iterdir()}
    return Leftovers(
        damaged={
            name: path.lstat().st_size
            for name, path in names.items()
            if name.startswith("hel.sqlite.damaged-") and not name.endswith(("-wal", "-shm"))
        },
        before_restore=tuple(
            Aside(name, str(path), _size_bytes(path), _age_days(name))
            for name, path in sorted(names.items())
            if name.startswith(ASIDE)
        ),
        restore_decided=DECIDED in names,
        restore_trouble=_restore_trouble(state),
        restore_undecided=UNDECIDED in names,
        backup=STAGING in names,
        copy="hel.sqlite.copy" in names,
    )


def _restore_trouble(state: Path) -> str:
    try:
        decided(state)
    except (OSError, msgspec.MsgspecError) as error:
        return error.strerror or "" if isinstance(error, OSError) else str(error)
    return ""


def _age_days(aside: str) -> int | None:
    time = time_of(aside)
    return None if time is None else max(0, (datetime.now(UTC) - time).days)


def _size_bytes(folder: Path) -> int:
    sizes = (each.status for each in _entries(folder))
    return sum(status.st_size for status in sizes if not stat.S_ISDIR(status.st_mode))
