"""Scripts and their definitions through loki.v1, both ways."""

import msgspec
import pytest

from loki.errors import InvalidArgument, InvalidScript
from loki.grpc_gateway.convert.script import (
    definition_of,
    list_request,
    parameter_to_proto,
    script_to_proto,
    type_of,
)
from loki.messages.script import Limits, Origin, Parameter, Script, ValueType
from loki.messages.value import pack, unpack
from loki.tool.file import read_upload
from loki.tool.rule import Rules
from loki.v1 import script_pb2, service_pb2

RULES = Rules(
    compile=lambda _script: None,
    modules=(),
    defaults=Limits(max_memory_mb=3),
    ceiling=Limits(),
    default_permissions={},
    script_storage_path=None,
)


def test_every_type_has_its_name_in_the_api() -> None:
    for kind in ValueType:
        number = parameter_to_proto(Parameter(name="p", type=kind)).type
        assert type_of(number, "type") == {"type": kind.value}


def test_s_3_1_5_a_definition_is_what_a_tool_file_would_say() -> None:
    script = Script(
        name="average",
        source="return 1",
        chunk="average",
        description="Mean",
        parameters=(
            Parameter(name="sensor", type=ValueType.STRING, description="Id"),
            Parameter(
                name="n",
                type=ValueType.INTEGER,
                required=False,
                default=pack(5),
                minimum=1,
                maximum=2**53 + 1,
            ),
        ),
        return_type=ValueType.NUMBER,
        limits=Limits(max_memory_mb=7),
        idempotent=True,
        wait_for_child_ms=250,
        origin=Origin.REGISTERED,
    )
    definition = script_to_proto(script, "").definition
    table = unpack(definition_of(definition))
    assert isinstance(table, dict)
    read = read_upload(table, RULES)
    bare = msgspec.structs.replace(read, revision="", declared_in="")
    assert bare == script


def test_what_was_not_said_is_not_said() -> None:
    definition = script_pb2.ScriptDefinition(name="a", source="return 1")
    definition.parameters.add(name="p", type=script_pb2.VALUE_TYPE_STRING)
    assert unpack(definition_of(definition)) == {
        "name": "a",
        "script": {"inline": "return 1"},
        "parameters": [{"name": "p", "type": "string"}],
    }


def test_an_empty_manifest_allows_nothing_and_is_said() -> None:
    definition = script_pb2.ScriptDefinition(permissions=script_pb2.PermissionManifest())
    definition.limits.max_memory_mb = 0
    table = unpack(definition_of(definition))
    assert isinstance(table, dict)
    assert table["permissions"] == {}
    assert table["limits"] == {"max_memory_mb": 0}


@pytest.mark.parametrize("number", [script_pb2.VALUE_TYPE_UNSPECIFIED, 77])
def test_a_type_nobody_knows_is_refused_by_the_library(number: int) -> None:
    definition = script_pb2.ScriptDefinition(name="a", source="return 1", return_type=number)
    table = unpack(definition_of(definition))
    assert isinstance(table, dict)
    with pytest.raises(InvalidScript) as raised:
        read_upload(table, RULES)
    assert raised.value.details["field"].endswith("return_type")


@pytest.mark.parametrize(("asked", "size"), [(0, 100), (1, 1), (1000, 1000), (1001, 1000)])
def test_s_3_1_4_page_sizes(asked: int, size: int) -> None:
    request = service_pb2.ListScriptsRequest(page_size=asked)
    assert list_request(request).page_size == size


def test_a_negative_page_size_is_refused() -> None:
    with pytest.raises(InvalidArgument) as raised:
        list_request(service_pb2.ListScriptsRequest(page_size=-1))
    assert raised.value.details == {"field": "page_size"}
