"""Which refusals are logged, and how many are only counted."""

import pytest

from loki.core.access.denial import (
    LONGEST_NAME,
    MOST_CALLERS,
    OTHERS,
    Denial,
    Denials,
    denial_of,
    shown,
)
from loki.core.access.principal import OutOfReach, Principal, unseen
from loki.errors import ErrorCode, LokiError

PUMP = Principal("pump", frozenset(), ("pump_*",))
ROLE = LokiError("needs 'run'", code=ErrorCode.ROLE, details={"principal": "pump"})


@pytest.mark.parametrize(
    ("error", "denial"),
    [
        (
            OutOfReach(unseen("vault"), PUMP, "vault"),
            Denial("pump", "none of its scripts is named 'vault'"),
        ),
        (ROLE, Denial("pump", "needs 'run'")),
        (LokiError("who?", code=ErrorCode.NO_CREDENTIALS), Denial("", "who?")),
        (LokiError("whence?", code=ErrorCode.ORIGIN), Denial("", "whence?")),
        (unseen("vault"), None),
        (LokiError("a script may not", code=ErrorCode.SCRIPT_PERMISSION), None),
    ],
)
def test_what_is_a_denial(error: LokiError, denial: Denial | None) -> None:
    assert denial_of(error) == denial


def test_the_log_is_not_at_the_mercy_of_what_a_caller_sends() -> None:
    assert shown("Jörmungandr") == "'Jörmungandr'"
    assert shown("a\nrefused root: \x1b[2J") == r"'a\nrefused root: \x1b[2J'"
    assert len(shown("x" * 5_000_000)) == LONGEST_NAME + 3


def test_the_first_of_each_caller_is_logged_and_the_rest_counted() -> None:
    denials = Denials()
    assert not denials
    assert denials.note("a") == "a"
    assert denials.note("b") == "b"
    assert [denials.note("a") for _ in range(3)] == ["", "", ""]
    assert denials
    assert denials.close() == {"a": 3}


def test_who_was_refused_again_is_counted_in_the_next_minute_too() -> None:
    denials = Denials()
    for _ in range(2):
        denials.note("a")
    denials.close()
    assert denials.note("a") == ""
    assert denials.close() == {"a": 1}
    assert denials.close() == {}
    assert not denials
    assert denials.note("a") == "a"


def test_many_callers_are_counted_together() -> None:
    denials = Denials()
    for number in range(MOST_CALLERS):
        assert denials.note(str(number)) == str(number)
    assert [denials.note(name) for name in ("x", "y", "z")] == [OTHERS, "", ""]
    assert denials.close() == {OTHERS: 2}
