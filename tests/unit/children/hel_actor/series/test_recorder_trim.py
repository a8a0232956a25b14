"""Letting rows go, as scripts call for it: their room is free, and the others are as they were."""

from typing import Any

import pytest
from hel_actor.messages import AppendSamples, ReadSeries, SummarizeSeries, TrimSeries

from loki.child import Run
from loki.errors import ErrorCode, InvalidArgument, IoError, LokiError, PermissionRefused
from tests.unit.children.hel_actor.calling import Start

NOW_S = 1_700_000_000  # Of the bench's clock.
FIRST_S = NOW_S - 10_000


def run(max_disk_mb: int = 0, **permissions: Any) -> Run:
    allowed = permissions or {"series": ("*",)}
    return Run("r1", "tool", "local", 1, "tools.toml", allowed, max_disk_mb=max_disk_mb)


def append(bench: Any, count: int, first: int = 0) -> None:
    numbers = [float(n) for n in range(first, first + count)]
    times = tuple(FIRST_S + n for n in numbers)
    bench.call(AppendSamples(name="t", values=tuple(numbers), times=times), run(1))
    bench.shell.workers["series"].submit(lambda: None).result(20)
    bench.shell.workers["database"].submit(lambda: None).result(20)


def values(bench: Any) -> list[float]:
    rows = bench.call(ReadSeries(name="t"), run()).samples
    return [each.value for each in rows]


def test_rows_of_files_go_by_whole_files_and_those_that_wait_one_by_one(start: Start) -> None:
    bench = start(series_chunk_rows=16, series_late_s=1)
    append(bench, 100)
    files = bench.call(SummarizeSeries(name="t"), run()).size_bytes
    assert files > 0
    assert bench.call(TrimSeries(name="t", before=FIRST_S + 40), run()).rows == 32
    assert values(bench) == list(range(32, 100))
    assert bench.call(TrimSeries(name="t", before=1e10), run()).rows == 68
    assert values(bench) == []
    assert bench.hel.ledger.used_bytes("tool") == 0
    append(bench, 40, first=200)
    bench.close()
    assert values(start(series_chunk_rows=16)) == list(range(200, 240))


def test_s_5_2_4_a_tool_at_its_limit_makes_room(start: Start) -> None:
    bench = start(series_chunk_rows=1_048_576)
    for first in range(0, 32_000, 8000):
        append(bench, 8000, first)
    with pytest.raises(LokiError, match="which is 1") as refused:
        append(bench, 8000, 32_000)
    assert refused.value.code is ErrorCode.DISK_BUDGET
    bench.call(TrimSeries(name="t", before=FIRST_S + 16_000), run(1))
    append(bench, 8000, 32_000)


def test_what_cannot_be_trimmed_is_told(start: Start) -> None:
    bench = start()
    with pytest.raises(IoError) as missing:
        bench.call(TrimSeries(name="t", before=0.0), run())
    assert missing.value.code is ErrorCode.NOT_FOUND
    append(bench, 5)
    with pytest.raises(PermissionRefused):
        bench.call(TrimSeries(name="t", before=0.0), run(files=("rw",)))
    with pytest.raises(InvalidArgument):
        bench.call(TrimSeries(name="t", before=float("nan")), run())
