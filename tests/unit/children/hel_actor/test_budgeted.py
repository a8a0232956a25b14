"""What a change waits for before the database has it."""

import sqlite3
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import closing
from dataclasses import replace

import pytest
from hel_actor.file.occupancy import AT_ONCE
from hel_actor.messages import (
    AppendOptions,
    AppendSamples,
    DownsampleSeries,
    RemoveStored,
    SamplesAppended,
    SetStored,
    SummarizeSeries,
    WriteFile,
)

from loki.child import Run
from loki.errors import ErrorCode, LokiError
from loki.messages.envelope import Done, Message
from loki.messages.value import pack
from tests.unit.children.hel_actor.calling import run
from tests.unit.children.hel_actor.conftest import Bench

Start = Callable[..., Bench]


def begun(bench: Bench, request: Message, script: str) -> "Future[Done]":
    answer = bench.hel.calls()[type(request)](request, run(script=script))
    assert isinstance(answer, Future)
    return answer


def test_s_5_2_4_files_of_earlier_count_for_the_first_value_after_a_start(start: Start) -> None:
    bench = start(quota_mb=1)
    bench.call(WriteFile(path="f", content=pack("x" * 2**20)), run())
    bench.close()
    with pytest.raises(LokiError) as caught:
        start(quota_mb=1).call(SetStored(key="k", value=pack(1)), run())
    assert caught.value.code is ErrorCode.DISK_BUDGET


def test_who_is_full_is_told_what_was_appended_and_nothing_refused_is_remembered(
    start: Start,
) -> None:
    bench = start(quota_mb=1)

    def appended(sequence: int) -> int:
        numbers, options = tuple(map(float, range(200))), AppendOptions(sequence=sequence)
        request = AppendSamples(name="t", values=numbers, times=numbers, options=options)
        answer = bench.call(request, run(series=("*",)))
        assert isinstance(answer, SamplesAppended)
        return answer.appended

    assert appended(1) == 200
    bench.call(WriteFile(path="f", content=pack("x" * 253 * 4096)), run())
    for _ in range(2):
        with pytest.raises(LokiError) as caught:
            appended(2)
        assert caught.value.code is ErrorCode.DISK_BUDGET
        assert appended(1) == 0
    bench.call(WriteFile(path="f", content=pack("x")), run())
    assert [appended(2), appended(2)] == [200, 0]


def test_who_waits_for_a_look_at_its_files_holds_up_nobody_else(start: Start) -> None:
    bench = start()
    folder = bench.state_dir / "files" / "big"
    folder.mkdir(parents=True)
    for number in range(5 * AT_ONCE):
        (folder / f"{number}").touch()
    held: Future[None] = Future()
    bench.shell.workers["files"].submit(held.result, 20)
    done: list[str] = []
    put, write = SetStored(key="k", value=pack(1)), WriteFile(path="f", content=pack("x"))
    waiting = {
        f"{request.__class__.__name__} of {script}": begun(bench, request, script)
        for script in ("big", "small")
        for request in (put, write)
    }
    for name, answer in waiting.items():
        answer.add_done_callback(lambda _, name=name: done.append(name))  # type: ignore[misc]
    held.set_result(None)
    assert [answer.result(20) for answer in waiting.values()] == [Done()] * 4
    assert {each.split()[-1] for each in done[:2]} == {"small"}


APPENDED = 100
SECONDLY = DownsampleSeries(name="s", into="c", every_s=1.0, statistic="first")


def append(bench: Bench, first: int, count: int, script: Run) -> None:
    times = tuple(float(first + each) for each in range(count))
    bench.call(AppendSamples(name="s", values=times, times=times), script)
    for worker in ("series", "database", "series"):
        bench.shell.workers[worker].submit(lambda: None).result(20)


def test_s_5_2_4_coarser_series_wait_for_room_as_their_script_would(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    bench, limit = start(max_value_kb=2048, series_late_s=1), 2**20
    tool = replace(run(storage=("*",), files=("rw",), series=("*",)), max_disk_mb=1)
    bench.call(SetStored(key="k", value=pack(b"x" * (limit - 5000))), tool)
    append(bench, 0, APPENDED, tool)
    bench.call(SECONDLY, tool)
    append(bench, APPENDED, 1, tool)
    append(bench, APPENDED + 1, 1, tool)
    assert bench.call(SummarizeSeries(name="c"), tool).rows == 0
    assert bench.hel.ledger.used_bytes("tool") <= limit
    told = [each.getMessage() for each in caplog.records if "gets no rows" in each.getMessage()]
    assert len(told) == 1
    assert "raise [tools.limits] max_disk_mb, which is 1" in told[0]
    bench.call(RemoveStored(key="k"), tool)
    append(bench, APPENDED + 2, 1, tool)
    assert bench.call(SummarizeSeries(name="c"), tool).rows == APPENDED + 1


def test_s_5_2_4_they_wait_also_after_a_restart_before_any_run(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    settings = {"max_value_kb": 2048, "series_late_s": 1}
    bench, limit = start(**settings), 2**20
    tool = replace(run(storage=("*",), files=("rw",), series=("*",)), max_disk_mb=1)
    bench.call(SetStored(key="k", value=pack(b"x" * (limit - 5000))), tool)
    append(bench, 0, APPENDED, tool)
    bench.call(SECONDLY, tool)
    append(bench, APPENDED, 1, tool)
    used = bench.hel.ledger.used_bytes("tool")
    bench.close()
    caplog.clear()
    again = start(**settings)
    for _ in range(100):  # It takes its turns with whatever else that thread has to do.
        again.shell.workers["series"].submit(lambda: None).result(20)
    assert "gets no rows" in caplog.text
    assert again.call(SummarizeSeries(name="c"), tool).rows == 0
    assert again.hel.ledger.used_bytes("tool") <= used


def test_a_limit_that_a_tool_gave_up_is_that_of_all(start: Start) -> None:
    bench = start(quota_mb=7)
    put = SetStored(key="k", value=pack(1))
    for limit_mb, kept in ((3, [(3, "[tools.limits] max_disk_mb")]), (0, [])):
        bench.call(put, replace(run(), max_disk_mb=limit_mb))
        with closing(sqlite3.connect(bench.state_dir / "hel.sqlite")) as reader:
            assert reader.execute("SELECT limit_mb, raised_by FROM own_limit").fetchall() == kept
