"""Files found by what they define."""

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, timestamp_pb2
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from grpc_reflection.v1alpha import reflection_pb2

from loki.grpc_gateway.service.descriptor_file import (
    api_files,
    extensions_of,
    index_of,
    messages_of,
    stable_reflection,
    symbols_of,
)
from loki.v1 import service_pb2

OPTIONAL = FieldDescriptorProto.LABEL_OPTIONAL


def file_with_everything() -> FileDescriptorProto:
    file = FileDescriptorProto(name="f.proto", package="p.v1", dependency=["other.proto"])
    outer = file.message_type.add(name="Outer")
    outer.field.add(name="one", number=1)
    outer.oneof_decl.add(name="either")
    outer.nested_type.add(name="Inner").field.add(name="two", number=1)
    outer.enum_type.add(name="Kind").value.add(name="KIND_A", number=0)
    outer.extension.add(name="inside", number=1001, extendee=".other.Options")
    file.enum_type.add(name="Colour").value.add(name="RED", number=0)
    file.extension.add(name="outside", number=1000, extendee=".other.Options")
    file.service.add(name="Service").method.add(name="Do")
    return file


def test_symbols_are_all_that_a_file_defines() -> None:
    assert set(symbols_of(file_with_everything())) == {
        "p.v1.Outer",
        "p.v1.Outer.one",
        "p.v1.Outer.either",
        "p.v1.Outer.Inner",
        "p.v1.Outer.Inner.two",
        "p.v1.Outer.Kind",
        "p.v1.Outer.KIND_A",
        "p.v1.Outer.inside",
        "p.v1.Colour",
        "p.v1.RED",
        "p.v1.outside",
        "p.v1.Service",
        "p.v1.Service.Do",
    }


def test_a_file_without_a_package_has_bare_names() -> None:
    file = FileDescriptorProto(name="f.proto")
    file.message_type.add(name="Bare")
    assert list(symbols_of(file)) == ["Bare"]
    assert messages_of(file) == {"Bare"}


def test_messages_and_extensions_are_found_at_every_depth() -> None:
    file = file_with_everything()
    assert messages_of(file) == {"p.v1.Outer", "p.v1.Outer.Inner"}
    assert {each.name for each in extensions_of(file)} == {"inside", "outside"}


def test_an_index_has_the_imports_too_and_bytes_as_they_came() -> None:
    file = file_with_everything()
    index = index_of((service_pb2.DESCRIPTOR,), file.SerializeToString(), b"\n\x07f.proto")
    stamp = timestamp_pb2.DESCRIPTOR
    assert index.files[stamp.name].content == stamp.serialized_pb
    assert index.symbols["google.protobuf.Timestamp.seconds"] == stamp.name
    assert index.symbols["loki.v1.ScriptValue"] == "loki/v1/value.proto"
    assert index.files["f.proto"].content == file.SerializeToString()  # The first of a name.
    assert index.files["f.proto"].imports == ("other.proto",)
    assert index.extensions == {"other.Options": {1000: "f.proto", 1001: "f.proto"}}
    assert "p.v1.Outer.Inner" in index.messages


@pytest.mark.parametrize("message", ["ServerReflectionRequest", "ServerReflectionResponse"])
def test_the_file_of_v1_is_whole_and_reads_what_v1alpha_writes(message: str) -> None:
    file = FileDescriptorProto.FromString(
        stable_reflection(reflection_pb2.DESCRIPTOR.serialized_pb)
    )
    assert b"v1alpha" not in file.SerializeToString()
    assert not file.options.deprecated
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    made = pool.FindMessageTypeByName(f"grpc.reflection.v1.{message}")
    alpha = getattr(reflection_pb2, message).DESCRIPTOR
    assert shape(made) == shape(alpha)
    service = pool.FindServiceByName("grpc.reflection.v1.ServerReflection")
    (method,) = service.methods
    assert method.input_type.full_name == "grpc.reflection.v1.ServerReflectionRequest"


def shape(message: object) -> object:
    proto = descriptor_pb2.DescriptorProto()
    message.CopyToProto(proto)  # type: ignore[attr-defined]
    return [(each.name, each.number, each.type, each.label) for each in proto.field]


API = [FileDescriptorProto.FromString(content) for content in api_files()]


@pytest.mark.parametrize("file", API, ids=lambda file: file.name)
def test_the_files_of_the_api_are_those_that_it_is_generated_from(
    file: FileDescriptorProto,
) -> None:
    """All of them, every service and message with a comment; but for these, as generated."""
    paths = {tuple(each.path) for each in file.source_code_info.location}
    assert {(4, place) for place in range(len(file.message_type))} <= paths
    assert {(6, place) for place in range(len(file.service))} <= paths
    generated = descriptor_pool.Default().FindFileByName(file.name).serialized_pb
    assert plain(file) == plain(FileDescriptorProto.FromString(generated))


def plain(file: FileDescriptorProto) -> FileDescriptorProto:
    """Without what protoc does not put into generated Python."""
    copy = FileDescriptorProto()
    copy.CopyFrom(file)
    copy.ClearField("source_code_info")
    messages = list(copy.message_type)
    for message in messages:
        messages.extend(message.nested_type)
        for field in message.field:
            field.ClearField("json_name")
    return copy


def test_the_api_has_its_comments_and_what_it_imports() -> None:
    index = index_of((service_pb2.DESCRIPTOR,), *api_files())
    for file in index.files.values():
        assert set(file.imports) <= index.files.keys()
    content = index.files["loki/v1/service.proto"].content
    assert FileDescriptorProto.FromString(content) in API
