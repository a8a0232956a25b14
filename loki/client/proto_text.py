"""Writes a file descriptor as the .proto text that it came from, comments included.

protoc makes the same descriptor of the text again, but for the names of those oneofs that stand for
`optional`, and for a oneof of its own where that word would give a file that protobuf for Python
does not load. For proto3, without extensions and groups, which is all that Loki serves.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from google.protobuf import text_encoding
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    MethodDescriptorProto,
    ServiceDescriptorProto,
)

from loki.client.scope import Scope, names_of

Path = tuple[int, ...]

FILE_PACKAGE, FILE_MESSAGE, FILE_ENUM, FILE_SERVICE, FILE_SYNTAX = 2, 4, 5, 6, 12
FIELD, NESTED, NESTED_ENUM, ONEOF = 2, 3, 4, 8
VALUE, METHOD = 2, 2
"""Numbers of parts in a location's path. Source: google/protobuf/descriptor.proto."""
LAST_FIELD, LAST_VALUE = 2**29 - 1, 2**31 - 1
LABEL_REPEATED = FieldDescriptorProto.LABEL_REPEATED
CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)
"""What ends a line for some, and what changes the order in which an editor shows a line."""
INDENT = "  "


def proto_text(file: FileDescriptorProto, imported: Iterable[frozenset[str]] = ()) -> str:
    """The text of one file; `imported` are the names of each file that it imports, or these do.

    Raises: ValueError for what is not proto3, or has extensions.
    """
    if file.syntax != "proto3":
        raise ValueError(f"{file.name}: only proto3 is known, not {file.syntax or 'proto2'}")
    if file.extension:
        raise ValueError(f"{file.name}: extensions are not known")
    scope = Scope(file.package, names_of(file).union(*imported))
    return "\n".join(Writer(file, scope).lines()) + "\n"


class Writer:
    """The lines of one file."""

    def __init__(self, file: FileDescriptorProto, scope: Scope) -> None:
        self._file = file
        self._scope = scope
        self._comments = {tuple(each.path): each for each in file.source_code_info.location}

    def lines(self) -> Iterator[str]:
        """Without line ends. Raises: ValueError."""
        file = self._file
        yield from self._commented((FILE_SYNTAX,), ['syntax = "proto3";'])
        if file.package:
            yield ""
            yield from self._commented((FILE_PACKAGE,), [f"package {file.package};"])
        yield from spaced(import_lines(file))
        yield from spaced(f"option {option};" for option in options_of(file.options))
        for place, enum in enumerate(file.enum_type):
            yield ""
            yield from self._enum(enum, (FILE_ENUM, place))
        for place, message in enumerate(file.message_type):
            yield ""
            yield from self._message(message, (FILE_MESSAGE, place), file.package)
        for place, service in enumerate(file.service):
            yield ""
            yield from self._service(service, (FILE_SERVICE, place))

    def _commented(self, path: Path, lines: list[str]) -> list[str]:
        """`lines` between their comments, as protoc finds them."""
        location = self._comments.get(path)
        if location is None:
            return lines
        before = []
        for text in location.leading_detached_comments:
            before += ["", *comment_lines(text)]  # Else it would be that of what is before it.
        if before:
            before.append("")
        before += comment_lines(location.leading_comments)
        if not location.trailing_comments:
            return before + lines
        head, *rest = lines
        if head.endswith("{}"):
            head, rest = head.removesuffix("}"), ["}"]
        indent = INDENT if rest else ""  # In a block it stands behind the opening brace.
        behind = [indent + line for line in comment_lines(location.trailing_comments)]
        return [*before, head, *behind, "", *rest]  # Else it would be that of what comes next.

    def _enum(self, enum: EnumDescriptorProto, path: Path) -> list[str]:
        body = [f"option {option};" for option in options_of(enum.options)]
        body += reserved_lines(enum, LAST_VALUE, exclusive=0)
        for place, value in enumerate(enum.value):
            line = f"{value.name} = {value.number}{bracketed(options_of(value.options))};"
            body += self._commented((*path, VALUE, place), [line])
        return self._commented(path, block(f"enum {enum.name}", body))

    def _message(self, message: DescriptorProto, path: Path, outside: str) -> list[str]:
        if message.extension or message.extension_range:
            raise ValueError(f"{self._file.name}: extensions in {message.name} are not known")
        within = f"{outside}.{message.name}" if outside else message.name
        body = [f"option {option};" for option in options_of(message.options)]
        body += reserved_lines(message, LAST_FIELD, exclusive=1)
        for place, enum in enumerate(message.enum_type):
            body += self._enum(enum, (*path, NESTED_ENUM, place))
        for place, nested in enumerate(message.nested_type):
            if not nested.options.map_entry:
                body += self._message(nested, (*path, NESTED, place), within)
        body += self._fields(message, path, within)
        return self._commented(path, block(f"message {message.name}", body))

    def _fields(self, message: DescriptorProto, path: Path, within: str) -> Iterator[str]:
        """In their order; those of a oneof where the first of them stands."""
        for place, field in enumerate(message.field):
            if says_optional(field) or not field.HasField("oneof_index"):
                yield from self._field(message, place, path, within)
                continue
            siblings = [
                number
                for number, each in enumerate(message.field)
                if each.HasField("oneof_index") and each.oneof_index == field.oneof_index
            ]
            if place == siblings[0]:
                oneof = message.oneof_decl[field.oneof_index]
                body = [f"option {option};" for option in options_of(oneof.options)]
                for number in siblings:
                    body += self._field(message, number, path, within)
                lines = block(f"oneof {oneof.name}", body)
                yield from self._commented((*path, ONEOF, field.oneof_index), lines)

    def _field(self, message: DescriptorProto, place: int, path: Path, within: str) -> list[str]:
        field = message.field[place]
        options = options_of(field.options)
        if field.json_name and field.json_name != default_json_name(field.name):
            options.append(f"json_name = {quoted(field.json_name)}")
        type_ = self._declared(message, field, within)
        line = f"{type_} {field.name} = {field.number}{bracketed(options)};"
        return self._commented((*path, FIELD, place), [line])

    def _declared(self, message: DescriptorProto, field: FieldDescriptorProto, within: str) -> str:
        """Its label and type."""
        shown = self._type(field, within)
        if says_optional(field):
            return f"optional {shown}"
        if field.label != LABEL_REPEATED:
            return shown
        entry = entry_of(message, field, within)
        if entry is None:
            return f"repeated {shown}"
        key, value = (self._type(part, within) for part in entry.field)
        return f"map<{key}, {value}>"

    def _type(self, field: FieldDescriptorProto, within: str) -> str:
        if field.type_name:
            return self._scope.shown(field.type_name.removeprefix("."), within)
        return FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower()

    def _service(self, service: ServiceDescriptorProto, path: Path) -> list[str]:
        body = [f"option {option};" for option in options_of(service.options)]
        package = self._file.package
        within = f"{package}.{service.name}" if package else service.name
        for place, method in enumerate(service.method):
            lines = self._method(method, within)
            body += self._commented((*path, METHOD, place), lines)
        return self._commented(path, block(f"service {service.name}", body))

    def _method(self, method: MethodDescriptorProto, within: str) -> list[str]:
        asked, given = (
            ("stream " if streams else "") + self._scope.shown(name.removeprefix("."), within)
            for name, streams in (
                (method.input_type, method.client_streaming),
                (method.output_type, method.server_streaming),
            )
        )
        line = f"rpc {method.name}({asked}) returns ({given})"
        options = [f"option {option};" for option in options_of(method.options)]
        return block(line, options) if options else [f"{line};"]


def says_optional(field: FieldDescriptorProto) -> bool:
    """Whether it is written with that word, of which protoc makes a oneof named `_field`.

    A field that JSON calls so is the only one of a oneof instead, which is the same to everybody.
    """
    return field.proto3_optional and field.json_name != f"_{field.name}"


def entry_of(
    message: DescriptorProto, field: FieldDescriptorProto, within: str
) -> DescriptorProto | None:
    """The message of key and value that stands for a map's type, if it is one."""
    for nested in message.nested_type:
        if nested.options.map_entry and field.type_name == f".{within}.{nested.name}":
            return nested
    return None


def import_lines(file: FileDescriptorProto) -> Iterator[str]:
    for place, name in enumerate(file.dependency):
        public = "public " if place in file.public_dependency else ""
        yield f"import {public}{quoted(name)};"


def reserved_lines(
    part: DescriptorProto | EnumDescriptorProto, last: int, *, exclusive: int
) -> list[str]:
    """Numbers and names that are not to be used; `exclusive` is 1 where ends are not meant."""
    lines = []
    if part.reserved_range:
        ranges = (
            shown_range(each.start, each.end - exclusive, last) for each in part.reserved_range
        )
        lines.append(f"reserved {', '.join(ranges)};")
    if part.reserved_name:
        lines.append(f"reserved {', '.join(map(quoted, part.reserved_name))};")
    return lines


def shown_range(start: int, end: int, last: int) -> str:
    if start == end:
        return str(start)
    return f"{start} to {'max' if end == last else end}"


def options_of(options: Any) -> list[str]:
    """Each as "name = value". What this Python does not know the meaning of is left out."""
    shown = []
    for field, value in options.ListFields():
        if field.name == "map_entry" or field.type == field.TYPE_MESSAGE:
            continue
        if field.type == field.TYPE_ENUM:
            text = field.enum_type.values_by_number[value].name
        elif field.type == field.TYPE_STRING:
            text = quoted(value)
        else:
            text = str(value).lower() if isinstance(value, bool) else str(value)
        shown.append(f"{field.name} = {text}")
    return shown


def bracketed(options: Sequence[str]) -> str:
    return f" [{', '.join(options)}]" if options else ""


def block(head: str, body: Sequence[str]) -> list[str]:
    if not body:
        return [f"{head} {{}}"]
    inner = [f"{INDENT}{line}" if line else "" for line in body]
    return [f"{head} {{", *inner, "}"]


def spaced(lines: Iterable[str]) -> Iterator[str]:
    """After an empty line, if there are any."""
    for place, line in enumerate(lines):
        if place == 0:
            yield ""
        yield line


def comment_lines(text: str) -> list[str]:
    """A line of text ends where protoc ends it; nothing else may end a comment, or seem to."""
    if not text:
        return []
    return [f"//{line}" for line in CONTROLS.sub("\ufffd", text.removesuffix("\n")).split("\n")]


def default_json_name(name: str) -> str:
    """What protoc gives a field that names none. Source: ToJsonName in protobuf's descriptor.cc."""
    return re.sub(r"_+(.?)", lambda found: found[1].upper(), name)


def quoted(text: str) -> str:
    return f'"{text_encoding.CEscape(text.encode(), as_utf8=False)}"'
