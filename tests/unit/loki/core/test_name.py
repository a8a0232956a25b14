import pytest

from loki.core.name import camel_case, suggest


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("read_sensor", "ReadSensor"),
        ("ReadSensor", "ReadSensor"),
        ("readSensor", "ReadSensor"),
        ("a1_b2", "A1B2"),
        ("_x__y_", "XY"),
        ("_", ""),
    ],
)
def test_camel_case_form(name: str, form: str) -> None:
    assert camel_case(name) == form


def test_suggest_names_the_nearest_and_is_silent_without_one() -> None:
    assert suggest("sensr", ["n", "sensor"]) == "; did you mean 'sensor'?"
    assert suggest("zebra", ["n", "sensor"]) == ""
