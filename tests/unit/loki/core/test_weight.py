"""A value's weight is at least what it takes on the wire."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loki.core.weight import VALUE_BYTES, too_heavy
from loki.v1_value import to_proto

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.text(max_size=20),
    st.binary(max_size=20),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=8), st.dictionaries(st.text(max_size=9), inner, max_size=8)
    ),
)


@given(values)
def test_what_is_light_enough_takes_no_more_in_a_message(value: Any) -> None:
    size_bytes = to_proto(value).ByteSize()
    assert too_heavy(value, size_bytes - 1)


@pytest.mark.parametrize(
    ("value", "weight"),
    [
        (None, VALUE_BYTES),
        (-1, VALUE_BYTES),
        ("ö€", VALUE_BYTES + 5),
        (b"abc", VALUE_BYTES + 3),
        ([], VALUE_BYTES),
        ([[1], "a"], 4 * VALUE_BYTES + 1),
        ({"ab": [-1]}, 4 * VALUE_BYTES + 2),
    ],
)
def test_weights(value: Any, weight: int) -> None:
    assert not too_heavy(value, weight)
    assert too_heavy(value, weight - 1)


class Counted(str):
    """Counts how often it is looked at."""

    looks = 0

    def encode(self, *arguments: Any, **options: Any) -> bytes:
        Counted.looks += 1
        return super().encode(*arguments, **options)


def test_what_is_too_heavy_is_not_looked_at_to_its_end() -> None:
    assert too_heavy([[Counted("a")] * 100_000, Counted("b")], 1000)
    assert Counted.looks <= 1
