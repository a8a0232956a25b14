"""What is told where the database begins anew beside data, and what becomes of that."""

import logging
from pathlib import Path
from typing import Any

import pytest
from hel_actor.backup.beginning import lost, strange
from hel_actor.messages import AppendSamples, ReadFile, ReadSeries

from tests.unit.children.hel_actor.calling import Start
from tests.unit.children.hel_actor.restoring import SMALL, TIMES, WHO, fill

SEVEN = [("tool", f"s{n}") for n in range(7)]


def test_a_device_without_data_has_lost_none() -> None:
    assert lost("", [], 0) == ""
    assert strange([]) == ""


@pytest.mark.parametrize(
    ("damage", "series", "scripts", "text"),
    [
        ("", [("a", "t")], 0, "hel.sqlite was missing, so Hel began with an empty one; beside it "),
        ("", [("a", "t")], 2, "were series a/t and files of 2 scripts. Registered scripts, values"),
        ("", SEVEN, 0, "series tool/s0, tool/s1, tool/s2, tool/s3, tool/s4 and 2 more. "),
        ("", [], 1, "beside it were files of 1 script."),
        ("is\n bad", [], 0, "hel.sqlite is bad, so Hel began with an empty one. Registered"),
        ("", SEVEN, 9, "put a backup back (`loki restore`)"),
    ],
)
def test_it_is_told_what_is_gone_and_what_is_left(
    damage: str, series: list[tuple[str, str]], scripts: int, text: str
) -> None:
    assert text in lost(damage, series, scripts)


def test_series_that_the_database_does_not_know_are_named() -> None:
    assert "the series a/t, whose" in strange([("a", "t")])
    assert "tool/s4 and 2 more, whose" in strange(SEVEN)


@pytest.fixture
def orphans(start: Start) -> Path:
    """The state directory of a Hel that ended, whose database somebody removed."""
    bench = start(**SMALL)
    fill(bench)
    assert opened(bench).hel.trouble == ""
    bench.close()
    for file in bench.state_dir.glob("hel.sqlite*"):
        file.unlink()
    state: Path = bench.state_dir
    return state


def opened(bench: Any) -> Any:
    """A Hel whose database has been opened, and looked at."""
    for name in ("database", "series", "database"):
        bench.shell.workers[name].submit(lambda: None).result(timeout=20)
    return bench


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR]


def test_s_8_3_2_a_database_that_is_missing_beside_data_is_told(
    orphans: Path, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    bench = opened(start(**SMALL))
    assert "hel.sqlite was missing" in bench.hel.trouble
    assert "series tool/t and files of 1 script" in bench.hel.trouble
    assert errors(caplog) == [bench.hel.trouble]
    assert bench.call(ReadFile(path="a"), WHO) is not None
    bench.close()

    again = opened(start(**SMALL))
    assert "does not know the series tool/t" in again.hel.trouble


def test_s_8_5_3_rows_that_lost_their_database_are_kept_aside(orphans: Path, start: Start) -> None:
    before = {p.name: p.read_bytes() for p in (orphans / "series/tool/t/value/c").iterdir()}
    assert before
    bench = start(**SMALL)
    times = tuple(time + 1000 for time in TIMES)
    bench.call(AppendSamples(name="t", values=times, times=times), WHO)
    opened(opened(bench))
    assert len(bench.call(ReadSeries(name="t"), WHO).samples) == len(times)
    bench.close()
    aside = orphans / "series/tool/t~1/value/c"
    assert {p.name: p.read_bytes() for p in aside.iterdir()} == before
    assert opened(start(**SMALL)).hel.trouble == ""


def test_s_8_3_2_a_damaged_database_is_told_until_the_next_start(start: Start) -> None:
    bench = start(**SMALL)
    path = bench.state_dir / "hel.sqlite"
    bench.call(AppendSamples(name="t", values=(1.0,), times=TIMES[:1]), WHO)
    bench.close()
    path.write_bytes(b"SELECT" * 900)
    trouble = opened(start(**SMALL)).hel.trouble
    assert (
        "hel.sqlite is damaged (file is not a database) and was kept as hel.sqlite.dam" in trouble
    )
    assert opened(start(**SMALL)).hel.trouble == ""


def test_an_unreadable_folder_keeps_no_database_from_opening(
    start: Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def failing(folder: Path, known: object = ()) -> None:
        raise OSError(5, "Input/output error", str(folder))

    monkeypatch.setattr("hel_actor.backup.beginning.groups", failing)
    bench = opened(start(**SMALL))
    fill(bench)
    assert bench.hel.trouble == ""
    assert "cannot be seen: [Errno 5]" in caplog.text
