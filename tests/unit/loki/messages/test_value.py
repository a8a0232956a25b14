"""Packed values are exact, and what no script can hold is refused with its place."""

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loki.errors import InvalidArgument
from loki.messages.value import MAX_DEPTH, ScriptValue, check, pack, sound, unpack

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
)
values = st.recursive(
    scalars, lambda v: st.lists(v, max_size=5) | st.dictionaries(st.text(), v, max_size=5)
)


odd = st.recursive(
    scalars | st.sampled_from([2**63, -(2**63) - 1, 10**40, {1}, 1j, object]),
    lambda v: st.lists(v, max_size=4) | st.dictionaries(st.text(max_size=3), v, max_size=4),
)


@given(odd)
def test_what_is_unsound_has_a_place_and_nothing_else_has(value: ScriptValue) -> None:
    if sound(value):
        check(value, "x")
        return
    with pytest.raises(InvalidArgument, match=r"^x"):
        check(value, "x")


@pytest.mark.parametrize("wrap", [lambda v: [0, v], lambda v: {"a": 0, "b": v}])
def test_nesting_is_bounded_alike_for_arrays_and_objects(
    wrap: Callable[[ScriptValue], ScriptValue],
) -> None:
    value: ScriptValue = 1
    for _ in range(MAX_DEPTH):
        value = wrap(value)
    assert sound(value)
    assert not sound(wrap(value))


@given(values)
def test_pack_and_unpack_is_identity(value: ScriptValue) -> None:
    again = unpack(pack(value))
    assert again == value
    assert type(again) is type(value)


@pytest.mark.parametrize("number", [9007199254740993, 2**63 - 1, -(2**63)])
def test_integers_of_64_bits_are_exact(number: int) -> None:
    assert unpack(pack(number)) == number


def test_integral_floats_stay_floats() -> None:
    assert isinstance(unpack(pack(5.0)), float)
    assert math.isnan(unpack(pack(math.nan)))  # type: ignore[arg-type]  # It is a float.


def test_an_integer_beyond_64_bits_is_refused_with_its_place() -> None:
    with pytest.raises(InvalidArgument, match=r"value\.items\[2\]: 9223372036854775808 does not"):
        pack({"items": [1, 2**63]})


def test_deep_nesting_is_refused() -> None:
    value: ScriptValue = []
    for _ in range(MAX_DEPTH + 1):
        value = [value]
    with pytest.raises(InvalidArgument, match="nested deeper than 32"):
        pack(value)


@pytest.mark.parametrize(
    ("value", "named"), [(object(), "x: an object is"), ({1}, "x: a set is"), (1j, "x: a complex")]
)
def test_what_no_script_can_hold_is_named(value: object, named: str) -> None:
    with pytest.raises(InvalidArgument, match=f"^{named}"):
        check(value, "x")  # type: ignore[arg-type]
