"""Values through the codec, both ways and through a real script."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loki.core.run.engine import Call, Finished
from loki.errors import ErrorCode, ExecutionError
from loki.lua.convert import as_declared, describe, exact_integer
from loki.messages.script import Limits, Script, ValueType
from loki.messages.value import MAX_DEPTH, ScriptValue

scalars = (
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
values = st.recursive(
    st.none() | scalars,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=60,
)


def without_nulls_in_objects(value: ScriptValue) -> ScriptValue:
    """What a script sees: a null in an object is an absent key."""
    match value:
        case list():
            return [without_nulls_in_objects(item) for item in value]
        case dict():
            return {
                key: without_nulls_in_objects(item)
                for key, item in value.items()
                if item is not None
            }
    return value


def same(a: ScriptValue, b: ScriptValue) -> bool:
    """Equal, with types and signs of zero."""
    match a, b:
        case list(), list():
            return len(a) == len(b) and all(map(same, a, b))
        case dict(), dict():
            return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
        case float(), float():
            return a == b and math.copysign(1, a) == math.copysign(1, b)
    return type(a) is type(b) and a == b


@pytest.fixture(scope="module")
def echo(engine):
    """Sends a value to Lua and back: as an answer, as an argument and as a result."""
    session = engine.prepare()
    source = "local v while true do v = board:set('echo', v) end"
    limits = Limits(max_memory_mb=256)
    session.start(Script(name="echo", source=source, chunk="echo", limits=limits), {})

    def send(value: ScriptValue) -> ScriptValue:
        step = session.resume(value)
        assert isinstance(step, Call)
        return step.arguments["value"]

    yield send
    session.close()


@settings(max_examples=400)
@given(values)
def test_s_4_2_4_values_survive_the_way_to_lua_and_back(echo, value):
    assert same(echo(value), without_nulls_in_objects(value))


@settings(max_examples=100)
@given(st.dictionaries(st.text(), values, max_size=3))
def test_s_4_2_4_arguments_survive_as_the_result(engine, params):
    session = engine.prepare()
    step = session.start(Script(name="e", source="return params", chunk="e"), params)
    assert isinstance(step, Finished)
    assert same(step.value, without_nulls_in_objects(params))


@settings(max_examples=200)
@given(st.binary(max_size=300))
def test_s_4_2_4_bytes_survive_where_they_are_marked(engine, data):
    session = engine.prepare()
    script = Script(name="e", source="return {loki.bytes(params.data), #params.data}", chunk="e")
    step = session.start(script, {"data": data})
    assert step == Finished([data, len(data)])


@settings(max_examples=200)
@given(st.binary(max_size=30))
def test_lua_and_python_agree_on_utf_8(engine, data):
    session = engine.prepare()
    step = session.start(Script(name="e", source="return params.data", chunk="e"), {"data": data})
    try:
        assert step == Finished(data.decode())
    except UnicodeDecodeError:
        assert not isinstance(step, Finished)


@pytest.mark.parametrize("count", [0, 15, 16, 17, 255, 256, 65535, 65536])
def test_sizes_around_the_marks_of_the_format(echo, count):
    for value in ("x" * count, [1] * count, {str(i): i for i in range(count)}):
        assert echo(value) == value


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("return 0/0", "result: -nan is no value that can leave a script"),
        ("return {1/0}", "result[1]: inf is no value"),
        ("return {a = {b = -1/0}}", "result.a.b: -inf is no value"),
        ("return {items = {1, 2, {name = print}}}", "result.items[3].name: a function cannot"),
        ("return {['a b'] = {['c\\n'] = print}}", 'result["a b"]["c\\\n"]: a function cannot'),
        ("return {1, nil, 3}", "result: a hole at [2]; fill holes with loki.null"),
        ("return {1, x = 2}", "result: an array with other keys"),
        ("return {[1.5] = 2}", "result: a key of type number"),
        ("return {[true] = 2}", "result: a key of type boolean"),
        ("return {[5] = 2}", "result: a key of type number"),
        ("return {['\\xff'] = 2}", "a string that is not UTF-8; wrap binary data in loki.bytes"),
        ("return '\\xed\\xa0\\x80'", "result: a string that is not UTF-8"),
        ("return loki.array({x = 1})", "result: an array with other keys"),
        ("local t = {} t.a = {t} return t", "result.a[1]: the table contains itself"),
        ("return {coroutine.create(print)}", "result[1]: a thread cannot leave a script"),
        ("return ('x'):rep(9 * 1024 * 1024)", "result: the value is larger than 8 MiB"),
    ],
)
def test_s_4_2_4_what_no_client_could_read_is_refused_by_place(play, source, complaint):
    failed = play(source, max_memory_mb=64).failed
    assert failed.code is ErrorCode.SCRIPT_ERROR
    assert complaint in failed.message


def test_a_refused_value_does_not_spoil_the_next(play):
    source = "local t = {} t.t = t pcall(loki.emit, {1, t}) loki.emit({t = {}}) return {t.x, 1}"
    run = play("local t = {} local u = {u = t} t.u = u pcall(loki.emit, {u}) t.u = nil return u")
    assert run.value == {"u": {}}
    assert len(play(source).steps) == 2


def test_shared_tables_are_no_cycle(play):
    assert play("local t = {1} return {t, t}").value == [[1], [1]]


def test_metamethods_do_not_run(play):
    source = """
        local loud = setmetatable({1}, {
          __index = error, __len = error, __pairs = error, __tostring = error, __eq = error,
        })
        return {loud, loud}
    """
    assert play(source).value == [[1], [1]]


def nested(depth: int) -> str:
    return f"local t = 1 for _ = 1, {depth} do t = {{t}} end return t"


def test_depth_has_one_limit_on_both_sides(play, echo):
    deep: ScriptValue = 1
    for _ in range(MAX_DEPTH):
        deep = [deep]
    assert play(nested(MAX_DEPTH)).value == deep
    assert echo(deep) == deep
    assert f"nested deeper than {MAX_DEPTH}" in play(nested(MAX_DEPTH + 1)).failed.message
    assert f"nested deeper than {MAX_DEPTH}" in play(nested(100_000)).failed.message


def test_null_is_nil_and_keeps_its_place_in_arrays(play):
    source = "return {params.a == nil, params.b[2] == loki.null, #params.b, tostring(loki.null)}"
    value = play(source, params={"a": None, "b": [1, None, 3]}).value
    assert value == [True, True, 3, "null"]


def test_an_empty_array_stays_one(play):
    assert play("return params", params={"a": [], "o": {}}).value == {"a": [], "o": {}}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "nil"),
        (True, "boolean true"),
        (3, "integer 3"),
        (2.5, "number 2.5"),
        ("on", 'string "on"'),
        ("x" * 41, f'string "{"x" * 40}..."'),
        (b"abc", "bytes of length 3"),
        ([], "array"),
        ({}, "object"),
    ],
)
def test_values_in_words(value, words):
    assert describe(value) == words


@pytest.mark.parametrize(
    ("value", "whole"),
    [
        (2.0, 2),
        (-0.0, 0),
        (2.5, None),
        (math.inf, None),
        (math.nan, None),
        (2.0**63, None),
        (-(2.0**63), -(2**63)),
        (2.0**53 + 2, 2**53 + 2),
    ],
)
def test_whole_floats(value, whole):
    assert exact_integer(value) == whole


@given(values, st.sampled_from(ValueType))
def test_a_result_is_of_its_declared_type_or_refused(value, declared):
    wanted = {
        ValueType.STRING: str,
        ValueType.INTEGER: int,
        ValueType.NUMBER: float,
        ValueType.BOOLEAN: bool,
        ValueType.OBJECT: dict,
        ValueType.ARRAY: list,
        ValueType.BYTES: bytes,
        ValueType.VOID: type(None),
    }
    fits = declared is ValueType.ANY or type(value) is wanted[declared]
    try:
        result = as_declared(value, declared)
    except ExecutionError:
        assert not fits
    else:
        assert declared is ValueType.ANY or type(result) is wanted[declared]
        assert not fits or result == value
