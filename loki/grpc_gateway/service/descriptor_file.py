"""The files of the services that are always there, found by what they define.

Their bytes are given as they came, never made anew from what was read.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from importlib import resources

from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)

ALPHA, STABLE = "grpc.reflection.v1alpha", "grpc.reflection.v1"


@dataclass(frozen=True, slots=True)
class DescriptorFile:
    """A file, and what it imports."""

    name: str
    content: bytes
    imports: tuple[str, ...]


@dataclass(slots=True)
class FileIndex:
    """Files by name, symbol and extension."""

    files: dict[str, DescriptorFile] = field(default_factory=dict)
    symbols: dict[str, str] = field(default_factory=dict)
    """File names by the full names of all that they define."""
    messages: set[str] = field(default_factory=set)
    extensions: dict[str, dict[int, str]] = field(default_factory=dict)
    """File names by the full name of the extended message and the number."""

    def add(self, content: bytes) -> None:
        """`content` is a FileDescriptorProto; a file that is here already is passed over."""
        file = FileDescriptorProto.FromString(content)
        if file.name in self.files:
            return
        self.files[file.name] = DescriptorFile(file.name, content, tuple(file.dependency))
        self.symbols |= dict.fromkeys(symbols_of(file), file.name)
        self.messages |= messages_of(file)
        for extension in extensions_of(file):
            extendee = extension.extendee.removeprefix(".")
            self.extensions.setdefault(extendee, {})[extension.number] = file.name


def index_of(descriptors: Iterable[FileDescriptor], *better: bytes) -> FileIndex:
    """Those files and all that they import; `better` are others, or the same with comments."""
    index = FileIndex()
    for content in better:
        index.add(content)
    waiting, met = list(descriptors), set[str]()
    while waiting:
        descriptor = waiting.pop()
        if descriptor.name not in met:
            met.add(descriptor.name)
            index.add(descriptor.serialized_pb)
            waiting.extend(descriptor.dependencies)
    return index


def api_files() -> Iterator[bytes]:
    """The files of `loki.v1` with their comments, which generated Python does not keep."""
    image = resources.files("loki.v1").joinpath("image.binpb").read_bytes()
    for file in FileDescriptorSet.FromString(image).file:
        yield file.SerializeToString()


def stable_reflection(alpha: bytes) -> bytes:
    """The file of `grpc.reflection.v1`, from that of v1alpha, whose messages have the same form.

    Source: grpc-proto, grpc/reflection/v1/reflection.proto. grpcio-reflection has v1alpha only.
    """
    file = FileDescriptorProto.FromString(alpha)
    file.name = "grpc/reflection/v1/reflection.proto"
    file.package = STABLE
    file.options.ClearField("deprecated")
    file.options.go_package = "google.golang.org/grpc/reflection/grpc_reflection_v1"
    file.options.java_package = "io.grpc.reflection.v1"
    for message in file.message_type:
        for part in filter(has_type_name, message.field):
            part.type_name = _stable(part.type_name)
    for service in file.service:
        for method in service.method:
            method.input_type = _stable(method.input_type)
            method.output_type = _stable(method.output_type)
    return file.SerializeToString()


def has_type_name(field: FieldDescriptorProto) -> bool:
    """A scalar must not have one, not even an empty one."""
    return field.HasField("type_name")


def _stable(type_name: str) -> str:
    return type_name.replace(f".{ALPHA}.", f".{STABLE}.")


def symbols_of(file: FileDescriptorProto) -> Iterator[str]:
    """The full names of all that it defines: types, fields, values, services and methods."""
    start = f"{file.package}." if file.package else ""
    for message in file.message_type:
        yield from _symbols_in(message, start)
    for enum in file.enum_type:
        yield from _values_in(enum, start)
    for extension in file.extension:
        yield start + extension.name
    for service in file.service:
        yield start + service.name
        for method in service.method:
            yield f"{start}{service.name}.{method.name}"


def _symbols_in(message: DescriptorProto, start: str) -> Iterator[str]:
    name = start + message.name
    yield name
    for part in (*message.field, *message.extension):
        yield f"{name}.{part.name}"
    for oneof in message.oneof_decl:
        yield f"{name}.{oneof.name}"
    for enum in message.enum_type:
        yield from _values_in(enum, f"{name}.")
    for nested in message.nested_type:
        yield from _symbols_in(nested, f"{name}.")


def _values_in(enum: EnumDescriptorProto, start: str) -> Iterator[str]:
    """Values are named beside their enum, as in C++."""
    yield start + enum.name
    for value in enum.value:
        yield start + value.name


def messages_of(file: FileDescriptorProto) -> set[str]:
    """Full names of its messages, those inside others too."""
    return {name for name, _ in _messages(file)}


def extensions_of(file: FileDescriptorProto) -> Iterator[FieldDescriptorProto]:
    """The extensions that it defines, also inside messages."""
    yield from file.extension
    for _, message in _messages(file):
        yield from message.extension


def _messages(file: FileDescriptorProto) -> Iterator[tuple[str, DescriptorProto]]:
    start = f"{file.package}." if file.package else ""
    waiting = [(start + message.name, message) for message in file.message_type]
    while waiting:
        name, message = waiting.pop()
        yield name, message
        waiting.extend((f"{name}.{each.name}", each) for each in message.nested_type)
