"""What a script is told of a series as a whole."""

import sqlite3
from dataclasses import dataclass

from msgspec.structs import replace

from hel_actor.messages import CoarserSeries, SeriesSummary
from hel_actor.series import attribute, catalogue, damage, downsampling, journal, series
from hel_actor.series.query import Queries
from hel_actor.series.series import Span
from hel_actor.series.store import SeriesStore, existing
from hel_actor.turns import Steps
from loki.errors import ErrorCode, IoError
from loki.messages.value import pack


@dataclass(frozen=True, slots=True)
class _Found:
    """What the database knows; `mark` and `within` are of the rows that there are."""

    mark: str
    within: Span
    interval_s: float | None
    summary: SeriesSummary


def summarized(store: SeriesStore, namespace: str, name: str) -> Steps[SeriesSummary]:
    """All of one moment but `missing`, for which the times of all rows are read.

    Raises: IoError (NOT_FOUND; DATA_LOSS for damaged attributes); ServiceUnavailable after a stop.
    """
    found = store.look(lambda reader: _found(reader, namespace, name))
    if found.interval_s is None:
        return found.summary
    missing = yield from _missing(store, namespace, name, found.within, found.interval_s)
    if store.look(lambda reader: existing(reader, namespace, name)).mark != found.mark:
        raise journal.removed_meanwhile()
    return replace(found.summary, missing=missing)


def _missing(
    store: SeriesStore, namespace: str, name: str, within: Span, interval_s: float
) -> Steps[int | None]:
    """None where files cannot be read, as reading says: all else is known without them."""
    try:
        return (yield from Queries(store).missing(namespace, name, within, interval_s))
    except IoError as error:
        if error.code is ErrorCode.NOT_FOUND:
            raise
        return None


def _found(reader: sqlite3.Connection, namespace: str, name: str) -> _Found:
    known = existing(reader, namespace, name)
    entry = catalogue.entry(reader, known)
    attributes = attribute.read(known.attributes)
    if attributes is None:
        raise damage.told_attributes(f"{namespace}/{name}")
    summary = SeriesSummary(
        rows=entry.rows,
        oldest=_seconds(entry.oldest_ns),
        newest=_seconds(entry.newest_ns),
        size_bytes=entry.size_bytes,
        attributes=pack({**attributes}),
        downsampled=_coarser(reader, known),
    )
    return _Found(known.mark, _within(entry), series.regular_s(attributes), summary)


def _within(entry: catalogue.Entry) -> Span:
    if entry.oldest_ns is None or entry.newest_ns is None:
        return Span(0, 0)
    return Span(entry.oldest_ns, entry.newest_ns + 1)


def _coarser(reader: sqlite3.Connection, known: journal.Series) -> tuple[CoarserSeries, ...]:
    return tuple(
        CoarserSeries(
            into=journal.by_id(reader, rule.target).name,
            every_s=rule.every_ns / series.S_NS,
            statistic=rule.statistic,
            until=None if rule.done_ns == series.MIN_NS else series.seconds(rule.done_ns),
        )
        for rule in downsampling.rules(reader, known.id)
    )


def _seconds(time_ns: int | None) -> float | None:
    return None if time_ns is None else series.seconds(time_ns)
