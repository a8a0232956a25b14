"""A time series as a picture."""

import math
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import typer

from loki.cli import series_plot
from loki.cli.series_plot import asker, check, draw, drawn, ticks, title
from loki.client import Window
from tests.unit.loki.cli.series_fake import START, FakeSeries, made, window

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0


def test_a_drawing_is_as_large_as_asked_and_has_no_colours() -> None:
    windows = [window(n, float(n % 7)) for n in range(120)]
    lines = drawn(made("t1"), windows, 60, 12).splitlines()
    assert len(lines) == 12
    assert {len(line) for line in lines} == {60}
    assert "trend/t1 in °C" in lines[0]
    assert "\x1b" not in "".join(lines)
    assert any("\u2801" <= character <= "\u28ff" for character in lines[5])


def test_a_single_point_is_drawn_too() -> None:
    assert "trend/t1" in drawn(made("t1"), [window(0, 1.0)], 60, 12)


@pytest.mark.parametrize(
    ("span_s", "form"),
    [
        (5 * MINUTE, "%H:%M:%S"),
        (5 * HOUR, "%H:%M"),
        (3 * DAY, "%m-%d %H:%M"),
        (30 * DAY, "%Y-%m-%d"),
    ],
)
def test_ticks_say_as_much_of_the_time_as_tells_them_apart(span_s: float, form: str) -> None:
    first_s = START.timestamp()
    times, names = ticks(first_s, first_s + span_s, 3)
    assert times == [first_s, first_s + span_s / 2, first_s + span_s]
    assert names == [datetime.fromtimestamp(time).strftime(form) for time in times]
    assert len(set(names)) == 3


def test_one_time_has_one_tick() -> None:
    assert len(ticks(5.0, 5.0, 4)[0]) == 1


@pytest.mark.parametrize(
    ("start", "end", "every_s"),
    [
        (START, START + timedelta(seconds=200), 2.0),
        (START, None, 0.02),  # Two seconds to the last row.
        (START + timedelta(days=1), None, 0.001),  # Nothing is there.
    ],
)
def test_windows_are_as_many_as_points(start: datetime, end: datetime, every_s: float) -> None:
    series: Any = FakeSeries()
    client: Any = type("Client", (), {"series": series})
    assert asker(client, made("t1"), start, end)("p95", 100) == []
    assert series.asked == [
        ("trend", "t1", "p95", {"start": start, "end": end, "every_s": every_s})
    ]


@pytest.mark.parametrize("suffix", [".png", ".svg", ".PDF"])
def test_a_picture_has_a_band_from_the_least_to_the_greatest(tmp_path: Path, suffix: str) -> None:
    asked = []

    def ask(statistic: str, count: int) -> list[Window]:
        asked.append(statistic)
        return [window(n, float(n)) for n in range(10)]

    file = tmp_path / f"t{suffix}"
    check(str(file))
    assert draw(made("t1"), ask, "p95", str(file))
    assert asked == ["p95", "min", "max"]
    assert file.stat().st_size > 1000


@pytest.mark.parametrize("value", [1.7e308, -1.7e308, math.inf, math.nan])
@pytest.mark.parametrize(("file", "greatest"), [("", "mean"), ("t.png", "max")])
def test_values_that_no_picture_can_have_are_said(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    value: float,
    file: str,
    greatest: str,
) -> None:
    def ask(statistic: str, count: int) -> list[Window]:
        return [window(0, 1.0), window(1, value if statistic == greatest else 2.0)]

    with pytest.raises(typer.Exit):
        draw(made("t1"), ask, "mean", str(tmp_path / file) if file else "")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"the {greatest} of 20")
    assert f"is {value:g}, " in line
    assert "--from and --to" in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("file", ["", "t.png"])
def test_the_greatest_values_of_a_picture_are_drawn(tmp_path: Path, file: str) -> None:
    def ask(statistic: str, count: int) -> list[Window]:
        return [window(0, -series_plot.GREATEST), window(1, series_plot.GREATEST)]

    assert draw(made("t1"), ask, "mean", str(tmp_path / file) if file else "")


def test_nothing_is_drawn_where_there_is_nothing(tmp_path: Path) -> None:
    for output in ("", str(tmp_path / "t.png")):
        assert not draw(made("t1"), lambda statistic, count: [], "mean", output)
    assert list(tmp_path.iterdir()) == []


def test_pictures_that_cannot_be_made_are_refused_first(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit):
        check("t.gif")
    assert ".png, .svg, .pdf" in capsys.readouterr().err
    monkeypatch.setattr(series_plot, "find_spec", lambda name: None)
    check("")
    with pytest.raises(typer.Exit):
        check("t.png")
    assert f"{sys.executable} -m pip install 'loki[plot]'" in capsys.readouterr().err


def test_a_title_without_a_unit() -> None:
    assert title(made("t1", unit="")) == "trend/t1"
