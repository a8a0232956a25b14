"""What a server offers, as files for programs that are made from them.

Theory of operation. Reflection gives descriptors, as of one moment; what a field cannot say, such
as a smallest number, comes from the list of scripts. A server could name files and types as it
likes: here they are checked before anybody writes or reads them.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import grpc
from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto, FileDescriptorSet

from loki.client.descriptor_files import Report, read_files
from loki.client.error import error_of
from loki.client.file_pool import in_order, pool_of
from loki.client.json_schema import request_schema, response_schema
from loki.client.proto_text import default_json_name, proto_text
from loki.client.scope import names_of
from loki.v1 import script_pb2

API = "loki.v1."
WELL_KNOWN = "google/protobuf/"
"""Every compiler brings these along."""
FILE_NAME = re.compile(r"(?:[A-Za-z0-9_-]+/)*[A-Za-z0-9_-]+\.proto")
SCRIPT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
IS_IMPORT = bytes((0xD2, 0xF6, 0x03, 0x02, 0x08, 0x01))
"""Field 8042 of a file, in it field 1: true. Source: buf/alpha/image/v1/image.proto."""


@dataclass(frozen=True, slots=True)
class ServerSchema:
    """The services of the API and of the scripts."""

    files: tuple[FileDescriptorProto, ...]
    """Each after all that it imports."""
    scripts: tuple[script_pb2.ScriptCapability, ...]
    """Those that have a typed method; it is in `files`."""

    def proto_texts(self) -> dict[str, str]:
        """The .proto files by name, without those that every compiler has."""
        return dict(self.each_proto_text())

    def each_proto_text(self) -> Iterator[tuple[str, str]]:
        """The same one by one, as they are made."""
        known = {file.name: file for file in self.files}
        names = {file.name: names_of(file) for file in self.files}
        for file in self.files:
            if not file.name.startswith(WELL_KNOWN):
                imported = map(names.__getitem__, imports_of(file, known))
                yield file.name, proto_text(file, imported)

    def image(self) -> bytes:
        """One file for buf: `buf build`, `buf breaking`, `buf curl --schema`. Also for protoc."""
        image = FileDescriptorSet()
        for file in self.files:
            content = with_json_names(file).SerializeToString()
            imported = IS_IMPORT if file.name.startswith(WELL_KNOWN) else b""
            image.file.add().MergeFromString(content + imported)
        return image.SerializeToString()

    def json_schemas(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """For each script "NAME.request" and "NAME.response": what JSON over HTTP looks like."""
        pool = pool_of(self.files)
        for script in self.scripts:
            service, _, method = script.method.rpartition("/")
            call = pool.FindServiceByName(service).methods_by_name[method]
            yield f"{script.name}.request", request_schema(script, call.input_type)
            yield f"{script.name}.response", response_schema(script, call.output_type)


def read_schema(
    channel: grpc.Channel,
    scripts: Iterable[script_pb2.ScriptCapability],
    timeout_s: float | None,
    report: Report | None = None,
) -> ServerSchema:
    """Of the API and those scripts. Raises: LokiClientError; ValueError, as `schema_of`."""
    known = tuple(scripts)
    try:
        files = read_files(channel, partial(wanted_services, known), timeout_s, report)
    except grpc.RpcError as error:
        raise error_of(error) from None
    return schema_of(files, known)


def schema_of(
    files: Mapping[str, FileDescriptorProto], scripts: Iterable[script_pb2.ScriptCapability]
) -> ServerSchema:
    """`files` by name. Of `scripts` those are left that have a method there.

    Raises: ValueError for files that define nothing valid, or are named to be written elsewhere.
    """
    ordered = tuple(in_order(files))
    for file in ordered:
        if not FILE_NAME.fullmatch(file.name):
            raise ValueError(f"the server names a file {file.name[:100]!r}, which is not safe")
    pool_of(ordered)
    services = {f"{file.package}.{service.name}" for file in ordered for service in file.service}
    there = (each for each in scripts if service_of(each) in services)
    return ServerSchema(ordered, tuple(sorted(there, key=lambda each: each.name)))


def service_of(script: script_pb2.ScriptCapability) -> str:
    """Full name of its typed service; "" without one. Raises: ValueError."""
    if not SCRIPT_NAME.fullmatch(script.name):
        raise ValueError(f"the server names a script {script.name[:100]!r}, which is not safe")
    return script.method.rpartition("/")[0]


def wanted_services(
    scripts: Iterable[script_pb2.ScriptCapability], there: Iterable[str]
) -> list[str]:
    """The API's own and those of the scripts, as far as they are there."""
    typed = set(map(service_of, scripts))
    return [name for name in there if name in typed or name.startswith(API)]


def imports_of(
    file: FileDescriptorProto, known: Mapping[str, FileDescriptorProto]
) -> Iterator[str]:
    """The names of all that it imports, and of what these import."""
    waiting = list(file.dependency)
    for name in waiting:
        yield name
        waiting += [more for more in known[name].dependency if more not in waiting]


def with_json_names(file: FileDescriptorProto) -> FileDescriptorProto:
    """Generated code leaves out those that are as usual; compilers' plug-ins want them."""
    copy = FileDescriptorProto()
    copy.CopyFrom(file)
    waiting: list[DescriptorProto] = list(copy.message_type)
    for message in waiting:
        for field in message.field:
            field.json_name = field.json_name or default_json_name(field.name)
        waiting += message.nested_type
    return copy
