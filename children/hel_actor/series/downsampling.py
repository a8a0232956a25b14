"""What is noted in the database of series that are made of finer ones, and how rows get there.

Theory of operation: a rule names a source, a target, a length of windows and a statistic; windows
begin at multiples of the length since 1970. A window is complete when the source has a row that is
younger than its end by the time that rows may be late, and not of the future. The numbers of
complete windows become rows of the target in the transaction that notes how far the rule has come,
and only where it had come as far as whoever computed them found: so each window is in the target
once, whatever was killed, failed or ran twice meanwhile. What comes later than allowed changes no
number that is there. A window whose edges 64 bits cannot say, or whose number is not finite, has no
row.

Every function runs inside a transaction; none raises for what it may expect.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, fields

from hel_actor.series import journal, series, window
from hel_actor.series.journal import Appended, Batch, Quota, Row
from loki.errors import InvalidArgument, LokiError, ResourceLimitExceeded

MOST_RULES = 8
"""Of one source."""


@dataclass(frozen=True, slots=True)
class Rule:
    """The windows that end at `done_ns` or before are in the target."""

    source: int
    target: int
    every_ns: int
    statistic: str
    done_ns: int = series.MIN_NS


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a script declares."""

    into: str
    every_ns: int
    statistic: str


_SELECT = (
    f"SELECT {', '.join(field.name for field in fields(Rule))} "  # noqa: S608  # Our own names.
    "FROM series_downsampling "
)


def rules(connection: sqlite3.Connection, source: int) -> tuple[Rule, ...]:
    """Those of one source."""
    rows = connection.execute(_SELECT + "WHERE source = ? ORDER BY target", (source,))
    return tuple(Rule(*row) for row in rows)


def sources(connection: sqlite3.Connection) -> tuple[int, ...]:
    """Of all rules."""
    rows = connection.execute("SELECT DISTINCT source FROM series_downsampling")
    return tuple(row[0] for row in rows)


def declare(
    connection: sqlite3.Connection, namespace: str, name: str, wanted: Wanted, quota: Quota
) -> Rule | LokiError:
    """Make a rule, or let the one with this target be so from now on; an error changed nothing.

    Both series are made where there is none.
    """
    if wanted.into == name:
        return _refusal("into", f"'{name}' cannot be made of itself")
    connection.execute("SAVEPOINT declare")
    result = _declare(connection, namespace, name, wanted, quota)
    if isinstance(result, LokiError):
        connection.execute("ROLLBACK TO declare")
    connection.execute("RELEASE declare")
    return result


def _declare(
    connection: sqlite3.Connection, namespace: str, name: str, wanted: Wanted, quota: Quota
) -> Rule | LokiError:
    source = journal.found_or_made(connection, namespace, name, quota)
    if isinstance(source, LokiError):
        return source
    target = journal.found_or_made(connection, namespace, wanted.into, quota)
    if isinstance(target, LokiError):
        return target
    there = _of_target(connection, target.id)
    if there is not None and there.source != source.id:
        other = journal.by_id(connection, there.source).name
        return _refusal("into", f"'{wanted.into}' is made of '{other}' already")
    if there is None and len(rules(connection, source.id)) >= MOST_RULES:
        return ResourceLimitExceeded(f"'{name}' has {MOST_RULES} coarser series; no more may be")
    if _leads_to(connection, target.id, source.id):
        return _refusal("into", f"'{name}' is made of '{wanted.into}', in the end")
    done_ns = series.MIN_NS if there is None else _again(there.done_ns, wanted.every_ns)
    rule = Rule(source.id, target.id, wanted.every_ns, wanted.statistic, done_ns)
    connection.execute(
        "INSERT OR REPLACE INTO series_downsampling VALUES (?, ?, ?, ?, ?)",
        (rule.source, rule.target, rule.every_ns, rule.statistic, rule.done_ns),
    )
    return rule


def end(connection: sqlite3.Connection, namespace: str, name: str, into: str) -> bool:
    """Whether there was such a rule; there is none any more. The target keeps its rows."""
    source, target = (journal.find(connection, namespace, each) for each in (name, into))
    if source is None or target is None:
        return False
    changed = connection.execute(
        "DELETE FROM series_downsampling WHERE source = ? AND target = ?", (source.id, target.id)
    )
    return changed.rowcount > 0


def carry_out(
    connection: sqlite3.Connection, rule: Rule, rows: Sequence[Row], done_ns: int
) -> Appended | LokiError | None:
    """Let the target have these rows, and the rule have come to `done_ns`.

    None, and nothing was done, where the rule is no longer as it was. An error changed nothing.
    """
    if _of_target(connection, rule.target) != rule:
        return None
    appended = journal.insert(connection, journal.by_id(connection, rule.target), Batch(rows))
    if not isinstance(appended, LokiError):
        connection.execute(
            "UPDATE series_downsampling SET done_ns = ? WHERE target = ?", (done_ns, rule.target)
        )
    return appended


def done_ns(connection: sqlite3.Connection, source: int) -> int:
    """Rows before that are in all coarser series; all rows where there is no such series."""
    (least,) = connection.execute(
        "SELECT min(done_ns) FROM series_downsampling WHERE source = ?", (source,)
    ).fetchone()
    return series.MAX_NS if least is None else int(least)


def _of_target(connection: sqlite3.Connection, target: int) -> Rule | None:
    found = connection.execute(_SELECT + "WHERE target = ?", (target,)).fetchone()
    return None if found is None else Rule(*found)


def _leads_to(connection: sqlite3.Connection, start: int, target: int) -> bool:
    """Whether `target` is made of `start`, perhaps by way of others."""
    (found,) = connection.execute(
        "WITH RECURSIVE made (id) AS (VALUES (?) UNION SELECT target FROM series_downsampling "
        "JOIN made ON source = made.id) SELECT count(*) FROM made WHERE id = ?",
        (start, target),
    ).fetchone()
    return bool(found)


def _again(done_ns: int, every_ns: int) -> int:
    """Where a rule goes on whose windows get that length."""
    return done_ns if done_ns == series.MIN_NS else window.edge_from(done_ns, every_ns)


def _refusal(field: str, text: str) -> InvalidArgument:
    return InvalidArgument(text, details={"field": field})
