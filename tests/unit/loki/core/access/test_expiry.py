"""What is said of a certificate at which time, and which of two is shown: tables."""

from datetime import UTC, datetime, timedelta

import pytest

from loki.core.access.expiry import Validity, choose, finding
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


NOW = datetime(2027, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
VALID = Validity(NOW - 9 * DAY, NOW + 9 * DAY)
EXPIRED = Validity(NOW - 9 * DAY, NOW)
LONG_EXPIRED = Validity(NOW - 9 * DAY, NOW - DAY)
FUTURE = Validity(NOW + DAY, NOW + 9 * DAY)
FAR_FUTURE = Validity(NOW + 2 * DAY, NOW + 10 * DAY)


@pytest.mark.parametrize(
    ("offered", "shown", "taken", "again"),
    [
        (VALID, VALID, True, None),
        (VALID, EXPIRED, True, None),
        (VALID, FUTURE, True, None),
        (EXPIRED, VALID, False, None),
        (FUTURE, VALID, False, FUTURE.begins),
        (EXPIRED, LONG_EXPIRED, True, None),
        (LONG_EXPIRED, EXPIRED, False, None),
        (FUTURE, EXPIRED, True, None),
        (EXPIRED, FUTURE, False, None),
        (FAR_FUTURE, FUTURE, True, None),
        (FUTURE, FAR_FUTURE, False, FUTURE.begins),
        (EXPIRED, EXPIRED, True, None),  # Such as with another host name.
    ],
)
def test_which_of_two_is_shown(
    offered: Validity, shown: Validity, taken: bool, again: datetime | None
) -> None:
    choice = choose(offered, shown, NOW)
    assert (choice.taken, choice.again) == (taken, again)
    assert bool(choice.problem) is not offered.holds(NOW)


@pytest.mark.parametrize(
    ("offered", "shown", "words"),
    [
        (EXPIRED, VALID, "has expired, on 2027-01-01; the one before, which holds until "),
        (EXPIRED, VALID, "until 2027-01-10, stays in use; renew it: "),
        (FUTURE, VALID, "holds from 2027-01-02 00:00 UTC on only; the one before"),
        (FUTURE, VALID, "stays in use until then; set the clock of this device"),
        (EXPIRED, LONG_EXPIRED, "; it is shown all the same, for neither holds now; renew it"),
        (LONG_EXPIRED, EXPIRED, "; the one before stays in use, for neither holds now; renew it"),
    ],
)
def test_what_is_said_of_one_that_does_not_hold(
    offered: Validity, shown: Validity, words: str
) -> None:
    assert words in choose(offered, shown, NOW).problem
