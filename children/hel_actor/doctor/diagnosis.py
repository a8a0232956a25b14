"""What follows from what was observed of Hel's data: findings, from facts alone."""

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from hel_actor.quota.recount import Counter, Miscount
from hel_actor.series.description import ARRAYS
from loki.child import Finding, Need

MOST_NAMED = 5
MOST_DAMAGED = 100
RESTORE = "restore a backup (`loki restore`)"


@dataclass(frozen=True, slots=True)
class RegisteredScript:
    """A script in the database; `current` is "" for one that was removed."""

    name: str
    current: str
    revisions: int
    has_current: bool  # Whether there is a row of the current revision.


@dataclass(frozen=True, slots=True)
class HistoryFacts:
    """How many executions are kept, how many bytes of long results, and how many may be."""

    rows: int
    most_rows: int
    size_bytes: int
    most_bytes: int


@dataclass(frozen=True, slots=True)
class DatabaseFacts:
    """The file. Where `error` says why it cannot be read, the rest is not known."""

    size_bytes: int = 0
    exists: bool = True
    error: str = ""
    problems: tuple[str, ...] = ()  # As SQLite's check tells them.
    version: int = 0
    known_version: int = 0
    strange_tables: bool = False
    undecodable: tuple[str, ...] = ()
    scripts: tuple[RegisteredScript, ...] = ()
    usage_bytes: tuple[tuple[str, int], ...] = ()  # By namespace, as counted.
    miscounts: tuple[Miscount, ...] = ()
    history: HistoryFacts | None = None
    removed: frozenset[str] = frozenset()  # Marks of series whose files go when Loki runs.


@dataclass(frozen=True, slots=True)
class SeriesFacts:
    """A series as the database has it: bytes of each chunk by number, from `dropped` on."""

    namespace: str
    name: str
    mark: str
    dropped: int
    chunks: int
    size_bytes: Mapping[int, int]
    chunk_rows: int = 0
    spans_ns: Mapping[int, tuple[int, int]] = field(default_factory=dict)  # Oldest and newest row.
    waiting: int = 0  # Rows that are in no file yet.
    unsound: tuple[str, ...] = ()  # Those of them that are damaged, up to a bound.
    is_undescribed: bool = False  # Whether its attributes are damaged.


@dataclass(frozen=True, slots=True)
class GroupFacts:
    """A group of files: bytes by array and number in the group, counted from `first`."""

    mark: str | None  # None where it does not say whose it is.
    first: int | None
    size_bytes: Mapping[str, Mapping[int, int]] = field(default_factory=dict)
    partials: int = 0


@dataclass(frozen=True, slots=True)
class DamagedContents:
    """A chunk that has files of the right lengths, which are not what was written."""

    subject: str
    number: int
    first: str  # The times of its rows, UTC.
    last: str
    text: str  # Which file, and why.


@dataclass(frozen=True, slots=True)
class JailFacts:
    """The files of scripts: bytes by script, what is none of theirs, and what is unfinished."""

    size_bytes: Mapping[str, int] = field(default_factory=dict)
    odd: tuple[tuple[str, str], ...] = ()  # Path, and what it is.
    unfinished: tuple[str, ...] = ()  # Names.
    closed: Mapping[str, str] = field(default_factory=dict)  # What cannot be used -> why, or "".


@dataclass(frozen=True, slots=True)
class Aside:
    """What a restore replaced, and kept: a folder."""

    name: str
    path: str
    size_bytes: int
    age_days: int | None  # None where its name does not tell.


@dataclass(frozen=True, slots=True)
class Leftovers:
    """What lies beside the data: bytes by name, and whether a restore was decided on."""

    damaged: Mapping[str, int] = field(default_factory=dict)
    before_restore: tuple[Aside, ...] = ()
    restore_decided: bool = False
    restore_trouble: str = ""  # Why it cannot be brought to its end.
    restore_undecided: bool = False
    backup: bool = False
    copy: bool = False


def of_database(facts: DatabaseFacts, *, has_series: bool) -> Iterator[Finding]:
    """`has_series` says whether there are files of series, which no database is without."""
    subject = "hel.sqlite"
    if not facts.exists and has_series:
        yield Finding(Need.PERSON, subject, "is missing, though series/ has data", RESTORE)
        return
    if not facts.exists:
        yield Finding(Need.NOBODY, subject, "is not there yet; Loki makes it")
        return
    if facts.error:
        remedy = f"look at the disk; {RESTORE} if it is damaged"
        yield Finding(Need.PERSON, subject, f"cannot be read: {facts.error}", remedy)
        return
    if facts.problems:
        remedy = f"{RESTORE}; the next start keeps the file aside and begins with an empty one"
        text = f"is damaged: {_some(facts.problems)}"
        yield Finding(Need.PERSON, subject, text, remedy)
    yield _version(subject, facts)
    if facts.strange_tables:
        yield Finding(Need.PERSON, subject, "its tables are not those of Loki", RESTORE)
    if facts.undecodable:
        text = f"{len(facts.undecodable)} rows cannot be read: {_some(facts.undecodable)}"
        remedy = f"store them anew, remove them (hel:storage_remove), or {RESTORE}"
        yield Finding(Need.PERSON, subject, text, remedy)
    yield from _scripts(facts.scripts)
    yield from _usage(facts)
    if facts.history is not None:
        yield _history(facts.history)


def _version(subject: str, facts: DatabaseFacts) -> Finding:
    text = f"{_mb(facts.size_bytes)}, schema {facts.version}"
    if facts.version > facts.known_version:
        return Finding(
            Need.PERSON,
            subject,
            f"{text}; a newer Loki wrote it, and this one knows {facts.known_version}",
            f"install that version again, or {RESTORE}",
        )
    if facts.version < facts.known_version:
        remedy = f"the next start brings it to schema {facts.known_version}"
        return Finding(Need.ITSELF, subject, text, remedy)
    return Finding(Need.NOBODY, subject, text)


def _scripts(scripts: Sequence[RegisteredScript]) -> Iterator[Finding]:
    current = [each for each in scripts if each.current]
    if current:
        named = ", ".join(f"{each.name} ({each.current}, {each.revisions})" for each in current)
        text = f"{len(current)} (name, current revision, how many are kept): {named}"
        yield Finding(Need.NOBODY, "registered scripts", text)
    for each in current:
        if not each.has_current:
            text = f"its current revision {each.current} is missing: it is not served"
            yield Finding(Need.PERSON, f"script {each.name}", text, "register it again")


def _usage(facts: DatabaseFacts) -> Iterator[Finding]:
    """Of the counts that quotas go by; those of files are made anew at each start."""
    for each in facts.miscounts:
        subject = f"usage of {each.namespace}"
        if each.series:
            subject = f"series {each.namespace}/{each.series}"
        what = "rows" if each.counter is Counter.WAITING else "writes"
        text = f"{each.counted:,} {each.counter.value} are counted, and there are {each.found:,}"
        too = "refused too early" if each.counted > each.found else "taken beyond the limit"
        remedy = f"the next start counts anew; until then {what} may be {too}"
        yield Finding(Need.ITSELF, subject, text, remedy)
    if not facts.miscounts:
        for namespace, size_bytes in sorted(facts.usage_bytes):
            text = f"{_mb(size_bytes)} of values and series, counted anew and right"
            yield Finding(Need.NOBODY, f"usage of {namespace}", text)


def _history(facts: HistoryFacts) -> Finding:
    text = (
        f"{facts.rows} executions of {facts.most_rows} at most, "
        f"{_mb(facts.size_bytes)} of {_mb(facts.most_bytes)} of long results"
    )
    if facts.rows > facts.most_rows or facts.size_bytes > facts.most_bytes:
        return Finding(Need.ITSELF, "history", text, "the oldest go when Loki runs")
    return Finding(Need.NOBODY, "history", text)


def of_series(
    known: Iterable[SeriesFacts], groups: Mapping[tuple[str, str], GroupFacts]
) -> Iterator[Finding]:
    """`groups` are by namespace and name, those that were kept aside too."""
    rest, count = dict(groups), 0
    for series in known:
        count += 1
        yield from _one_series(series, rest.pop((series.namespace, series.name), None))
    for (namespace, name), group in sorted(rest.items()):
        subject = f"series/{namespace}/{name}"
        if "~" in name:
            text, remedy = "was kept aside", "remove it when nobody needs it"
        else:
            text = "the database has no such series"
            remedy = f"{RESTORE} if rows are missing; zarr reads these; else move it away"
        chunks = max((len(numbers) for numbers in group.size_bytes.values()), default=0)
        yield Finding(Need.PERSON, subject, f"{text}; it has {chunks} chunks", remedy)
    yield Finding(Need.NOBODY, "series", f"{count} of them")


def _one_series(series: SeriesFacts, group: GroupFacts | None) -> Iterator[Finding]:
    subject = f"series/{series.namespace}/{series.name}"
    filed = series.chunks - series.dropped
    if series.is_undescribed:
        remedy = f"describe it anew (hel:series_describe), or {RESTORE}"
        yield Finding(Need.PERSON, subject, "its attributes are damaged", remedy)
    if series.unsound:
        text = (
            f"{len(series.unsound)} rows that wait for files are damaged: {_some(series.unsound)}"
        )
        remedy = f"let them go with all that is older (hel:series_trim), or {RESTORE}"
        yield Finding(Need.PERSON, subject, text, remedy)
    if group is None:
        if filed:
            text = f"its files are gone, with {filed} chunks of rows"
            yield Finding(Need.PERSON, subject, text, RESTORE)
        return
    if group.partials:
        text = f"{group.partials} unfinished files"
        yield Finding(Need.ITSELF, subject, text, "they go when it is used next")
    if group.mark is not None and group.mark != series.mark:
        remedy = f"they are kept aside when it is used next; {RESTORE} for its own"
        text = f"its files are of another series, and {filed} chunks of its own are missing"
        yield Finding(Need.PERSON, subject, text, remedy)
        return
    if group.mark is None and filed:
        text = "its files do not say whose they are"
        yield Finding(Need.ITSELF, subject, text, "they are described anew when it is used next")
    yield from _chunks(subject, series, group)


def _chunks(subject: str, series: SeriesFacts, group: GroupFacts) -> Iterator[Finding]:
    first = series.dropped if group.first is None else group.first
    if first > series.dropped:
        text = f"its files begin at chunk {first}; the database is older, with {series.dropped}"
        yield Finding(Need.PERSON, subject, text, f"{RESTORE} of both together")
        return
    if first < series.dropped:
        text = f"{series.dropped - first} old chunks are forgotten, and still there"
        yield Finding(Need.ITSELF, subject, text, "they go when it is used next")
    files = _files(series, group)
    missing = [str(number) for number, state in files.items() if state is _Files.MISSING]
    wrong = [str(number) for number, state in files.items() if state is _Files.WRONG]
    if missing:
        text = f"{len(missing)} chunks miss files: {_some(missing)}"
        yield Finding(Need.PERSON, subject, text, f"{RESTORE}; until then they cannot be read")
    if wrong:
        text = f"{len(wrong)} chunks are not as long as they were written: {_some(wrong)}"
        yield Finding(Need.PERSON, subject, text, f"{RESTORE}; until then they cannot be read")
    beyond = _beyond(group, series.chunks - first)
    if beyond // len(ARRAYS) * series.chunk_rows > series.waiting:
        text = (
            f"{beyond // len(ARRAYS)} chunks are newer than the database, which does not know them"
        )
        remedy = f"they are kept aside when it is used next; {RESTORE} of both together"
        yield Finding(Need.PERSON, subject, text, remedy)
    elif beyond:
        text = f"{beyond} files of chunks that never came to be, from {series.chunks} on"
        yield Finding(Need.ITSELF, subject, text, "they go when it is used next")


class _Files(Enum):
    """How the files of one chunk fare, by their lengths."""

    SOUND = "sound"
    MISSING = "missing"
    WRONG = "wrong"


def _files(series: SeriesFacts, group: GroupFacts) -> dict[int, _Files]:
    first = series.dropped if group.first is None else group.first
    found = {}
    for number in range(series.dropped, series.chunks):
        sizes = [group.size_bytes.get(array, {}).get(number - first) for array in ARRAYS]
        if None in sizes:
            found[number] = _Files.MISSING
        else:
            right = sum(size or 0 for size in sizes) == series.size_bytes.get(number)
            found[number] = _Files.SOUND if right else _Files.WRONG
    return found


def to_verify(series: SeriesFacts, group: GroupFacts) -> tuple[int, ...]:
    """The chunks whose contents are worth a look: all else is told of their files already."""
    if group.mark not in (None, series.mark) or (group.first or 0) > series.dropped:
        return ()
    return tuple(n for n, state in _files(series, group).items() if state is _Files.SOUND)


def of_contents(checked: int, damaged: Sequence[DamagedContents]) -> Iterator[Finding]:
    """`checked` chunks were read; what is told of each damaged one, up to a bound."""
    for each in damaged[:MOST_DAMAGED]:
        text = f"{each.text} (chunk {each.number}, rows from {each.first} to {each.last})"
        remedy = f"{RESTORE}; until then these rows cannot be read, and all others can"
        yield Finding(Need.PERSON, each.subject, text, remedy)
    if len(damaged) > MOST_DAMAGED:
        text = f"{len(damaged) - MOST_DAMAGED} more chunks are damaged"
        yield Finding(Need.PERSON, "series", text, RESTORE)
    text = f"the contents of {checked - len(damaged):,} of {checked:,} chunks are as written"
    yield Finding(Need.NOBODY, "series", text)


def _beyond(group: GroupFacts, end: int) -> int:
    return sum(number >= end for numbers in group.size_bytes.values() for number in numbers)


def of_odd(odd: Iterable[tuple[str, str]]) -> Iterator[Finding]:
    """`odd` are paths among the files of series, and what is there."""
    for path, what in odd:
        remedy = "move it away when nobody needs it; rows that are missing come with a backup"
        yield Finding(Need.PERSON, f"series/{path}".rstrip("/"), what, remedy)


def of_jail(facts: JailFacts) -> Iterator[Finding]:
    for name, why in facts.closed.items():
        if why:
            remedy = "let Loki's user have it, or move it away: Loki makes a new one"
            subject = f"files/{name}".rstrip("/")
            yield Finding(Need.PERSON, subject, f"{why}: scripts have no files", remedy)
    for path, what in facts.odd:
        text = f"is {what}, which no script can use"
        yield Finding(Need.PERSON, f"files/{path}", text, "remove it, or put a plain file there")
    if facts.unfinished:
        text = f"{len(facts.unfinished)} unfinished files: {_some(facts.unfinished)}"
        yield Finding(Need.ITSELF, "files/.unfinished", text, "the next start removes them")
    for script, size_bytes in sorted(facts.size_bytes.items()):
        yield Finding(Need.NOBODY, f"files/{script}", _mb(size_bytes))


def of_leftovers(facts: Leftovers) -> Iterator[Finding]:
    for name, size_bytes in sorted(facts.damaged.items()):
        text = f"a damaged database that was kept aside, {_mb(size_bytes)}"
        yield Finding(Need.PERSON, name, text, "look what can be saved, then remove it")
    for aside in facts.before_restore:
        age = "" if aside.age_days is None else f", {_days(aside.age_days)}"
        text = f"the data before a restore, {_mb(aside.size_bytes)}{age}"
        remedy = f"when nobody needs it: rm -r {shlex.quote(aside.path)}"
        yield Finding(Need.HINT, aside.name, text, remedy)
    if facts.restore_trouble:
        text = (
            f"a restore was decided on, and cannot be brought to its end: {facts.restore_trouble}"
        )
        remedy = "Hel does not start like this: move .restore away, and restore the backup again"
        yield Finding(Need.PERSON, ".restore", text, remedy)
    elif facts.restore_decided:
        text = "a restore was interrupted after it was decided on"
        yield Finding(Need.ITSELF, ".restore", text, "the next start brings it to its end")
    for name, there, what in (
        (".restore.partial", facts.restore_undecided, "a restore"),
        (".backup", facts.backup, "a backup"),
        ("hel.sqlite.copy", facts.copy, "the recovery of the database"),
    ):
        if there:
            text = f"left by {what} that was interrupted, unless one is under way"
            yield Finding(Need.ITSELF, name, text, "the next start removes it")


def _some(texts: Sequence[str]) -> str:
    more = len(texts) - MOST_NAMED
    return ", ".join(texts[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _days(days: int) -> str:
    return "of today" if days == 0 else f"{days} day{'s' * (days > 1)} old"


def _mb(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.1f} MB"
