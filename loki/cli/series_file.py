"""Rows of a time series as files: CSV, and Parquet where pyarrow is installed."""

import sys
from array import array
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeAlias

import typer

from loki.cli.backup import written
from loki.cli.connection import fail
from loki.errors import pip_install

if TYPE_CHECKING:
    from loki.client import Rows, Series

HEADING = b"time,value,quality\n"
GROUP_ROWS = 500_000
"""Of a row group of Parquet: so many are in memory at once."""

Write: TypeAlias = "Callable[[Iterator[Rows], IO[bytes], Series], None]"


def write(batches: "Iterator[Rows]", output: str, series: "Series") -> None:
    """All rows into `output`, in the format that its name tells. Raises: OSError."""
    form = format_of(output)
    with written(output) as target:
        form(batches, target, series)


def format_of(output: str) -> Write:
    """Ends the command where the format cannot be written."""
    if Path(output).suffix.lower() not in (".parquet", ".pq"):
        return csv
    if find_spec("pyarrow") is None:
        fail(f"Parquet needs pyarrow, which is not installed: {pip_install('loki[parquet]')}")
    return parquet


def csv(batches: "Iterator[Rows]", target: IO[bytes], _series: "Series") -> None:
    """Times are UTC, as ISO 8601; values with all their digits."""
    target.write(HEADING)
    second, prefix = None, ""
    for batch in batches:
        lines = []
        columns = zip(batch.times_ns, batch.values, batch.qualities, strict=True)
        for time_ns, value, quality in columns:
            if time_ns // 1_000_000_000 != second:
                second = time_ns // 1_000_000_000
                prefix = f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}"
            lines.append(f"{prefix}.{time_ns // 1000 % 1_000_000:06}Z,{value!r},{quality}\n")
        target.write("".join(lines).encode())


def parquet(batches: "Iterator[Rows]", target: IO[bytes], series: "Series") -> None:
    """Columns `time` (timestamp, ns, UTC), `value` and `quality`; the unit is in the schema."""
    import pyarrow as pa
    import pyarrow.parquet

    unit = {"unit": series.unit} if series.unit else None
    schema = pa.schema(
        [
            pa.field("time", pa.timestamp("ns", "UTC"), nullable=False),
            pa.field("value", pa.float64(), nullable=False, metadata=unit),
            pa.field("quality", pa.uint8(), nullable=False),
        ],
        metadata={"series": f"{series.script}/{series.name}"},
    )
    with pyarrow.parquet.ParquetWriter(target, schema, compression="zstd") as writer:
        for group in groups(batches):
            whole = table(pa, group, schema)
            writer.write_table(whole, row_group_size=len(whole))


def groups(batches: "Iterator[Rows]") -> "Iterator[list[Rows]]":
    """Batches of GROUP_ROWS rows together, or a few more."""
    group: list[Rows] = []
    for batch in batches:
        group.append(batch)
        if sum(map(len, group)) >= GROUP_ROWS:
            yield group
            group = []
    if any(map(len, group)):  # A series without rows has a batch of none, which makes no group.
        yield group


def table(pa: Any, group: "list[Rows]", schema: Any) -> Any:
    """One table of pyarrow's."""
    columns = zip(
        *(
            (array("q", batch.times_ns), array("d", batch.values), batch.qualities)
            for batch in group
        ),
        strict=True,
    )
    arrays = [
        pa.chunked_array([of_buffer(pa, part, field.type) for part in column], field.type)
        for field, column in zip(schema, columns, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def of_buffer(pa: Any, column: "array[Any] | bytes", form: Any) -> Any:
    """A column without a null, not copied."""
    return pa.Array.from_buffers(form, len(column), [None, pa.py_buffer(column)])


class Counter:
    """Counts the rows that pass, and tells on a terminal's stderr how far they are."""

    def __init__(self, expected: int) -> None:
        self.rows = 0
        self._expected = expected
        self._shown = sys.stderr.isatty()

    def count(self, batches: "Iterator[Rows]") -> "Iterator[Rows]":
        for batch in batches:
            yield batch
            self.rows += len(batch)
            self._tell(f"\r{self.rows:,} of {self._expected:,} rows")
        self._tell(f"\r{' ' * 60}\r")

    def _tell(self, text: str) -> None:
        if self._shown:
            typer.echo(text, nl=False, err=True)
