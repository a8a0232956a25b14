"""`loki series`: what it asks for, what it shows, and how it fails."""

import json
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest

from loki.cli.series import local
from loki.client import LokiClientError, SeriesQuery
from tests.unit.loki.cli.series_fake import START, FakeSeries, batch, made, window

Loki = Callable[..., Any]


@pytest.fixture
def series(client: Any) -> FakeSeries:
    client.series = FakeSeries([made("t1"), made("t1", "other", unit=""), made("t2", rows=0)])
    return client.series


def test_a_list_has_a_row_for_each(series: FakeSeries, loki: Loki) -> None:
    rows = [line.split() for line in loki("series", "list").stdout.splitlines() if "/" in line]
    assert rows[0] == ["trend/t1", "3", "°C", *local(START)[:19].split(), *rows[0][5:]]
    assert rows[0][-2:] == ["1.5", "MB"]
    assert rows[2] == ["trend/t2", "0", "°C", "1.5", "MB"]
    assert series.asked == [("*", "*")]


@pytest.mark.parametrize(
    ("pattern", "asked"),
    [("t*", ("*", "t*")), ("trend/*", ("trend", "*")), ("a*/b?", ("a*", "b?"))],
)
def test_a_pattern_is_of_names_or_of_scripts_too(
    series: FakeSeries, loki: Loki, pattern: str, asked: tuple[str, str]
) -> None:
    series.there = []
    assert loki("series", "list", pattern).stdout == "no time series match\n"
    assert series.asked == [asked]


def test_a_list_for_machines(series: FakeSeries, loki: Loki) -> None:
    first, _, empty = json.loads(loki("series", "list", "--json").stdout)
    assert first == {
        "script": "trend",
        "name": "t1",
        "rows": 3,
        "first": "2026-01-02T03:04:05+00:00",
        "last": "2026-01-02T03:04:07+00:00",
        "size_bytes": 1_500_000,
        "unit": "°C",
        "attributes": {"unit": "°C"},
    }
    assert (empty["first"], empty["last"]) == (None, None)


def test_rows_are_shown_in_this_computers_zone(series: FakeSeries, loki: Loki) -> None:
    series.batches = [batch(2), batch(1, 2)]
    lines = loki("series", "show", "trend/t1").stdout.splitlines()
    assert lines[0].split() == ["time", "value", "°C"]
    assert lines[1] == f"{local(START)}                 0.5"
    assert [line.split()[2:] for line in lines[1:]] == [["0.5"], ["1.5"], ["2.5", "quality", "1"]]
    assert series.asked[-1] == ("trend", "t1", SeriesQuery(limit=20, newest=True))


def test_rows_for_machines_are_a_line_each(series: FakeSeries, loki: Loki) -> None:
    series.batches = [batch(1)]
    assert json.loads(loki("series", "show", "trend/t1", "--json").stdout) == {
        "time": "2026-01-02T03:04:05.000001+00:00",
        "value": 0.5,
        "quality": 0,
    }


def test_a_time_is_asked_for(series: FakeSeries, loki: Loki) -> None:
    loki("series", "show", "t2", "--from", "2026-01-02T00:00Z", "--to", "2026-01-03T00:00Z")
    day = datetime(2026, 1, 2, tzinfo=UTC)
    query = SeriesQuery(start=day, end=day + timedelta(days=1))
    assert series.asked[-1] == ("trend", "t2", query)


def test_windows_are_shown_as_rows(series: FakeSeries, loki: Loki) -> None:
    series.windows = [window(0, 1.0), window(1, 2.0)]
    shown = loki("series", "show", "t2", "--every", "1min", "--statistic", "max", "--last", "1")
    assert [line.split()[-1] for line in shown.stdout.splitlines()] == ["°C", "2.0"]
    *place, options = series.asked[-1]
    assert place == ["trend", "t2", "max"]
    assert options["every_s"] == 60.0


def test_no_rows_are_said(series: FakeSeries, loki: Loki) -> None:
    shown = loki("series", "show", "t2")
    assert (shown.exit_code, shown.stdout, shown.stderr) == (0, "", "no rows there\n")


@pytest.mark.parametrize("command", ["show", "plot", "export"])
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("t1", "which 't1' is meant: trend/t1, other/t1?"),
        ("t9", "there is no time series 't9'; there are trend/t1, other/t1, trend/t2"),
        ("x/t1", "there is no time series 'x/t1'"),
        ("*", "there is no time series '*'"),
    ],
)
def test_a_name_must_mean_one(
    series: FakeSeries, loki: Loki, command: str, name: str, reason: str
) -> None:
    result = loki("series", command, name)
    assert result.exit_code == 1
    assert reason in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_where_there_are_none_it_is_said(series: FakeSeries, loki: Loki) -> None:
    series.there = []
    assert loki("series", "list").stdout == "no time series\n"
    assert "there are none" in loki("series", "show", "t").stderr


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--last", "1h", "--from", "2h"), "exclude each other"),
        (("--from", "soon"), "'soon' is no time"),
        (("--every", "0s"), "'0s' is no length of time"),
    ],
)
def test_what_is_mistyped_is_one_line(
    series: FakeSeries, loki: Loki, words: tuple[str, ...], reason: str
) -> None:
    result = loki("series", "show", "t2", *words)
    assert result.exit_code == 1
    assert reason in result.stderr


def test_an_export_is_a_file_that_is_whole_or_not_there(
    series: FakeSeries, loki: Loki, tmp_path: Path
) -> None:
    series.batches = [batch(2), batch(1, 2)]
    file = tmp_path / "t.csv"
    result = loki("series", "export", "trend/t1", "-o", str(file))
    assert result.stdout == f"{file}: 3 rows\n"
    assert len(file.read_text().splitlines()) == 4
    series.error = LokiClientError("gone", code=grpc.StatusCode.UNAVAILABLE, reason="CHILD_DOWN")
    series.batches = [batch(2)]
    broken = tmp_path / "broken.csv"
    failed = loki("series", "export", "trend/t1", "-o", str(broken))
    assert (failed.exit_code, failed.stderr) == (1, "CHILD_DOWN: gone\n")
    assert list(tmp_path.iterdir()) == [file]


def test_an_export_waits_for_rows_that_are_away_and_says_so(
    series: FakeSeries, loki: Loki, capsys: pytest.CaptureFixture[str]
) -> None:
    series.batches = [batch(2)]
    assert loki("series", "export", "trend/t1").exit_code == 0
    assert series.options["patience_s"] == 60.0
    report = series.options["report"]
    report.lost(LokiClientError("hel restarts", code=grpc.StatusCode.UNAVAILABLE))
    report.back()
    assert capsys.readouterr().err == "hel restarts; going on when that is back\nit is back\n"


def test_a_picture_replaces_a_file_only_when_told(
    series: FakeSeries, loki: Loki, tmp_path: Path
) -> None:
    file = tmp_path / "t.png"
    file.write_text("mine")
    series.windows = [window(0, 1.0), window(1, 2.0)]
    refused = loki("series", "plot", "trend/t1", "--output", str(file))
    assert (refused.exit_code, file.read_text()) == (1, "mine")
    assert "--force" in refused.stderr
    assert loki("series", "plot", "trend/t1", "--output", str(file), "--force").exit_code == 0
    assert file.read_bytes().startswith(b"\x89PNG")


def test_an_export_replaces_a_file_only_when_told(
    series: FakeSeries, loki: Loki, tmp_path: Path
) -> None:
    file = tmp_path / "t.csv"
    file.write_text("mine")
    series.batches = [batch(2)]
    refused = loki("series", "export", "trend/t1", "-o", str(file))
    assert (refused.exit_code, file.read_text()) == (1, "mine")
    assert "is there already" in refused.stderr
    assert "--force" in refused.stderr
    assert loki("series", "export", "trend/t1", "-o", str(file), "--force").exit_code == 0
    assert len(file.read_text().splitlines()) == 3


def test_an_export_without_a_file_is_csv_on_stdout(series: FakeSeries, loki: Loki) -> None:
    series.batches = [batch(1)]
    assert loki("series", "export", "trend/t1", "--last", "1").stdout_bytes == (
        b"time,value,quality\n2026-01-02T03:04:05.000001Z,0.5,0\n"
    )


def test_a_folder_that_is_missing_is_named(series: FakeSeries, loki: Loki, tmp_path: Path) -> None:
    result = loki("series", "export", "trend/t1", "-o", str(tmp_path / "no" / "x.csv"))
    assert result.exit_code == 1
    assert "x.csv: No such file or directory; nothing is left of it" in result.stderr


def test_a_plot_begins_with_the_first_row_that_is_wanted(series: FakeSeries, loki: Loki) -> None:
    series.windows = [window(0, 1.0), window(1, 2.0)]
    assert "trend/t1 in °C" in loki("series", "plot", "trend/t1").stdout
    assert series.asked[-1][3]["start"] == START
    series.batches = [batch(5, 1)]
    loki("series", "plot", "trend/t1", "--last", "2")
    assert series.asked[-1][3]["start"] == START + timedelta(seconds=1, microseconds=1)


def test_a_number_that_json_lacks_is_named(series: FakeSeries, loki: Loki) -> None:
    series.windows = [window(0, math.inf)]
    shown = loki("series", "show", "trend/t1", "--every", "1min", "--statistic", "sum", "--json")
    assert json.loads(shown.stdout)["value"] == "Infinity"


def test_a_plot_of_nothing_is_said(series: FakeSeries, loki: Loki) -> None:
    for name in ("trend/t2", "trend/t1"):
        result = loki("series", "plot", name)
        assert (result.exit_code, result.stdout, result.stderr) == (0, "", "no rows there\n")


def test_a_plot_in_a_file_says_which(series: FakeSeries, loki: Loki, tmp_path: Path) -> None:
    series.windows = [window(0, 1.0), window(1, 2.0)]
    file = tmp_path / "t.png"
    assert loki("series", "plot", "trend/t1", "--output", str(file)).stdout == f"{file}\n"
    assert file.read_bytes().startswith(b"\x89PNG")
    result = loki("series", "plot", "trend/t1", "--output", str(tmp_path / "no" / "t.png"))
    assert "No such file" in result.stderr


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loki.cli.series.is_asked", lambda: True)


@pytest.mark.parametrize("words", [("other/t1",), ("t1", "--script", "other")])
def test_a_series_is_removed_and_said(
    series: FakeSeries, loki: Loki, words: tuple[str, ...]
) -> None:
    assert loki("series", "remove", *words, "--yes").stdout == "removed other/t1: 3 rows\n"
    assert series.asked[-1] == ("remove", "other", "t1")


def test_a_removal_for_machines(series: FakeSeries, loki: Loki) -> None:
    told = loki("series", "remove", "t2", "--yes", "--json").stdout
    assert json.loads(told) == {"script": "trend", "name": "t2", "rows": 3}


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("n\n", 1), ("\n", 1)])
def test_who_is_asked_is_told_what_goes(
    series: FakeSeries, loki: Loki, answer: str, code: int
) -> None:
    result = loki("series", "remove", "other/t1", stdin=answer)
    assert "Remove other/t1 with its 3 rows for ever? [y/N]" in result.stderr
    assert result.exit_code == code
    assert (("remove", "other", "t1") in series.asked) is (code == 0)


def test_without_a_terminal_nothing_is_removed_unasked(series: FakeSeries, loki: Loki) -> None:
    result = loki("series", "remove", "other/t1")
    assert (result.exit_code, series.asked) == (1, [])
    assert "--yes" in result.stderr
