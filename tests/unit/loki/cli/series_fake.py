"""Time series that answer from what a test gives them, as a client's `series` does."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from loki.client import Row, Rows, Series, SeriesQuery, Window

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
START_NS = 1_767_323_045_000_000_000
S_NS = 1_000_000_000


def made(name: str, script: str = "trend", rows: int = 3, unit: str = "°C") -> Series:
    """A row a second from START on."""
    times = (START, START + timedelta(seconds=rows - 1)) if rows else (None, None)
    return Series(
        script=script,
        name=name,
        rows=rows,
        first=times[0],
        last=times[1],
        size_bytes=1_500_000,
        unit=unit,
        attributes={"unit": unit} if unit else {},
    )


def batch(count: int, first: int = 0) -> Rows:
    """The value is the row's number and a half; every third row is not good."""
    numbers = range(first, first + count)
    return Rows(
        [START_NS + n * S_NS + 1000 for n in numbers],
        [n + 0.5 for n in numbers],
        bytes(n % 3 // 2 for n in numbers),
    )


class Batches:
    """What `read` gives; ends with an error, if it has one."""

    def __init__(self, batches: list[Rows], error: BaseException | None) -> None:
        self._batches, self._error = iter(batches), error

    def __enter__(self) -> "Batches":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __iter__(self) -> Iterator[Rows]:
        yield from self._batches
        if self._error:
            raise self._error


@dataclass
class FakeSeries:
    """`asked` is what the commands wanted."""

    there: list[Series] = field(default_factory=list)
    batches: list[Rows] = field(default_factory=list)
    windows: list[Window] = field(default_factory=list)
    error: BaseException | None = None
    asked: list[Any] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)

    def find(self, script: str = "*", name: str = "*") -> Iterator[Series]:
        self.asked.append((script, name))
        return iter(self.there)

    def read(self, script: str, name: str, query: SeriesQuery, **options: Any) -> Batches:
        self.asked.append((script, name, query))
        self.options = options
        return Batches(self.batches, self.error)

    def remove(self, script: str, name: str) -> int:
        self.asked.append(("remove", script, name))
        return 3

    def aggregate(self, script: str, name: str, statistic: str, **options: Any) -> list[Window]:
        self.asked.append((script, name, statistic, options))
        return self.windows


def row(number: int) -> Row:
    """As in a batch."""
    return next(iter(batch(1, number)))


def window(number: int, value: float) -> Window:
    return Window(start=START + timedelta(minutes=number), value=value, count=60)
