"""What is said of a certificate at which time: a table."""

from datetime import UTC, datetime, timedelta

import pytest

from loki.core.expiry import finding
from loki.messages.finding import Need

BEGIN, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)
INSTANT = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("now", "need", "text"),
    [
        (BEGIN - INSTANT, Need.PERSON, "holds from 2026-01-01 00:00 UTC on only"),
        (BEGIN, Need.NOBODY, "holds until 2028-01-01"),
        (END - timedelta(days=30), Need.NOBODY, "holds until 2028-01-01"),
        (
            END - timedelta(days=30) + INSTANT,
            Need.PERSON,
            "holds until 2028-01-01, which is in 29 days",
        ),
        (END - INSTANT, Need.PERSON, "holds until 2028-01-01, which is in 0 days"),
        (END, Need.PERSON, "has expired, on 2028-01-01"),
    ],
)
def test_what_is_said(now: datetime, need: Need, text: str) -> None:
    found = finding("server.crt", BEGIN, END, now)
    assert (found.need, found.subject, found.text) == (need, "server.crt", text)
    assert bool(found.remedy) is (need is Need.PERSON)
