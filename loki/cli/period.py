"""Times and lengths of time as people type them."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

UNITS_S = {"s": 1, "min": 60, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_LENGTH = re.compile(r"(\d+(?:\.\d+)?) ?(s|min|m|h|d|w)")
_ROWS = re.compile(r"\d+")
LAST_FORMS = "give a number of rows from 1 on, or a length of time: 30s, 15min, 24h, 7d or 2w"


@dataclass(frozen=True, slots=True)
class Period:
    """From one time on and before another, None is no bound; or, with `rows`, the last so many."""

    start: datetime | None = None
    end: datetime | None = None
    rows: int = 0


def period(last: str, start: str, end: str, now: datetime) -> Period:
    """What `--last`, `--from` and `--to` ask for; "" is not given. Raises: ValueError."""
    end_time = moment(end, now) if end else None
    if not last:
        start_time = moment(start, now) if start else None
        if start_time and end_time and end_time < start_time:
            raise ValueError(f"--from {start} is after --to {end}")
        return Period(start_time, end_time)
    if start:
        raise ValueError("--last and --from exclude each other")
    if _ROWS.fullmatch(last) and int(last) > 0:
        return Period(None, end_time, int(last))
    if not _LENGTH.fullmatch(last):
        raise ValueError(f"--last {last}: {LAST_FORMS}")
    return Period(_before(end_time or now, last), end_time)


def moment(text: str, now: datetime) -> datetime:
    """A time such as 2026-01-31, "2026-01-31 18:00", 18:00 of today, or 24h ago; aware.

    Without a zone it is of this computer's. Raises: ValueError.
    """
    if text == "now":
        return now
    if _LENGTH.fullmatch(text):
        return _before(now, text)
    try:
        today = now.astimezone().date().isoformat()
        return datetime.fromisoformat(f"{today} {text}" if ":" in text[:3] else text).astimezone()
    except (ValueError, OverflowError):
        raise ValueError(
            f"{text!r} is no time: write 2026-01-31, '2026-01-31 18:00', 18:00, or 24h, which is "
            "24 hours ago"
        ) from None


def length(text: str) -> timedelta:
    """Such as 30s, 15min, 24h, 7d or 2w. Raises: ValueError."""
    match = _LENGTH.fullmatch(text)
    if not match or not float(match[1]):
        raise ValueError(f"{text!r} is no length of time: write 30s, 15min, 24h, 7d or 2w")
    try:
        return timedelta(seconds=float(match[1]) * UNITS_S[match[2]])
    except OverflowError:
        raise ValueError(f"{text} is too long") from None


def _before(time: datetime, text: str) -> datetime:
    try:
        return time - length(text)
    except OverflowError:
        raise ValueError(f"{text} is too long") from None
