"""Arguments of a call, checked against what its script declares and completed by its defaults."""

import math
from collections.abc import Mapping

from loki.core.name import suggest
from loki.errors import InvalidArgument
from loki.messages.script import Parameter, Script, ValueType
from loki.messages.value import INT64, ScriptValue, check, unpack

SHOWN = 60


def bind(script: Script, given: Mapping[str, ScriptValue]) -> dict[str, ScriptValue]:
    """The complete, typed arguments of one call, in the order of declaration.

    A null stands for "not given". What is neither given nor has a default is left out. An
    integral float passes as an integer, an integer as a number and UTF-8 text as bytes; nothing
    else is converted.

    Raises: InvalidArgument with `details["field"]`, for the first argument that is unknown,
    missing, mistyped or out of range.
    """
    known = [parameter.name for parameter in script.parameters]
    for name in given:
        if name not in known:
            raise _unknown(script, name, known)
    bound: dict[str, ScriptValue] = {}
    for parameter in script.parameters:
        value = _value_of(script, parameter, given.get(parameter.name))
        if value is not None:
            bound[parameter.name] = value
    return bound


def fit(parameter: Parameter, value: ScriptValue) -> ScriptValue:
    """`value` in the parameter's type and range.

    Raises: InvalidArgument that shows what was expected and what was given.
    """
    try:
        check(value, parameter.name)
    except InvalidArgument as error:
        raise _invalid(parameter.name, error.message) from error
    typed = _typed(parameter.type, value)
    if typed is None:
        expected = _article(parameter.type.value)
        raise _invalid(parameter.name, f"expected {expected}, got {describe(value)}")
    if isinstance(typed, int | float) and not isinstance(typed, bool):
        _check_finite(parameter, typed)
        _check_range(parameter, typed)
    return typed


def describe(value: ScriptValue) -> str:
    """A value in an error text: its type in script authors' words, and its start."""
    text = repr(value)
    return f"{type_name(value)} {text if len(text) <= SHOWN else text[:SHOWN] + '…'}"


def type_name(value: ScriptValue) -> str:
    """The declared type that a value would have by itself."""
    match value:
        case None:
            return "null"
        case bool():
            return ValueType.BOOLEAN.value
        case int():
            return ValueType.INTEGER.value
        case float():
            return ValueType.NUMBER.value
        case str():
            return ValueType.STRING.value
        case bytes():
            return ValueType.BYTES.value
        case list():
            return ValueType.ARRAY.value
        case dict():
            return ValueType.OBJECT.value


def _value_of(script: Script, parameter: Parameter, given: ScriptValue) -> ScriptValue:
    if given is not None:
        return fit(parameter, given)
    if parameter.required:
        raise _invalid(
            parameter.name,
            f"'{script.name}' requires this argument ({_article(parameter.type.value)})",
        )
    return unpack(parameter.default)


def _typed(type_: ValueType, value: ScriptValue) -> ScriptValue:
    """None where the value is not of the type."""
    match type_, value:
        case ValueType.ANY, _:
            return value
        case ((ValueType.INTEGER | ValueType.NUMBER), bool()):
            return None
        case ValueType.INTEGER, float() if value.is_integer() and int(value) in INT64:
            return int(value)
        case ValueType.NUMBER, int():
            return float(value)
        case ValueType.BYTES, str():
            return value.encode()
    return value if type_.value == type_name(value) else None


def _check_finite(parameter: Parameter, value: int | float) -> None:
    """What declares a number counts or measures; without a declared type anything passes."""
    if parameter.type is ValueType.NUMBER and not math.isfinite(value):
        raise _invalid(parameter.name, f"expected a finite number, got {value}")


def _check_range(parameter: Parameter, value: int | float) -> None:
    low, high = parameter.minimum, parameter.maximum
    if (low is not None and not low <= value) or (high is not None and not value <= high):
        raise _invalid(parameter.name, f"expected {_range(low, high)}, got {value}")


def _range(low: float | None, high: float | None) -> str:
    if low is None:
        return f"at most {high}"
    return f"at least {low}" if high is None else f"{low} to {high}"


def _unknown(script: Script, name: str, known: list[str]) -> InvalidArgument:
    takes = f"it takes {', '.join(known)}" if known else "it takes none"
    hint = suggest(name, known)
    return _invalid(name, f"'{script.name}' has no such parameter; {takes}{hint}")


def _invalid(field: str, text: str) -> InvalidArgument:
    return InvalidArgument(f"argument '{field[:SHOWN]}': {text}", details={"field": field})


def _article(type_: str) -> str:
    return f"an {type_}" if type_[0] in "aio" else f"a {type_}"
