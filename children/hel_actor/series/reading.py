"""What is wanted of a series, and what is found of it at one moment."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hel_actor.series import journal, series
from hel_actor.series.series import Chunk, Span

if TYPE_CHECKING:  # It brings numpy, which only the series' thread may import.
    from hel_actor.series.column import Columns, Ranks


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A series at one moment: its files' chunks, and the rows that wait, of the asked span."""

    series: journal.Series
    within: Span
    chunks: tuple[Chunk, ...]
    waiting: "Columns"


@dataclass(frozen=True, slots=True)
class Part:
    """Some rows of a snapshot; later parts have none that is older than `left_ns`."""

    ranks: "Ranks"
    rows: "Columns"
    left_ns: int


@dataclass(frozen=True, slots=True)
class Reading:
    """Which rows are wanted: all of a span, or its first or last `limit`."""

    within: Span
    limit: int | None = None
    newest: bool = False


EVERYTHING = Reading(Span(series.MIN_NS, series.MAX_NS))
