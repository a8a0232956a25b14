"""Reads what is in every chunk's files, beside a running Hel too, and changes nothing."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TypeAlias

from hel_actor.backup.snapshot import DATABASE, SERIES
from hel_actor.doctor import observation
from hel_actor.doctor.diagnosis import DamagedContents, GroupFacts, SeriesFacts, to_verify
from hel_actor.series.damage import reason
from hel_actor.series.description import ARRAYS
from hel_actor.series.moment import utc
from hel_actor.system.history import Bounds
from loki.child import Tell

TOLD_CHUNKS = 50
"""So many take a quarter of a second."""

Key: TypeAlias = tuple[str, int]
"""Mark of a series, and the chunk's number: a moment later its file may have another one."""


@dataclass(frozen=True, slots=True)
class Verified:
    """How many chunks were read, and which are damaged."""

    checked: int
    damaged: Mapping[Key, DamagedContents]


def is_possible() -> bool:
    """Whether what decodes chunks is installed."""
    return find_spec("zarr") is not None


def verify(
    state: Path, bounds: Bounds, tell: Tell, only: Collection[Key] | None = None
) -> Verified:
    """All chunks whose files are there in their lengths, or those of them that are named.

    Raises: OSError for folders that may not be looked at.
    """
    _, known = observation.database(state / DATABASE, bounds, deep=False)
    groups = observation.groups(state / SERIES)
    damaged: dict[Key, DamagedContents] = {}
    checked = 0
    for series in known:
        group = groups.get((series.namespace, series.name))
        numbers = to_verify(series, group) if group else ()
        wanted = [n for n in numbers if only is None or (series.mark, n) in only]
        for found in _damaged(state / SERIES, series, group, wanted, tell):
            damaged[series.mark, found.number] = found
        checked += len(wanted)
    return Verified(checked, damaged)


def _damaged(
    folder: Path, series: SeriesFacts, group: GroupFacts | None, numbers: list[int], tell: Tell
) -> Iterator[DamagedContents]:
    subject = f"{SERIES}/{series.namespace}/{series.name}"
    first = series.dropped if group is None or group.first is None else group.first
    for index, number in enumerate(numbers):
        if index % TOLD_CHUNKS == 0:
            tell(f"{subject}: {index:,} of {len(numbers):,} chunks")
        text = _problem(folder / series.namespace / series.name, series, number, number - first)
        if text:
            oldest_ns, newest_ns = series.spans_ns[number]
            yield DamagedContents(subject, number, utc(oldest_ns), utc(newest_ns), text)


def _problem(group: Path, series: SeriesFacts, number: int, index: int) -> str:
    """What is wrong with a chunk, or ""."""
    from hel_actor.series.archive import UNREADABLE, decoded

    for name in ARRAYS:
        try:
            rows = decoded([group / name / "c" / str(index)], name, series.chunk_rows)
        except UNREADABLE as error:
            return f"{name}/c/{index} {reason(error)}"
        if name == "time" and (int(rows[0]), int(rows[-1])) != series.spans_ns[number]:
            return f"{name}/c/{index} has the times of other rows"
    return ""
