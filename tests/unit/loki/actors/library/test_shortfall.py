"""People hear of what lasts, once in the log and for as long as it does."""

import logging

import pytest

from loki.actors.library.shortfall import PATIENCE, Shortfall
from loki.errors import LokiError, ServiceUnavailable

AWAY = ServiceUnavailable("hel is not there")


@pytest.fixture
def shortfall() -> Shortfall:
    return Shortfall(logging.getLogger("loki.library"))


def fail(shortfall: Shortfall, attempts: int) -> None:
    for attempt in range(1, attempts + 1):
        shortfall.failed(attempt, AWAY)


def test_what_passes_soon_is_no_news(
    shortfall: Shortfall, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        fail(shortfall, PATIENCE - 1)
        shortfall.settled()
    assert shortfall.text == ""
    assert caplog.messages == []


def test_what_lasts_is_told_once_and_when_it_is_over(
    shortfall: Shortfall, caplog: pytest.LogCaptureFixture
) -> None:
    fail(shortfall, PATIENCE + 20)
    assert "hel is not there" in shortfall.text
    assert [(r.levelname, AWAY.message in r.message) for r in caplog.records] == [("WARNING", True)]
    shortfall.settled()
    shortfall.settled()
    assert shortfall.text == ""
    assert len(caplog.records) == 2
    fail(shortfall, PATIENCE)
    assert len(caplog.records) == 3, "the next time is news again"


def test_scripts_without_a_method_are_told_by_name_until_they_have_one(
    shortfall: Shortfall, caplog: pytest.LogCaptureFixture
) -> None:
    refused = {name: LokiError(f"no number for {name}") for name in ("one", "two", "three")}
    for _ in range(2):
        shortfall.renew(refused)
    assert len(caplog.messages) == 3
    assert "no number for one (and 2 more)" in shortfall.text
    shortfall.renew({}, among={"one", "two", "other"})
    assert shortfall.text.endswith("no number for three")
    shortfall.renew({"one": refused["one"]}, among={"one"})
    assert shortfall.text.endswith("(and 1 more)")
    shortfall.renew({})
    assert shortfall.text == ""


def test_what_waits_comes_before_what_never_comes(shortfall: Shortfall) -> None:
    shortfall.renew({"one": LokiError("no number for one")})
    fail(shortfall, PATIENCE)
    assert "hel is not there" in shortfall.text
    shortfall.settled()
    assert "no number for one" in shortfall.text
