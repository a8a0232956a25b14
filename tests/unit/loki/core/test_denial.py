"""Which refusals are logged, and how many are only counted."""

from loki.core.denial import MOST_CALLERS, OTHERS, Denials


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
