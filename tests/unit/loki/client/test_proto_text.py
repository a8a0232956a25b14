"""Text of descriptors, judged by protoc: it makes the same descriptors of it."""

import tempfile
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.json_format import MessageToJson
from google.protobuf.message_factory import GetMessageClass
from hypothesis import given, settings

from loki.client.proto_text import default_json_name, proto_text
from loki.client.scope import names_of
from loki.grpc_gateway.typed import schema
from loki.messages.interface import Interface
from loki.messages.script import Parameter, ValueType
from tests.unit.loki.client.protoc import ROOT, bare, comments, compiled, descriptors
from tests.unit.loki.grpc_gateway.interface import ODD, every_type, image, interface, interfaces

REQUEST = "AverageServiceCallRequest"
EVERYTHING = """
// Kept apart.

// Of the syntax.
syntax = "proto3";

// Of the package.
package odd.v1;

import public "google/protobuf/timestamp.proto";
import "google/protobuf/empty.proto";

option java_package = "com.example \\"quoted\\" \\303\\244";
option java_multiple_files = true;
option optimize_for = CODE_SIZE;

// Enum.
enum Kind {
  option allow_alias = true;
  reserved 5, 7 to 9, 100 to max;
  reserved "OLD";
  // None.
  KIND_UNSPECIFIED = 0; // Behind.
  KIND_ONE = 1;
  KIND_UNO = 1 [deprecated = true];
  KIND_BELOW = -3;
}

message Outer { // Behind the brace.
  option deprecated = true;
  reserved 4, 20 to 30, 1000 to max;
  reserved "gone", "lost";
  // Inner.
  message Inner {
    message Innermost {
      // All that is in it.

    }
    Innermost innermost = 1;
  }
  enum Size {
    SIZE_UNSPECIFIED = 0;
  }
  // Named as the packages.
  message odd {}
  Inner inner = 1;
  .odd.v1.Kind kind = 2;
  map<string, Inner> by_name = 3;
  map<int32, .google.protobuf.Empty> by_number = 5;
  repeated sfixed64 many = 6 [packed = false];

  // Detached.

  // One of them.
  oneof choice {
    // First.
    string text = 7;
    bytes data = 8;
  }
  optional double d_2x = 9 [json_name = "dee-two", deprecated = true];
  // Behind all.
  optional .odd.v1.Other other = 10;
  Size size = 11;
  odd names_alike = 12;
}

message Other {
  Outer.Inner.Innermost deep = 1;
}

// Service.
service Things {
  option deprecated = true;
  // Both ways.
  rpc Both(stream Outer) returns (stream google.protobuf.Timestamp);
  rpc Safe(Outer.Inner) returns (Other) {
    option idempotency_level = NO_SIDE_EFFECTS;
  }
}
"""


def rewritten(file: FileDescriptorProto, imported: list[FileDescriptorProto]) -> str:
    return proto_text(file, [names_of(each) for each in imported if each.name != file.name])


def assert_same(first: FileDescriptorProto, second: FileDescriptorProto) -> None:
    assert bare(first) == bare(second)
    assert comments(first) == comments(second)


class TestEverything:
    def test_it_comes_back_as_it_was(self, tmp_path: Path) -> None:
        name = "odd/v1/odd.proto"
        made = compiled(tmp_path / "first", {name: EVERYTHING})
        text = rewritten(made[name], list(made.values()))
        again = compiled(tmp_path / "second", {name: text})
        assert_same(made[name], again[name])
        assert rewritten(again[name], list(again.values())) == text

    def test_names_are_as_short_as_they_can_be(self, tmp_path: Path) -> None:
        name = "odd/v1/odd.proto"
        made = compiled(tmp_path, {name: EVERYTHING})
        lines = {line.strip() for line in rewritten(made[name], list(made.values())).splitlines()}
        assert {
            "Innermost innermost = 1;",
            "Kind kind = 2;",
            "map<string, Inner> by_name = 3;",
            "Outer.Inner.Innermost deep = 1;",
            "map<int32, google.protobuf.Empty> by_number = 5;",
            'optional double d_2x = 9 [deprecated = true, json_name = "dee-two"];',
        } <= lines

    @pytest.mark.parametrize("path", sorted((ROOT / "proto").glob("loki/v1/*.proto")), ids=str)
    def test_the_api_itself(self, path: Path, tmp_path: Path) -> None:
        name = str(path.relative_to(ROOT / "proto"))
        made = descriptors(tmp_path, [name])
        text = rewritten(made[name], list(made.values()))
        assert_same(made[name], compiled(tmp_path / "again", {name: text})[name])


class TestTools:
    def test_text_for_people(self) -> None:
        file = schema.describe(interface(description="Mean of n\n\nreadings"))
        text = rewritten(file, list(image().file))
        assert (
            "message AverageServiceCallRequest {\n"
            "  // Type: integer. Required.\n"
            "  optional int64 n = 1;\n"
            "}\n"
        ) in text
        assert "  loki.v1.Usage usage = 1;\n" in text
        assert "    Result result = 4;\n" in text
        assert (
            "// Mean of n\n//\n// readings\n//\n// The script 'average', revision r1.\n"
            "service AverageService {\n"
        ) in text

    @pytest.mark.parametrize(
        "line", ["\r", "\x0b", "\x1b[31m", "\x85", "\u2028", "\x00", "*/", "\\"]
    )
    def test_a_comment_cannot_end_itself(self, line: str, tmp_path: Path) -> None:
        file = schema.describe(interface())
        for each in file.source_code_info.location:
            each.leading_comments = f"a{line}message Smuggled {{}}\n"
        again = compiled(tmp_path, {file.name: rewritten(file, list(image().file))})
        assert bare(again[file.name]) == bare(file)

    @pytest.mark.parametrize("mark", "\u061c\u200e\u200f\u202a\u202e\u2066\u2069")
    def test_a_comment_cannot_seem_to_end(self, mark: str) -> None:
        file = schema.describe(interface())
        for each in file.source_code_info.location:
            each.leading_comments = each.trailing_comments = f"a{mark}b\n"
            each.leading_detached_comments.append(f"a{mark}b\n")
        text = rewritten(file, list(image().file))
        assert mark not in text
        assert "a\ufffdb" in text

    @settings(deadline=None, max_examples=25)
    @given(interfaces())
    def test_any_tool_comes_back_as_it_was(self, described: Interface) -> None:
        file = schema.describe(described)
        text = rewritten(file, list(image().file))
        with tempfile.TemporaryDirectory() as folder:
            assert_same(file, compiled(Path(folder), {file.name: text})[file.name])

    @pytest.mark.parametrize("names", [("_x",), ("_x", "X_x")], ids=" ".join)
    def test_a_name_that_begins_with_a_line_makes_a_file_that_python_loads(
        self, tmp_path: Path, names: tuple[str, ...]
    ) -> None:
        """protoc would call the oneof of `optional` as JSON calls a field."""
        named = tuple(Parameter(name=name, type=ValueType.INTEGER) for name in names)
        numbers = tuple(range(1, len(names) + 1))
        file = schema.describe(interface(parameters=named, numbers=numbers))
        made = compiled(tmp_path, {file.name: rewritten(file, list(image().file))})[file.name]
        pool = DescriptorPool()
        for each in (*image().file, made):
            pool.AddSerializedFile(each.SerializeToString())
        request = GetMessageClass(pool.FindMessageTypeByName(f"{file.package}.{REQUEST}"))()
        assert not request.HasField("x")
        request.x = 0
        assert request.HasField("x")
        assert MessageToJson(request, indent=None) == '{"_x": "0"}'

    def test_odd_descriptions(self, tmp_path: Path) -> None:
        file = schema.describe(every_type("odd", description=ODD))
        text = rewritten(file, list(image().file))
        assert_same(file, compiled(tmp_path, {file.name: text})[file.name])


@pytest.mark.parametrize(
    ("file", "problem"),
    [
        (FileDescriptorProto(name="a.proto"), "a.proto: only proto3 is known, not proto2"),
        (FileDescriptorProto(name="a.proto", syntax="editions"), "not editions"),
    ],
)
def test_what_is_not_proto3_is_said(file: FileDescriptorProto, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        proto_text(file)


def test_extensions_are_said() -> None:
    file = FileDescriptorProto(name="a.proto", syntax="proto3")
    file.extension.add(name="more")
    with pytest.raises(ValueError, match="extensions"):
        proto_text(file)
    file.ClearField("extension")
    file.message_type.add(name="M").extension_range.add(start=1, end=2)
    with pytest.raises(ValueError, match="extensions in M"):
        proto_text(file)


@pytest.mark.parametrize(
    ("name", "json"),
    [("max_age", "maxAge"), ("a__b", "aB"), ("_a", "A"), ("a_1", "a1"), ("a_", "a")],
)
def test_default_json_names(name: str, json: str) -> None:
    assert default_json_name(name) == json
