import pytest
from hypothesis import given
from hypothesis import strategies as st

from loki.core.name import NAME
from loki.v1_name import camel_case, snake_case


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


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("read_sensor", "read_sensor"),
        ("read_2", "read_2"),
        ("ReadSensor", "read_sensor"),
        ("readSensor", "read_sensor"),
        ("readHTTP", "read_h_t_t_p"),
        ("_x__y_", "x_y"),
        ("a_B", "a_b"),
    ],
)
def test_snake_case_form(name: str, form: str) -> None:
    assert snake_case(name) == form


@given(st.from_regex(NAME, fullmatch=True).filter(lambda name: camel_case(name)[:1].isalpha()))
def test_the_two_forms_tell_the_same_names_apart(name: str) -> None:
    assert camel_case(snake_case(name)) == camel_case(name)
