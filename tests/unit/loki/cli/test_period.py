"""Times and lengths as people type them."""

from datetime import UTC, datetime, timedelta

import pytest

from loki.cli.period import Period, length, moment, period

NOW = datetime(2026, 1, 31, 12, 30, tzinfo=UTC)
DAY = timedelta(days=1)


def here(*parts: int) -> datetime:
    """In this computer's zone."""
    return datetime(*parts).astimezone()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("1.5 min", 90),
        ("15m", 900),
        ("24h", 86400),
        ("7d", 7 * 86400),
        ("2w", 14 * 86400),
    ],
)
def test_lengths(text: str, seconds: float) -> None:
    assert length(text).total_seconds() == seconds


@pytest.mark.parametrize("text", ["", "5", "h", "-1h", "0s", "1y", "1h2m", "9" * 400 + "d", "1e3s"])
def test_lengths_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"length of time|too long"):
        length(text)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("now", NOW),
        ("24h", NOW - DAY),
        ("2026-01-02", here(2026, 1, 2)),
        ("2026-01-02 18:00", here(2026, 1, 2, 18)),
        ("2026-01-02T18:00:01.5", here(2026, 1, 2, 18, 0, 1, 500_000)),
        ("2026-01-02T18:00Z", datetime(2026, 1, 2, 18, tzinfo=UTC)),
        ("2026-01-02T18:00+02:00", datetime(2026, 1, 2, 16, tzinfo=UTC)),
    ],
)
def test_moments(text: str, time: datetime) -> None:
    found = moment(text, NOW)
    assert found == time
    assert found.tzinfo is not None


def test_a_time_of_day_is_of_today() -> None:
    today = NOW.astimezone().date()
    assert moment("18:05", NOW) == datetime(today.year, today.month, today.day, 18, 5).astimezone()


@pytest.mark.parametrize(
    "text", ["", "yesterday", "25:00", "2026-13-01", "5", "999999d", "99999999999d"]
)
def test_moments_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no time|too long"):
        moment(text, NOW)


@pytest.mark.parametrize(
    ("last", "start", "end", "wanted"),
    [
        ("", "", "", Period()),
        ("100", "", "", Period(rows=100)),
        ("100", "", "now", Period(end=NOW, rows=100)),
        ("24h", "", "", Period(start=NOW - DAY)),
        ("24h", "", "24h", Period(start=NOW - 2 * DAY, end=NOW - DAY)),
        ("", "24h", "now", Period(start=NOW - DAY, end=NOW)),
    ],
)
def test_periods(last: str, start: str, end: str, wanted: Period) -> None:
    assert period(last, start, end, NOW) == wanted


@pytest.mark.parametrize(
    ("last", "start", "end", "reason"),
    [
        ("24h", "2h", "", "exclude each other"),
        ("0", "", "", "--last 0: give a number of rows from 1 on, or a length of time: 30s, "),
        ("x", "", "", "--last x: give a number of rows from 1 on, or a length of time: 30s, "),
        ("0s", "", "", "no length of time"),
        ("999999d", "", "", "too long"),
        ("", "1h", "2h", "--from 1h is after --to 2h"),
    ],
)
def test_periods_that_are_none(last: str, start: str, end: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        period(last, start, end, NOW)
