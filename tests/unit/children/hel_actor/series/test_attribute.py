"""Attributes that a disk garbled: who is told, and that rows go on."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hel_actor.messages import AppendSamples, DescribeSeries, ReadSeries, SummarizeSeries
from hel_actor.series import attribute

from loki.child import Run
from loki.errors import ErrorCode, IoError
from loki.messages.series import ListAllSeries
from loki.messages.value import unpack
from tests.unit.children.hel_actor.calling import Start

DAMAGED = (
    "{",
    "[1]",
    "7",
    '{"a": [1]}',
    '{"a": null}',
    '{"a": 1e',
    "[" * 10_000,
    f'{{"a": {2**70}}}',
)
WHO = Run("r1", "tool", "local", 1, "tools.toml", {"series": ("*",)})


@pytest.mark.parametrize("stored", [*DAMAGED, "", b"{}", 7])
def test_what_is_no_object_of_plain_values_is_damaged(stored: Any) -> None:
    assert attribute.read(stored) is None
    assert attribute.text(stored) == "{}"


@pytest.mark.parametrize("found", [{}, {"unit": "°C", "interval_s": 0.5, "n": 2**62, "b": True}])
def test_what_was_written_is_read(found: dict[str, Any]) -> None:
    stored = json.dumps(found)
    assert attribute.read(stored) == found
    assert attribute.text(stored) == stored


def test_a_series_without_any_has_none() -> None:
    assert (attribute.read(None), attribute.text(None)) == ({}, "{}")


def described(state: Path) -> dict[str, Any]:
    """As the files have it."""
    found: dict[str, Any] = json.loads((state / "series/tool/t/zarr.json").read_bytes())
    return found["attributes"]


def settled(bench: Any) -> None:
    for _ in range(10):
        for name in ("database", "series"):
            bench.shell.workers[name].submit(lambda: None).result(timeout=20)


def test_damaged_attributes_stop_neither_rows_nor_files_nor_the_list(start: Start) -> None:
    bench = start(series_chunk_rows=16, series_late_s=1)
    numbers = [float(n) for n in range(40)]
    rows = AppendSamples(name="t", values=tuple(numbers), times=tuple(numbers))
    bench.call(rows, WHO)
    bench.call(DescribeSeries(name="t", attributes={"unit": "V"}), WHO)
    settled(bench)
    bench.close()
    with closing(sqlite3.connect(bench.state_dir / "hel.sqlite")) as other, other:
        other.execute("UPDATE series_attributes SET attributes = CAST(x'7bc3' AS TEXT)")
    bench = start(series_chunk_rows=16, series_late_s=1)
    later = tuple(n + 40 for n in numbers)
    bench.call(AppendSamples(name="t", values=later, times=later), WHO)
    settled(bench)
    assert bench.hel.trouble == ""
    assert (bench.state_dir / "series/tool/t/time/c/3").exists()
    read = bench.call(ReadSeries(name="t"), WHO).samples
    assert [each.value for each in read] == [*numbers, *later]
    (entry,) = bench.serve(ListAllSeries(page_size=10)).series
    assert (entry.rows, entry.attributes) == (80, {})
    with pytest.raises(IoError, match="the attributes of 'tool/t' are damaged") as failed:
        bench.call(SummarizeSeries(name="t"), WHO)
    assert failed.value.code is ErrorCode.DATA_LOSS
    bench.call(DescribeSeries(name="t", attributes={"unit": "A"}), WHO)
    settled(bench)
    assert unpack(bench.call(SummarizeSeries(name="t"), WHO).attributes) == {"unit": "A"}
    assert described(bench.state_dir)["unit"] == "A"
