"""Times of series as people read them."""

from datetime import UTC, datetime, timedelta

from hel_actor.series.series import US_NS

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def utc(time_ns: int) -> str:
    """As ISO 8601, to the microsecond, which no row's time is finer than.

    All that 64 bits can say, and windows that begin before it, are within its years, 1 to 9999.
    """
    time = EPOCH + timedelta(microseconds=time_ns // US_NS)
    return f"{time.replace(tzinfo=None).isoformat()}Z"
