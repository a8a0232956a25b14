"""Typed services as descriptors, judged by protobuf and by buf."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2
from hypothesis import given, settings

from loki.grpc_gateway.typed import schema
from loki.messages.interface import Interface
from loki.messages.script import Parameter, ValueType
from loki.messages.value import pack
from tests.unit.loki.grpc_gateway.interface import (
    ODD,
    TYPES,
    classes,
    every_type,
    image,
    interface,
    interfaces,
)

BUF = Path(__file__).parents[4] / "e2e/node/node_modules/.bin/buf"
LINT = {"version": "v2", "lint": {"use": ["STANDARD", "COMMENTS"], "ignore": ["loki/v1", "google"]}}
KEYWORDS = (
    "message",
    "optional",
    "oneof",
    "package",
    "reserved",
    "class",
    "from",
    "lambda",
    "None",
)
NAMES = (
    "average",
    "read_2",
    "read2_x",
    "HTTPGet",
    "a",
    "_x",
    "readHTTP2Now",
    "read_2nd",
    "service",
)


@pytest.fixture(scope="module")
def lint(
    need: Callable[..., None], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[descriptor_pb2.FileDescriptorSet], str]:
    need("node", "run `make node`", here=BUF.exists())
    path = tmp_path_factory.mktemp("buf") / "image.binpb"

    def complaints(files: descriptor_pb2.FileDescriptorSet) -> str:
        path.write_bytes(files.SerializeToString())
        done = subprocess.run(
            (BUF, "lint", path, "--config", json.dumps(LINT)),
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout + done.stderr

    return complaints


class TestNames:
    def test_one_service_and_four_messages(self) -> None:
        file = schema.describe(interface("read_sensor"))
        assert (file.name, file.package) == ("loki/tools/v1/read_sensor.proto", "loki.tools.v1")
        assert [service.name for service in file.service] == ["ReadSensorService"]
        assert [(m.name, m.server_streaming) for m in file.service[0].method] == [
            ("Call", False),
            ("CallStream", True),
        ]
        assert [message.name for message in file.message_type] == [
            "ReadSensorServiceCallRequest",
            "ReadSensorServiceCallResponse",
            "ReadSensorServiceCallStreamRequest",
            "ReadSensorServiceCallStreamResponse",
        ]

    def test_the_symbols_are_what_the_file_defines(self) -> None:
        file = schema.describe(interface("read_sensor"))
        package = file.package
        (service,) = file.service
        defined = {f"{package}.{service.name}"}
        defined |= {f"{package}.{service.name}.{method.name}" for method in service.method}
        for message in file.message_type:
            defined.add(f"{package}.{message.name}")
            defined |= {f"{package}.{message.name}.{each.name}" for each in message.nested_type}
        assert schema.symbols_of("read_sensor") == defined

    def test_json_keeps_the_parameters_own_spelling(self) -> None:
        names = ("maxAge", "max_size", "HTTP", "from", "_x")
        parameters = tuple(Parameter(name=name, type=ValueType.STRING) for name in names)
        request = schema.describe(interface(parameters=parameters)).message_type[0]
        assert [(field.name, field.json_name) for field in request.field] == [
            ("max_age", "maxAge"),
            ("max_size", "max_size"),
            ("h_t_t_p", "HTTP"),
            ("from", "from"),
            ("x", "_x"),
        ]


class TestFields:
    def test_numbers_are_the_librarys(self) -> None:
        described = schema.describe(every_type(numbers=(7, 1, 536870911, 20000, 3, 2, 9)))
        for request in described.message_type[0], described.message_type[2]:
            assert [field.number for field in request.field] == [7, 1, 536870911, 20000, 3, 2, 9]

    def test_every_parameter_says_whether_it_was_given(self) -> None:
        message = classes(every_type())["CallRequest"]()
        for type_ in TYPES:
            assert not message.HasField(type_.value)
        message.string, message.integer, message.number, message.boolean = "", 0, 0.0, False
        message.bytes = b""
        message.object.SetInParent()
        message.array.SetInParent()
        assert [field.name for field, _ in message.ListFields()] == [t.value for t in TYPES]

    @pytest.mark.parametrize("return_type", list(schema.VALUE_NUMBER))
    def test_the_number_of_a_value_tells_its_type(self, return_type: ValueType) -> None:
        file = schema.describe(interface(return_type=return_type))
        unary, stream = file.message_type[1], file.message_type[3]
        for message in unary, stream.nested_type[0]:
            fields = {field.name: field.number for field in message.field}
            assert fields["usage"] == 1
            assert fields["value"] == schema.VALUE_NUMBER[return_type]
        assert len(set(schema.VALUE_NUMBER.values())) == len(schema.VALUE_NUMBER)

    def test_a_void_response_has_no_value(self) -> None:
        response = classes(interface(return_type=ValueType.VOID))["CallResponse"]
        assert [field.name for field in response.DESCRIPTOR.fields] == ["usage"]

    @pytest.mark.parametrize(
        ("names", "oneofs"),
        [(("_x", "y"), ["X_x", "_y"]), (("_x", "X_x", "XX_x"), ["XXX_x", "_x_x", "_x_x_x"])],
    )
    def test_a_field_whose_json_name_is_that_of_a_oneof(
        self, names: tuple[str, ...], oneofs: list[str]
    ) -> None:
        parameters = tuple(Parameter(name=name, type=ValueType.INTEGER) for name in names)
        numbers = tuple(range(1, len(names) + 1))
        request = classes(interface(parameters=parameters, numbers=numbers))["CallRequest"]
        assert [each.name for each in request.DESCRIPTOR.oneofs] == oneofs
        assert tuple(field.json_name for field in request.DESCRIPTOR.fields) == names

    def test_sixty_four_parameters(self) -> None:
        request = classes(every_type(count=64))["CallStreamRequest"]
        assert len(request.DESCRIPTOR.fields) == 64


def comment_of(interface: Interface, path: tuple[int, ...]) -> str:
    locations = schema.describe(interface).source_code_info.location
    (found,) = (each.leading_comments for each in locations if tuple(each.path) == path)
    return found


class TestComments:
    def test_descriptions_become_comments(self) -> None:
        parameter = Parameter(
            name="n",
            type=ValueType.INTEGER,
            required=False,
            default=pack(5),
            minimum=1,
            maximum=100,
            description="How many\nreadings",
        )
        described = interface(parameters=(parameter,), description="Mean of n — Jörmungandr")
        assert comment_of(described, (4, 0, 2, 0)) == (
            " How many\n readings\n\n Type: integer. At least 1. At most 100. Default: 5.\n"
        )
        assert comment_of(described, (6, 0)) == (
            " Mean of n — Jörmungandr\n\n The script 'average', revision r1.\n"
        )

    def test_a_comment_holds_nothing_that_a_terminal_obeys(self) -> None:
        text = comment_of(interface(description=ODD), (6, 0))
        assert not {c for c in text if ord(c) < 32 or 127 <= ord(c) < 160} - {"\n", "\t"}
        assert "Jörmungandr" in text
        assert all(line == "" or line.startswith(" ") for line in text.split("\n"))

    @pytest.mark.parametrize("mark", "\u061c\u200e\u200f\u202a\u202e\u2066\u2069")
    def test_nothing_changes_the_order_in_which_a_comment_is_shown(self, mark: str) -> None:
        parameter = Parameter(
            name="n",
            type=ValueType.STRING,
            required=False,
            default=pack(f"a{mark}b"),
            description=f"see {mark}; rpc",
        )
        file = schema.describe(interface(parameters=(parameter,), description=f"x{mark}y"))
        assert mark not in str(file.SerializeToString().decode(errors="replace"))
        assert any("x\ufffdy" in each.leading_comments for each in file.source_code_info.location)

    def test_every_part_has_one(self) -> None:
        file = schema.describe(every_type())
        paths = [tuple(location.path) for location in file.source_code_info.location]
        assert len(set(paths)) == len(paths)
        for place, message in enumerate(file.message_type):
            assert (4, place) in paths
            for number in range(len(message.field)):
                assert (4, place, 2, number) in paths


class TestLint:
    def test_buf_likes_what_scripts_of_all_kinds_become(self, lint) -> None:
        words = tuple(Parameter(name=name, type=ValueType.STRING) for name in KEYWORDS)
        returning = zip(NAMES, ValueType, strict=True)
        files = image(
            *(every_type(name, return_type=type_) for name, type_ in returning),
            every_type("odd", description=ODD),
            every_type("many", count=64),
            interface("words", parameters=words),
            interface("nothing", parameters=(), description="", return_type=ValueType.VOID),
        )
        assert lint(files) == ""

    def test_buf_would_say_what_it_does_not_like(self, lint) -> None:
        files = image(interface("average"))
        files.file[-1].message_type[0].field[0].name = "BadName"
        for location in files.file[-1].source_code_info.location:
            location.leading_comments = " buf:lint:ignore THIS\n"
        complaints = lint(files)
        assert "lower_snake_case" in complaints
        assert "non-empty comment" in complaints


@settings(deadline=None, max_examples=100)
@given(interfaces())
def test_any_definition_is_a_schema_that_protobuf_takes(described: Interface) -> None:
    made = classes(described)
    for end in "CallRequest", "CallStreamRequest":
        fields = made[end].DESCRIPTOR.fields
        assert {field.number for field in fields} == set(described.numbers)
        assert {field.json_name for field in fields} == {p.name for p in described.parameters}
    for symbol in schema.symbols_of(described.name):
        assert schema.service_of_symbol(symbol) == schema.full_name(described.name)
    tool = schema.tool_of_file(schema.file_name(described.name))
    assert schema.full_name(tool) == schema.full_name(described.name)
