import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loki.core.run.argument import bind
from loki.errors import ErrorCode, InvalidArgument
from loki.messages.script import Parameter, Script, ValueType
from loki.messages.value import ScriptValue, pack

INT64 = st.integers(-(2**63), 2**63 - 1)


def script(*parameters: Parameter) -> Script:
    return Script(name="average", source="return 1", chunk="average", parameters=parameters)


def of(type_: ValueType, **rules: object) -> Script:
    return script(Parameter(name="x", type=type_, **rules))  # type: ignore[arg-type]


def refused(target: Script, given_: dict[str, ScriptValue]) -> InvalidArgument:
    with pytest.raises(InvalidArgument) as caught:
        bind(target, given_)
    assert caught.value.code is ErrorCode.ARGUMENT_INVALID
    return caught.value


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        (ValueType.STRING, "a"),
        (ValueType.STRING, ""),
        (ValueType.INTEGER, 9007199254740993),
        (ValueType.INTEGER, -(2**63)),
        (ValueType.NUMBER, 1.5),
        (ValueType.BOOLEAN, False),
        (ValueType.OBJECT, {"a": [1, None]}),
        (ValueType.ARRAY, []),
        (ValueType.BYTES, b"\xff"),
    ],
)
def test_s_2_1_2_right_types_arrive_unchanged(type_: ValueType, value: ScriptValue) -> None:
    bound = bind(of(type_), {"x": value})["x"]
    assert bound == value
    assert type(bound) is type(value)


@pytest.mark.parametrize(
    ("type_", "value", "converted"),
    [
        (ValueType.INTEGER, 3.0, 3),
        (ValueType.NUMBER, 3, 3.0),
        (ValueType.BYTES, "å", b"\xc3\xa5"),
    ],
)
def test_s_2_1_2_only_these_are_converted(
    type_: ValueType, value: ScriptValue, converted: ScriptValue
) -> None:
    bound = bind(of(type_), {"x": value})["x"]
    assert bound == converted
    assert type(bound) is type(converted)


@pytest.mark.parametrize(
    ("type_", "value", "text"),
    [
        (ValueType.STRING, 1, "expected a string, got integer 1"),
        (ValueType.STRING, b"a", "expected a string, got bytes b'a'"),
        (ValueType.INTEGER, 3.5, "expected an integer, got number 3.5"),
        (ValueType.INTEGER, 1e300, "expected an integer, got number 1e+300"),
        (ValueType.INTEGER, 2.0**63, "expected an integer, got number"),
        (ValueType.INTEGER, math.nan, "expected an integer, got number nan"),
        (ValueType.INTEGER, math.inf, "expected an integer, got number inf"),
        (ValueType.NUMBER, math.nan, "expected a finite number, got nan"),
        (ValueType.NUMBER, -math.inf, "expected a finite number, got -inf"),
        (ValueType.INTEGER, True, "expected an integer, got boolean True"),
        (ValueType.INTEGER, "3", "expected an integer, got string '3'"),
        (ValueType.INTEGER, 2**63, "does not fit in 64 bits"),
        (ValueType.NUMBER, True, "expected a number, got boolean True"),
        (ValueType.NUMBER, "1", "expected a number, got string '1'"),
        (ValueType.BOOLEAN, 1, "expected a boolean, got integer 1"),
        (ValueType.OBJECT, [], "expected an object, got array []"),
        (ValueType.ARRAY, {}, "expected an array, got object {}"),
        (ValueType.BYTES, 1, "expected a bytes"),
    ],
)
def test_s_2_1_2_wrong_types_are_refused_by_name(
    type_: ValueType, value: ScriptValue, text: str
) -> None:
    error = refused(of(type_), {"x": value})
    assert error.details == {"field": "x"}
    assert error.message.startswith("argument 'x': ")
    assert text in error.message


def test_s_2_1_2_a_long_value_is_shown_shortened() -> None:
    assert len(refused(of(ValueType.INTEGER), {"x": "y" * 10_000}).message) < 200


@pytest.mark.parametrize("given_", [{}, {"x": None}])
def test_s_2_1_2_a_missing_required_argument_is_refused(given_: dict[str, ScriptValue]) -> None:
    error = refused(of(ValueType.STRING), given_)
    assert error.details == {"field": "x"}
    assert "requires" in error.message


def test_s_2_1_2_an_unknown_argument_is_refused_with_the_nearest_name() -> None:
    error = refused(script(Parameter(name="sensor", type=ValueType.STRING)), {"sensr": "a"})
    assert error.details == {"field": "sensr"}
    assert "did you mean 'sensor'?" in error.message


def test_s_2_1_2_a_script_without_parameters_takes_no_argument() -> None:
    assert "takes none" in refused(script(), {"x": 1}).message


@pytest.mark.parametrize("given_", [{}, {"x": None}])
def test_s_2_1_2_defaults_fill_in(given_: dict[str, ScriptValue]) -> None:
    target = of(ValueType.INTEGER, required=False, default=pack(5))
    assert bind(target, given_) == {"x": 5}
    assert bind(target, {"x": 6}) == {"x": 6}


@pytest.mark.parametrize("rules", [{}, {"default": pack(None)}])
def test_s_2_1_2_an_optional_argument_without_default_is_left_out(rules: dict[str, object]) -> None:
    assert bind(of(ValueType.STRING, required=False, **rules), {}) == {}


@pytest.mark.parametrize("value", [1, 100])
def test_s_2_1_2_the_ends_of_a_range_belong_to_it(value: int) -> None:
    assert bind(of(ValueType.INTEGER, minimum=1, maximum=100), {"x": value}) == {"x": value}


@pytest.mark.parametrize(
    ("rules", "value", "text"),
    [
        ({"minimum": 1, "maximum": 100}, 0.0, "expected 1 to 100, got 0.0"),
        ({"minimum": 1, "maximum": 100}, 101.0, "expected 1 to 100, got 101.0"),
        ({"minimum": 1}, 0.0, "expected at least 1, got 0.0"),
        ({"maximum": 1}, 2.0, "expected at most 1, got 2.0"),
        ({"minimum": 1}, math.nan, "got nan"),
        ({"maximum": 1}, math.nan, "got nan"),
        ({"maximum": 1}, math.inf, "got inf"),
    ],
)
def test_s_2_1_2_out_of_range_is_refused(rules: dict[str, object], value: float, text: str) -> None:
    assert text in refused(of(ValueType.NUMBER, **rules), {"x": value}).message


@given(INT64)
def test_s_2_1_2_every_64_bit_integer_survives(value: int) -> None:
    assert bind(of(ValueType.INTEGER), {"x": value}) == {"x": value}


@given(st.dictionaries(st.sampled_from(["a", "b", "c"]), INT64))
def test_s_2_1_2_what_is_bound_binds_to_itself(given_: dict[str, int]) -> None:
    parameters = (
        Parameter(name="a", type=ValueType.INTEGER, required=False, default=pack(1)),
        Parameter(name="b", type=ValueType.NUMBER, required=False),
        Parameter(name="c", type=ValueType.ANY, required=False),
    )
    bound = bind(script(*parameters), dict(given_))
    assert bind(script(*parameters), bound) == bound
    assert bound.keys() == given_.keys() | {"a"}
