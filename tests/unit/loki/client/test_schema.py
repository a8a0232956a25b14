"""What becomes of a server's files, honest ones and others."""

from collections.abc import Iterator

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

from loki.client.schema import ServerSchema, schema_of, wanted_services
from loki.grpc_gateway.typed import schema as typed
from loki.messages.interface import Interface
from loki.v1 import script_pb2
from tests.unit.loki.grpc_gateway.interface import every_type, image, interface


def capability(described: Interface) -> script_pb2.ScriptCapability:
    return script_pb2.ScriptCapability(
        name=described.name,
        revision=described.revision,
        method=f"{typed.full_name(described.name)}/{typed.CALL}",
    )


def schema(*described: Interface) -> ServerSchema:
    """As a server with these scripts would give it, files in any order."""
    files = {file.name: file for file in reversed(image(*described).file)}
    return schema_of(files, map(capability, described))


AVERAGE, EVERY = interface("average"), every_type("every")


class TestFiles:
    def test_each_stands_after_its_imports(self) -> None:
        before: set[str] = set()
        for file in schema(AVERAGE, EVERY).files:
            assert before.issuperset(file.dependency)
            before.add(file.name)
        assert {"loki/tools/v1/average.proto", "loki/tools/v1/every.proto"} <= before

    def test_scripts_are_those_that_are_defined(self) -> None:
        files = {file.name: file for file in image(AVERAGE).file}
        bare = script_pb2.ScriptCapability(name="bare")
        found = schema_of(files, [capability(EVERY), capability(AVERAGE), bare])
        assert [script.name for script in found.scripts] == ["average"]

    def test_what_is_asked_for(self) -> None:
        there = ("grpc.health.v1.Health", "loki.v1.LokiService", *map(typed.full_name, "abc"))
        scripts = [capability(interface(name)) for name in "bd"]
        assert wanted_services(scripts, there) == ["loki.v1.LokiService", typed.full_name("b")]

    @pytest.mark.parametrize(
        "name",
        [
            "../x.proto",
            "/x.proto",
            "a/../../x.proto",
            "a//x.proto",
            "a\\x.proto",
            "./x.proto",
            "x.proto\n",
            "x.txt",
            ".proto",
            "",
            "a b.proto",
        ],
    )
    def test_no_name_leads_out(self, name: str) -> None:
        file = FileDescriptorProto(name=name, syntax="proto3")
        with pytest.raises(ValueError, match="not safe"):
            schema_of({name: file}, [])

    @pytest.mark.parametrize("name", ["../x", "", "a/b", "a b", "x\n", "."])
    def test_no_script_leads_out(self, name: str) -> None:
        files = {file.name: file for file in image(AVERAGE).file}
        with pytest.raises(ValueError, match="not safe"):
            schema_of(files, [script_pb2.ScriptCapability(name=name)])

    def test_nothing_is_smuggled_in_by_a_name(self) -> None:
        file = FileDescriptorProto(name="x.proto", syntax="proto3")
        file.message_type.add(name="A {}\nmessage B")
        with pytest.raises(ValueError, match=r"x\.proto"):
            schema_of({file.name: file}, [])

    @pytest.mark.parametrize("imports", [("x.proto",), ("y.proto",), ("gone.proto",)], ids=str)
    def test_imports_end_somewhere(self, imports: tuple[str, ...]) -> None:
        files = [
            FileDescriptorProto(name="x.proto", dependency=imports),
            FileDescriptorProto(name="y.proto", dependency=("x.proto",)),
        ]
        with pytest.raises(ValueError, match="imports itself, or is missing"):
            schema_of({file.name: file for file in files}, [])

    def test_a_thousand_files_in_a_row(self) -> None:
        files = {
            f"{n}.proto": FileDescriptorProto(
                name=f"{n}.proto", syntax="proto3", dependency=[f"{n + 1}.proto"] if n < 900 else []
            )
            for n in range(901)
        }
        with pytest.raises(ValueError, match="deep"):
            schema_of(files, [])


class TestForms:
    def test_texts_leave_out_what_compilers_have(self) -> None:
        texts = schema(AVERAGE).proto_texts()
        assert set(texts) == {
            "loki/tools/v1/average.proto",
            "loki/v1/execution.proto",
            "loki/v1/script.proto",
            "loki/v1/value.proto",
        }
        assert "service AverageService {" in texts["loki/tools/v1/average.proto"]

    def test_the_image_names_all_in_json_and_tells_imports(self) -> None:
        files = FileDescriptorSet.FromString(schema(EVERY).image()).file
        for field in fields_of(files):
            assert field.json_name
        marked = {
            file.name: b"\xd2\xf6\x03\x02\x08\x01" in file.SerializeToString() for file in files
        }
        assert {name for name, imported in marked.items() if imported} == {
            "google/protobuf/struct.proto",
            "google/protobuf/timestamp.proto",
        }
        assert len(marked) == 6

    def test_the_same_scripts_are_the_same_bytes(self) -> None:
        first, second = schema(AVERAGE, EVERY), schema(EVERY, AVERAGE)
        assert first.image() == second.image()
        assert list(first.proto_texts().items()) == list(second.proto_texts().items())
        assert list(first.json_schemas()) == list(second.json_schemas())

    def test_two_json_schemas_for_each_script(self) -> None:
        named = dict(schema(AVERAGE, EVERY).json_schemas())
        assert list(named) == [
            "average.request",
            "average.response",
            "every.request",
            "every.response",
        ]
        assert set(named["average.request"]["properties"]) == {"n"}
        assert set(named["average.response"]["properties"]) == {"usage", "value"}


def fields_of(files: object) -> Iterator[object]:
    for file in files:
        waiting = list(file.message_type)
        for message in waiting:
            yield from message.field
            waiting += message.nested_type
