from loki.core.name import suggest


def test_suggest_names_the_nearest_and_is_silent_without_one() -> None:
    assert suggest("sensr", ["n", "sensor"]) == "; did you mean 'sensor'?"
    assert suggest("zebra", ["n", "sensor"]) == ""
