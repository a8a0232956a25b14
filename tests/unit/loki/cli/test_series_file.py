"""Rows as CSV and as Parquet."""

import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
import typer

from loki.cli import series_file
from loki.cli.series_file import Counter, csv, format_of, groups, parquet, write
from loki.client import Rows
from tests.unit.loki.cli.series_fake import START_NS, batch, made


def test_csv_has_every_digit() -> None:
    target = io.BytesIO()
    rows = Rows([-1_500_000_000, 0, START_NS + 123_456_000], [0.1 + 0.2, -1e-300, 5.0], b"\0\1\xff")
    csv(iter([rows]), target, made("t1"))
    assert target.getvalue().decode().splitlines() == [
        "time,value,quality",
        "1969-12-31T23:59:58.500000Z,0.30000000000000004,0",
        "1970-01-01T00:00:00.000000Z,-1e-300,1",
        "2026-01-02T03:04:05.123456Z,5.0,255",
    ]


def test_parquet_has_the_columns_and_the_unit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(series_file, "GROUP_ROWS", 4)
    file = tmp_path / "t.parquet"
    write(iter([batch(3), batch(3, 3), batch(3, 6)]), str(file), made("t1"))
    found = pyarrow.parquet.read_table(file)
    assert [str(field.type) for field in found.schema] == [
        "timestamp[ns, tz=UTC]",
        "double",
        "uint8",
    ]
    assert found.schema.field("value").metadata == {b"unit": "°C".encode()}
    assert found.schema.metadata == {b"series": b"trend/t1"}
    whole = batch(9)
    assert found["time"].cast("int64").to_pylist() == whole.times_ns
    assert found["value"].to_pylist() == whole.values
    assert bytes(found["quality"].to_pylist()) == whole.qualities
    assert pyarrow.parquet.ParquetFile(file).metadata.num_row_groups == 2


@pytest.mark.parametrize("batches", [[], [batch(0)]])
def test_parquet_of_no_rows_is_a_file_too(tmp_path: Path, batches: list[Rows]) -> None:
    file = tmp_path / "t.parquet"
    write(iter(batches), str(file), made("t2", unit=""))
    found = pyarrow.parquet.read_table(file)
    assert found.column_names == ["time", "value", "quality"]
    assert found.num_rows == 0


@pytest.mark.parametrize(
    ("output", "form"),
    [("-", csv), ("a.csv", csv), ("a", csv), ("a.parquet", parquet), ("b.PQ", parquet)],
)
def test_the_name_tells_the_format(output: str, form: Callable[..., None]) -> None:
    assert format_of(output) is form


def test_without_pyarrow_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(series_file, "find_spec", lambda name: None)
    with pytest.raises(typer.Exit):
        format_of("a.parquet")
    assert f"{sys.executable} -m pip install 'loki[parquet]'" in capsys.readouterr().err


def test_a_group_is_as_long_as_it_must_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(series_file, "GROUP_ROWS", 5)
    found = [[len(rows) for rows in group] for group in groups(batch(n) for n in (2, 2, 3, 9, 1))]
    assert found == [[2, 2, 3], [9], [1]]


def test_rows_are_counted_and_shown_on_a_terminal_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    quiet = Counter(5)
    assert len(list(quiet.count(iter([batch(2), batch(3)])))) == 2
    assert quiet.rows == 5
    assert capsys.readouterr().err == ""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stderr", Terminal())
    list(Counter(5000).count(iter([batch(2000)])))
    shown: Any = sys.stderr
    assert shown.getvalue().startswith("\r2,000 of 5,000 rows\r ")
