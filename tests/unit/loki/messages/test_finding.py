"""Which findings say that something has to be put right."""

from loki.messages.finding import Need


def test_a_hint_is_no_trouble() -> None:
    assert {need for need in Need if need.is_well} == {Need.NOBODY, Need.HINT}
