"""Every rule of one tool, through the only door that gateway uploads have."""

import contextlib
import datetime
import math
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loki.core.run.argument import bind
from loki.core.run.manifest import UPLOADED
from loki.errors import CompilationError, ErrorCode, InvalidScript
from loki.messages.lua_module import LuaModule, PermissionKey, PermissionShape
from loki.messages.script import Limits, Origin, Script, ValueType
from loki.messages.value import unpack
from loki.tool.definition import MAX_SOURCE_BYTES
from loki.tool.file import read_upload
from loki.tool.revision import revision_of
from loki.tool.rule import Rules

GPIO = PermissionKey(name="gpio", shape=PermissionShape.LIST, doc="")
MODULE = LuaModule(name="fenrir", child="fenrir", doc="", functions=(), permissions=(GPIO,))
CEILING = Limits(
    max_execution_time_ms=1000,
    max_cpu_time_ms=500,
    max_cpu_percent=80,
    max_memory_mb=16,
    max_disk_mb=4,
    max_output_kb=32,
    max_calls_in_flight=20,
)
RULES = Rules(
    compile=lambda _: None,
    modules=(MODULE,),
    defaults=Limits(max_execution_time_ms=900, max_output_kb=16),
    ceiling=CEILING,
    default_permissions={"gpio": ("4",)},
)


def table(**keys: object) -> dict[str, object]:
    return {"name": "average", "return_type": "number", "script": {"inline": "return 1"}, **keys}


def parameter(**keys: object) -> dict[str, object]:
    return table(parameters=[{"name": "x", "type": "string", **keys}])


def read(definition: Mapping[str, object]) -> Script:
    return read_upload(definition, RULES)


def refused(definition: Mapping[str, object]) -> InvalidScript:
    with pytest.raises(InvalidScript) as caught:
        read(definition)
    assert caught.value.code is ErrorCode.SCRIPT_INVALID
    return caught.value


def test_s_1_1_4_a_full_definition_becomes_a_script() -> None:
    script = read(
        table(
            description="Mean",
            parameters=[
                {"name": "sensor", "type": "string", "description": "Id"},
                {"name": "n", "type": "integer", "default": 5, "minimum": 1, "maximum": 100},
                {"name": "unit", "type": "string", "required": False},
            ],
            limits={"max_memory_mb": 16},
            permissions={"gpio": [17, "led"]},
        )
    )
    sensor, count, unit = script.parameters
    assert (sensor.required, sensor.description) == (True, "Id")
    assert (count.required, unpack(count.default)) == (False, 5)
    assert (count.minimum, count.maximum) == (1, 100)
    assert (unit.required, unpack(unit.default)) == (False, None)
    assert (script.name, script.chunk, script.source) == ("average", "average", "return 1")
    assert (script.description, script.return_type) == ("Mean", ValueType.NUMBER)
    assert (script.origin, script.declared_in) == (Origin.REGISTERED, UPLOADED)
    assert script.permissions == {"gpio": ("17", "led")}
    assert script.revision == revision_of(script)


@pytest.mark.parametrize("name", ["a", "_a", "ReadSensor", "a_1", "a" * 64])
def test_s_2_1_1_good_names(name: str) -> None:
    assert read(table(name=name)).name == name


@pytest.mark.parametrize(
    "name", ["", "1a", "a-b", "a b", "ä", "a\n", "a.b", "a" * 65, "_", "__", "_1", 3, None]
)
def test_s_2_1_1_bad_names(name: object) -> None:
    assert refused(table(name=name)).details == {"field": "name"}
    assert refused(parameter(name=name)).details == {"field": "parameters[1].name"}


@pytest.mark.parametrize(("first", "second"), [("x", "x"), ("a_b", "aB"), ("_x", "x")])
def test_s_2_1_1_parameter_names_differ_in_camel_case_too(first: str, second: str) -> None:
    parameters = [{"name": name, "type": "string"} for name in (first, second)]
    error = refused(table(parameters=parameters))
    assert error.details == {"field": "parameters[2].name"}
    assert "names must differ" in error.message


@pytest.mark.parametrize("key", ["name", "return_type", "script"])
def test_s_2_3_1_required_keys(key: str) -> None:
    definition = table()
    del definition[key]
    error = refused(definition)
    assert error.details == {"field": key}
    assert error.message == f"{key}: is required"


@pytest.mark.parametrize(
    ("definition", "key", "hint"),
    [
        (table(retrun_type="number"), "retrun_type", "did you mean 'return_type'?"),
        (parameter(tpye="string"), "parameters[1].tpye", "did you mean 'type'?"),
        (table(limits={"max_memory": 1}), "limits.max_memory", "did you mean 'max_memory_mb'?"),
        (table(script={"inlin": "x"}), "script.inlin", "did you mean 'inline'?"),
        (table(permissions={"gpoi": [1]}), "permissions.gpoi", "did you mean 'gpio'?"),
        (table(return_type="nubmer"), "return_type", "did you mean 'number'?"),
        (table(language="luau"), "language", "did you mean 'lua'?"),
        (parameter(type="strng"), "parameters[1].type", "did you mean 'string'?"),
    ],
)
def test_s_2_3_1_mistyped_keys_and_words_get_a_hint(
    definition: dict[str, object], key: str, hint: str
) -> None:
    error = refused(definition)
    assert error.details == {"field": key}
    assert hint in error.message


@pytest.mark.parametrize("type_", [t.value for t in ValueType if t not in (ValueType.ANY,)])
def test_s_2_1_3_return_types(type_: str) -> None:
    assert read(table(return_type=type_)).return_type.value == type_


@pytest.mark.parametrize("type_", ["any", "", "Number", 1])
def test_s_2_1_3_no_other_return_type(type_: object) -> None:
    assert refused(table(return_type=type_)).details == {"field": "return_type"}


@pytest.mark.parametrize("type_", ["void", "any", "", 1])
def test_s_2_1_2_no_other_parameter_type(type_: object) -> None:
    assert refused(parameter(type=type_)).details == {"field": "parameters[1].type"}


def test_s_2_1_2_at_most_64_parameters() -> None:
    names = [{"name": f"p{number}", "type": "string"} for number in range(65)]
    assert len(read(table(parameters=names[:64])).parameters) == 64
    error = refused(table(parameters=names))
    assert error.details == {"field": "parameters"}
    assert "must have at most 64 entries" in error.message


@pytest.mark.parametrize(
    ("rules", "default"),
    [
        ({"type": "string"}, ""),
        ({"type": "integer"}, 3),
        ({"type": "integer", "minimum": 1, "maximum": 3}, 3),
        ({"type": "number"}, 1.5),
        ({"type": "boolean"}, False),
        ({"type": "object"}, {"a": [1]}),
        ({"type": "array"}, [1, "a"]),
        ({"type": "bytes"}, b"\xff"),
    ],
)
def test_s_2_1_2_defaults_that_fit(rules: dict[str, object], default: object) -> None:
    assert bind(read(parameter(default=default, **rules)), {}) == {"x": default}


def test_s_2_1_2_defaults_are_converted_as_arguments_are() -> None:
    assert bind(read(parameter(type="bytes", default="å")), {}) == {"x": b"\xc3\xa5"}
    assert type(bind(read(parameter(type="number", default=1)), {})["x"]) is float


@pytest.mark.parametrize(
    ("rules", "text"),
    [
        ({"default": 1}, "expected a string, got integer 1"),
        ({"default": "a", "required": True}, "a required parameter has no default"),
        ({"type": "integer", "default": True}, "expected an integer, got boolean"),
        ({"type": "integer", "default": 0, "minimum": 1}, "expected at least 1, got 0"),
        ({"type": "number", "default": 9, "maximum": 8.5}, "expected at most 8.5, got 9.0"),
        ({"type": "integer", "default": 2**63}, "does not fit in 64 bits"),
        ({"type": "array", "default": [datetime.date(2026, 1, 1)]}, "date is no script value"),
        ({"default": datetime.date(2026, 1, 1)}, "date is no script value"),
    ],
)
def test_s_2_1_2_defaults_that_do_not_fit(rules: dict[str, object], text: str) -> None:
    error = refused(parameter(**rules))
    assert error.details == {"field": "parameters[1].default"}
    assert text in error.message


@pytest.mark.parametrize(
    ("rules", "key", "text"),
    [
        ({"minimum": 1}, "minimum", "only integers and numbers"),
        ({"type": "array", "maximum": 1}, "maximum", "only integers and numbers"),
        ({"type": "integer", "minimum": 2, "maximum": 1}, "maximum", "at least the minimum, 2"),
        ({"type": "number", "minimum": math.nan}, "minimum", "finite number"),
        ({"type": "number", "maximum": math.inf}, "maximum", "finite number"),
        ({"type": "number", "minimum": True}, "minimum", "finite number"),
        ({"type": "number", "minimum": "1"}, "minimum", "finite number"),
        ({"required": 1}, "required", "true or false"),
        ({"description": "x" * 4097}, "description", "must have at most 4096 characters"),
    ],
)
def test_s_2_1_2_parameter_rules(rules: dict[str, object], key: str, text: str) -> None:
    error = refused(parameter(**rules))
    assert error.details == {"field": f"parameters[1].{key}"}
    assert text in error.message


def test_s_2_1_2_a_range_of_one_value_is_one() -> None:
    assert bind(read(parameter(type="integer", minimum=2, maximum=2)), {"x": 2}) == {"x": 2}


@pytest.mark.parametrize("script", [{}, {"path": "a.lua", "inline": "return 1"}])
def test_s_2_1_4_exactly_one_source(script: dict[str, object]) -> None:
    error = refused(table(script=script))
    assert error.details == {"field": "script"}
    assert "exactly one of path" in error.message


@pytest.mark.parametrize("inline", ["", " \n\t"])
def test_s_2_3_1_inline_is_not_empty(inline: str) -> None:
    error = refused(table(script={"inline": inline}))
    assert error.details == {"field": "script.inline"}
    assert "empty" in error.message


def test_s_2_3_1_an_upload_names_no_file() -> None:
    error = refused(table(script={"path": "/etc/passwd"}))
    assert error.details == {"field": "script.path"}
    assert "use inline" in error.message


def test_s_r_3_sources_are_bounded() -> None:
    most = "-" * MAX_SOURCE_BYTES
    assert read(table(script={"inline": most})).source == most
    assert "longer than" in refused(table(script={"inline": most + "-"})).message


def test_s_2_2_1_line_ends_of_an_upload_become_one_kind() -> None:
    assert read(table(script={"inline": "a()\r\nb()"})).source == "a()\nb()"


LIMIT_NAMES = Limits.__struct_fields__


@pytest.mark.parametrize("name", LIMIT_NAMES)
def test_s_4_3_3_a_limit_reaches_its_ceiling_and_no_further(name: str) -> None:
    top: int = getattr(CEILING, name)
    assert getattr(read(table(limits={name: top})).limits, name) == top
    error = refused(table(limits={name: top + 1}))
    assert error.details == {"field": f"limits.{name}"}
    assert f"limits.{name} = {top + 1}" in error.message
    assert f"resource_limits.ceiling.{name} = {top}" in error.message


def test_s_4_3_3_what_a_tool_does_not_limit_gets_the_defaults_under_the_ceiling() -> None:
    limits = read(table(limits={"max_memory_mb": 3})).limits
    assert limits == Limits(
        max_execution_time_ms=900,
        max_cpu_time_ms=500,
        max_cpu_percent=50,
        max_memory_mb=3,
        max_disk_mb=4,
        max_output_kb=16,
        max_calls_in_flight=16,
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_memory_mb", 0),
        ("max_execution_time_ms", 0),
        ("max_cpu_percent", 0),
        ("max_cpu_percent", 101),
        ("max_disk_mb", -1),
        ("max_output_kb", 1.5),
        ("max_cpu_time_ms", True),
        ("max_memory_mb", "4"),
    ],
)
def test_s_2_3_1_limits_in_range(name: str, value: object) -> None:
    assert refused(table(limits={name: value})).details == {"field": f"limits.{name}"}


def test_a_tool_without_manifest_gets_the_default_permissions() -> None:
    assert read(table()).permissions == {"gpio": ("4",)}
    assert read(table(permissions={})).permissions == {}


def test_s_2_3_1_every_problem_is_told_at_once() -> None:
    error = refused(
        {
            "name": "1",
            "return_type": "x",
            "script": {},
            "limits": {"max_memory_mb": 17, "max_disk_mb": -1},
            "permissions": {"a": 1, "gpio": 1},
            "parameters": [{"name": "1", "type": "x"}, {"name": "y", "type": "integer", "z": 1}],
        }
    )
    keys = {line.partition(":")[0].partition(" = ")[0] for line in error.message.splitlines()}
    assert keys == {
        "name",
        "return_type",
        "script",
        "limits.max_memory_mb",
        "limits.max_disk_mb",
        "permissions.a",
        "permissions.gpio",
        "parameters[1].name",
        "parameters[1].type",
        "parameters[2].z",
    }


def test_s_2_3_1_an_upload_that_does_not_compile_keeps_the_compilers_error() -> None:
    def refuse(_: Script) -> None:
        raise CompilationError("average:1: unexpected symbol", details={"line": "1"})

    with pytest.raises(CompilationError) as caught:
        read_upload(table(), Rules(compile=refuse))
    assert caught.value.details == {"line": "1"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
KEYS = ["name", "type", "description", "parameters", "return_type", "script", "limits"]


@given(st.dictionaries(st.sampled_from([*KEYS, "permissions", "x"]), JSON))
def test_s_r_3_whatever_is_uploaded_is_a_script_or_refused(definition: dict[str, object]) -> None:
    script = None
    with contextlib.suppress(InvalidScript):  # Any other exception fails the test.
        script = read({**table(), **definition})
    assert script is None or script.revision == revision_of(script)


@given(st.text(min_size=1, max_size=64), st.integers(-(2**63), 2**63 - 1))
def test_s_1_1_4_what_is_read_is_what_was_written(text: str, number: int) -> None:
    script = read(
        table(
            description=text,
            parameters=[
                {"name": "t", "type": "string", "default": text},
                {"name": "n", "type": "integer", "default": number, "minimum": number},
            ],
        )
    )
    assert script.description == text
    assert bind(script, {}) == {"t": text, "n": number}
    assert read(table(description=text)).revision == read(table()).revision


def test_idempotent_is_said_or_not() -> None:
    plain, declared = read(table()), read(table(idempotent=True))
    assert (plain.idempotent, declared.idempotent) == (False, True)
    assert plain.revision != declared.revision  # Its runs end otherwise.
    assert "idempotent" in refused(table(idempotent="yes")).details["field"]


def test_how_long_it_waits_for_a_child_is_said_or_not() -> None:
    assert read(table()).wait_for_child_ms == 0
    assert read(table(wait_for_child_ms=250)).wait_for_child_ms == 250
    for wrong in (-1, "1", True, 2**31):
        assert "wait_for_child_ms" in refused(table(wait_for_child_ms=wrong)).details["field"]
