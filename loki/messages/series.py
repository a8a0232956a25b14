"""Gateway and the child that keeps data, about the time series of all scripts.

Times are nanoseconds since 1970, UTC. Columns are packed, little-endian, eight bytes a number.
"""

from typing import TypeAlias

import msgspec

from loki.messages.envelope import Change, Message, Request

Attribute: TypeAlias = bool | int | float | str

MIN_NS, MAX_NS = -(2**63), 2**63 - 1
"""No bound; no row has these times."""


class SeriesEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One series."""

    script: str  # Whose it is.
    name: str
    rows: int
    oldest_ns: int | None  # Of the first row; None without rows.
    newest_ns: int | None
    size_bytes: int  # Of its files; rows that do not fill a chunk yet are not counted.
    attributes: dict[str, Attribute]


class SeriesPage(Message):
    """By script and name."""

    series: tuple[SeriesEntry, ...]
    next_page: str = ""  # "" is the last page.


class ListAllSeries(Request[SeriesPage]):
    """Gateway -> keeper: a page of all series."""

    script: str = "*"  # A glob over names of scripts.
    name: str = "*"  # A glob over names of series.
    page_size: int = 100
    page: str = ""  # The `next_page` of the page before.


class RowsRead(Message):
    """Some rows in the order of time, as columns."""

    times_ns: bytes
    values: bytes  # Doubles.
    qualities: bytes  # One byte each.
    next: "ReadRows | None" = None  # What asks for more; None where there are no more.


class ReadRows(Request[RowsRead]):
    """Gateway -> keeper: the rows from one time on and before another, a block at a time."""

    script: str
    name: str
    timeout_s: float  # How long the caller waits for this block.
    start_ns: int = MIN_NS
    end_ns: int = MAX_NS
    limit: int | None = None  # Rows of all blocks together; None is no limit.
    newest: bool = False  # Whether the limit leaves the newest rows; else the oldest.
    skip: int = 0  # Rows of just `start_ns` that earlier blocks had.
    mark: str = ""  # Of the series that these were of: another one of that name is none of it.


class SeriesErased(Message):
    """What went."""

    rows: int


class EraseSeries(Change[SeriesErased]):
    """Gateway -> keeper: let a series be no more, with all its rows; NOT_FOUND without one."""

    script: str
    name: str
    principal: str = ""  # Who wants it, for the log.


class WindowsAggregated(Message):
    """The windows that have rows, in the order of time, as columns."""

    starts_ns: bytes
    values: bytes  # Doubles.
    counts: bytes  # Rows of each window.


class AggregateRows(Request[WindowsAggregated]):
    """Gateway -> keeper: one number for each window of a series."""

    script: str
    name: str
    timeout_s: float  # How long the caller waits.
    start_ns: int = MIN_NS
    end_ns: int = MAX_NS
    statistic: str = "mean"
    every_s: float | None = None  # None is one window.
