"""What protoc makes of .proto texts, and descriptors to compare with that."""

from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path

from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto, FileDescriptorSet
from grpc_tools import protoc

from loki.client.proto_text import default_json_name, says_optional

ROOT = Path(__file__).parents[4]
WELL_KNOWN = str(files("grpc_tools") / "_proto")


def compiled(folder: Path, texts: dict[str, str]) -> dict[str, FileDescriptorProto]:
    """Descriptors by file name, with all that they import. Raises: AssertionError."""
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return descriptors(folder, texts)


def descriptors(folder: Path, names: Iterable[str]) -> dict[str, FileDescriptorProto]:
    """Of files in a folder that may import what loki/v1 offers."""
    output = folder / "compiled.binpb"
    command = ("protoc", f"-I{folder}", f"-I{ROOT / 'proto'}", f"-I{WELL_KNOWN}")
    options = ("--include_imports", "--include_source_info", f"--descriptor_set_out={output}")
    assert protoc.main((*command, *options, *names)) == 0
    made = FileDescriptorSet.FromString(output.read_bytes())
    return {file.name: file for file in made.file}


def comments(file: FileDescriptorProto) -> dict[tuple[int, ...], tuple[str, str, tuple[str, ...]]]:
    """By path: leading, trailing and detached ones."""
    return {
        tuple(each.path): (
            each.leading_comments,
            each.trailing_comments,
            tuple(each.leading_detached_comments),
        )
        for each in file.source_code_info.location
        if each.leading_comments or each.trailing_comments or each.leading_detached_comments
    }


def bare(file: FileDescriptorProto) -> FileDescriptorProto:
    """As protoc says the same: every JSON name, no `false`. Without places and comments."""
    copy = FileDescriptorProto()
    copy.CopyFrom(file)
    copy.ClearField("source_code_info")
    for message in copy.message_type:
        _make_alike(message)
    for service in copy.service:
        for method in service.method:
            if not method.server_streaming:
                method.ClearField("server_streaming")
    return copy


def _make_alike(message: DescriptorProto) -> None:
    """No text says how the oneof is called that stands for `optional`, nor which comes first."""
    for field in message.field:
        field.json_name = field.json_name or default_json_name(field.name)
        if field.proto3_optional and says_optional(field):
            message.oneof_decl[field.oneof_index].name = f"_{field.name}"
        elif field.proto3_optional:
            field.ClearField("proto3_optional")
    names = [oneof.name for oneof in message.oneof_decl]
    for field in message.field:
        if field.HasField("oneof_index"):
            field.oneof_index = sorted(names).index(names[field.oneof_index])
    message.oneof_decl.sort(key=lambda oneof: oneof.name)
    for nested in message.nested_type:
        _make_alike(nested)
