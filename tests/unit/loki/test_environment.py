"""Settings of the environment, and where they go."""

from typing import Any

import pytest

from loki.environment import from_environment, overlaid


def test_a_variable_is_the_place_of_a_setting() -> None:
    found = from_environment({"LOKI_QUEUE__MAX_LENGTH": "5", "LOKI_TOKEN_FILE": "t", "HOME": "/"})
    assert found == {("queue", "max_length"): ("LOKI_QUEUE__MAX_LENGTH", 5)}


@pytest.mark.parametrize(
    ("text", "value"),
    [("5", 5), ("true", True), ('["a"]', ["a"]), ("a b", "a b"), ("", ""), ("{a = 1}", {"a": 1})],
)
def test_a_value_is_toml_or_text(text: str, value: object) -> None:
    assert from_environment({"LOKI_X": text}) == {("x",): ("LOKI_X", value)}


@pytest.mark.parametrize(
    ("data", "values", "result"),
    [
        ({}, {("a", "b"): 1}, {"a": {"b": 1}}),
        ({"a": {"b": 1, "c": 2}}, {("a", "b"): 3}, {"a": {"b": 3, "c": 2}}),
        ({"a": 5}, {("a", "b"): 1}, {"a": 5}),
        ({"a": {"b": 1}}, {("a",): 2}, {"a": 2}),
    ],
)
def test_it_wins_over_the_file(
    data: dict[str, Any], values: dict[Any, object], result: dict[str, Any]
) -> None:
    before = repr(data)
    assert overlaid(data, values) == result
    assert repr(data) == before
