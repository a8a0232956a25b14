"""A script's typed service as protobuf descriptors, comments included.

The service of `read_sensor` is `loki.tools.v1.ReadSensorService` in its own file. Names are
derived from the tool's so that each leads back to it; field numbers of requests are the Library's,
those of responses depend on the declared type alone. A message of one revision is therefore never
read as another one's by a client that is out of date.
"""

import json
import unicodedata
from collections.abc import Iterator

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)

from loki.messages.interface import Interface
from loki.messages.script import Parameter, ValueType
from loki.messages.value import NIL, unpack
from loki.v1_name import camel_case, snake_case

PACKAGE = "loki.tools.v1"
FOLDER = "loki/tools/v1/"
CALL, CALL_STREAM = "Call", "CallStream"
DEPENDENCIES = (
    "google/protobuf/timestamp.proto",
    "loki/v1/execution.proto",
    "loki/v1/value.proto",
)
RESULT = "Result"
VALUE, USAGE = "value", "usage"
USAGE_NUMBER, TRUNCATED_NUMBER = 1, 10
VALUE_NUMBER = {
    ValueType.STRING: 2,
    ValueType.INTEGER: 3,
    ValueType.NUMBER: 4,
    ValueType.BOOLEAN: 5,
    ValueType.OBJECT: 6,
    ValueType.ARRAY: 7,
    ValueType.BYTES: 8,
    ValueType.ANY: 9,
}
"""Of the field `value` of a response; a void one has none."""

SCALARS = {
    ValueType.STRING: FieldDescriptorProto.TYPE_STRING,
    ValueType.INTEGER: FieldDescriptorProto.TYPE_INT64,
    ValueType.NUMBER: FieldDescriptorProto.TYPE_DOUBLE,
    ValueType.BOOLEAN: FieldDescriptorProto.TYPE_BOOL,
    ValueType.BYTES: FieldDescriptorProto.TYPE_BYTES,
}
MESSAGES = {
    ValueType.OBJECT: ".loki.v1.ScriptObject",
    ValueType.ARRAY: ".loki.v1.ScriptArray",
    ValueType.ANY: ".loki.v1.ScriptValue",
}
CHUNKS = (
    ("output", 1, ".loki.v1.ScriptChunk", "The script printed."),
    ("progress", 2, ".loki.v1.ScriptProgress", "The script called loki.progress."),
    (VALUE, 3, ".loki.v1.ScriptValue", "The script called loki.emit."),
)
FACTS = (
    (
        "sequence",
        5,
        FieldDescriptorProto.TYPE_INT64,
        "Grows by one with each message of the stream.",
    ),
    ("time", 6, ".google.protobuf.Timestamp", "The device's clock when this was sent."),
    ("execution_id", 7, FieldDescriptorProto.TYPE_STRING, "Names this execution."),
)
LONGEST_DEFAULT = 60  # Characters in a comment.
BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Marks that change the order in which text is shown: code behind them is not what it seems."""

MESSAGE, SERVICE, FIELD, METHOD, NESTED, ONEOF, PACKAGE_PART = 4, 6, 2, 2, 3, 8, 2
"""Numbers of parts in a location's path. Source: google/protobuf/descriptor.proto."""


def service_name(tool: str) -> str:
    """Such as "ReadSensorService"."""
    return f"{camel_case(tool)}Service"


def full_name(tool: str) -> str:
    """Such as "loki.tools.v1.ReadSensorService"."""
    return f"{PACKAGE}.{service_name(tool)}"


def file_name(tool: str) -> str:
    """Such as "loki/tools/v1/read_sensor.proto"."""
    return f"{FOLDER}{snake_case(tool)}.proto"


def tool_of_file(name: str) -> str:
    """A tool whose file it would be, or "" for what is no file of a tool."""
    stem = name.removeprefix(FOLDER).removesuffix(".proto")
    return stem if f"{FOLDER}{stem}.proto" == name else ""


MESSAGE_ENDS = tuple(
    method + kind for method in (CALL, CALL_STREAM) for kind in ("Request", "Response")
)


def service_of_symbol(symbol: str) -> str:
    """The full name of the service whose file would define it; "" for what no tool's file does."""
    rest = symbol.removeprefix(f"{PACKAGE}.")
    if rest == symbol:
        return ""
    first = rest.partition(".")[0]
    for end in MESSAGE_ENDS:
        first = first.removesuffix(end)
    return f"{PACKAGE}.{first}"


def symbols_of(tool: str) -> frozenset[str]:
    """Every full name that its file defines, but for fields."""
    service = full_name(tool)
    return frozenset(
        (
            service,
            f"{service}.{CALL}",
            f"{service}.{CALL_STREAM}",
            *(service + end for end in MESSAGE_ENDS),
            f"{service}{CALL_STREAM}Response.{RESULT}",
        )
    )


def describe(interface: Interface) -> FileDescriptorProto:
    """The whole file, with the descriptions as comments."""
    service = service_name(interface.name)
    file = FileDescriptorProto(
        name=file_name(interface.name), package=PACKAGE, syntax="proto3", dependency=DEPENDENCIES
    )
    file.message_type.extend(
        (
            request(interface.parameters, interface.numbers, f"{service}{CALL}Request"),
            response(interface.return_type, f"{service}{CALL}Response"),
            request(interface.parameters, interface.numbers, f"{service}{CALL_STREAM}Request"),
            stream_response(interface.return_type, f"{service}{CALL_STREAM}Response"),
        )
    )
    defined = file.service.add(name=service)
    for method, streams in (CALL, False), (CALL_STREAM, True):
        defined.method.add(
            name=method,
            input_type=f".{PACKAGE}.{service}{method}Request",
            output_type=f".{PACKAGE}.{service}{method}Response",
            server_streaming=streams,
        )
    for line, (path, text) in enumerate(comments(interface)):
        file.source_code_info.location.add(
            path=path, span=(line, 0, 1), leading_comments=comment(text)
        )
    return file


def request(
    parameters: tuple[Parameter, ...], numbers: tuple[int, ...], name: str
) -> DescriptorProto:
    """A field for each parameter, all of them optional: presence tells "not given" from zero."""
    message = DescriptorProto(name=name)
    for parameter, number in zip(parameters, numbers, strict=True):
        field = typed_field(message, snake_case(parameter.name), number, parameter.type)
        field.json_name = parameter.name
    close(message)
    return message


def response(return_type: ValueType, name: str) -> DescriptorProto:
    """What a run gave, and what it used."""
    message = DescriptorProto(name=name)
    plain_field(message, USAGE, USAGE_NUMBER, ".loki.v1.Usage")
    if return_type is not ValueType.VOID:
        typed_field(message, VALUE, VALUE_NUMBER[return_type], return_type)
    close(message)
    return message


def stream_response(return_type: ValueType, name: str) -> DescriptorProto:
    """One event of a run, as of loki.v1.StreamScriptExecution, with a typed result at the end."""
    message = DescriptorProto(name=name)
    message.oneof_decl.add(name="chunk")
    result = response(return_type, RESULT)
    plain_field(result, "output_truncated", TRUNCATED_NUMBER, FieldDescriptorProto.TYPE_BOOL)
    message.nested_type.append(result)
    for chunk, number, type_, _ in CHUNKS:
        plain_field(message, chunk, number, type_).oneof_index = 0
    plain_field(message, "result", 4, f".{PACKAGE}.{name}.{RESULT}").oneof_index = 0
    for fact, number, kind, _ in FACTS:
        plain_field(message, fact, number, kind)
    return message


def plain_field(
    message: DescriptorProto,
    name: str,
    number: int,
    type_: "str | FieldDescriptorProto.Type.ValueType",
) -> FieldDescriptorProto:
    """A scalar without presence, or the message of that name."""
    field = message.field.add(name=name, number=number, label=FieldDescriptorProto.LABEL_OPTIONAL)
    if isinstance(type_, str):
        field.type, field.type_name = FieldDescriptorProto.TYPE_MESSAGE, type_
    else:
        field.type = type_
    return field


def typed_field(
    message: DescriptorProto, name: str, number: int, type_: ValueType
) -> FieldDescriptorProto:
    """A field that says whether it is set: a message, or a scalar that is `optional`."""
    if type_ in MESSAGES:
        return plain_field(message, name, number, MESSAGES[type_])
    field = plain_field(message, name, number, SCALARS[type_])
    field.proto3_optional = True
    return field


def close(message: DescriptorProto) -> None:
    """Add what `optional` stands for: a oneof of its own for each such field.

    Its name is protoc's, with protoc's way out where that is the JSON name of a field: `_x` and
    `X_x` may be parameters of one script.
    """
    taken = {name for field in message.field for name in (field.name, field.json_name)}
    for field in message.field:
        if field.proto3_optional:
            field.oneof_index = len(message.oneof_decl)
            name = f"_{field.name}"
            while name in taken:
                name = f"X{name}"
            message.oneof_decl.add(name=name)


def comments(interface: Interface) -> Iterator[tuple[tuple[int, ...], str]]:
    """Path and text of each, in the order of the file's parts."""
    name, about = interface.name, interface.description.strip()
    yield (PACKAGE_PART,), "The scripts of this device, a service for each."
    yield from request_comments(interface, 0, CALL)
    yield (MESSAGE, 1), f"Response of {CALL}."
    yield from response_comments(interface.return_type, (MESSAGE, 1))
    yield from request_comments(interface, 2, CALL_STREAM)
    yield from stream_comments(interface.return_type, (MESSAGE, 3))
    yield (SERVICE, 0), f"{about}\n\nThe script '{name}', revision {interface.revision}."
    yield (SERVICE, 0, METHOD, 0), f"{about}\n\nRuns '{name}' and gives its result."
    yield (
        (SERVICE, 0, METHOD, 1),
        f"{about}\n\nRuns '{name}' and delivers what it prints, emits and reports while it runs; "
        "the last message is its result.",
    )


def request_comments(
    interface: Interface, index: int, method: str
) -> Iterator[tuple[tuple[int, ...], str]]:
    yield (MESSAGE, index), f"Request of {method}: the parameters of '{interface.name}'."
    for place, parameter in enumerate(interface.parameters):
        yield (MESSAGE, index, FIELD, place), parameter_comment(parameter)


def response_comments(
    return_type: ValueType, path: tuple[int, ...]
) -> Iterator[tuple[tuple[int, ...], str]]:
    yield (*path, FIELD, 0), "What the execution used."
    if return_type is not ValueType.VOID:
        yield (*path, FIELD, 1), f"What the script returned. Type: {return_type.value}."


def stream_comments(
    return_type: ValueType, path: tuple[int, ...]
) -> Iterator[tuple[tuple[int, ...], str]]:
    yield path, f"Response of {CALL_STREAM}: one event of the execution."
    yield (*path, NESTED, 0), "The good end of an execution."
    yield from response_comments(return_type, (*path, NESTED, 0))
    truncated = 1 if return_type is ValueType.VOID else 2
    yield (
        (*path, NESTED, 0, FIELD, truncated),
        "Whether the script printed more than it may, so that not all of it came.",
    )
    yield (*path, ONEOF, 0), "What happened."
    texts = (
        *(chunk[-1] for chunk in CHUNKS),
        "The script ended well; the last message.",
        *(fact[-1] for fact in FACTS),
    )
    for place, text in enumerate(texts):
        yield (*path, FIELD, place), text


def parameter_comment(parameter: Parameter) -> str:
    """The author's words, and what is declared beside the type."""
    facts = [f"Type: {parameter.type.value}."]
    low, high = parameter.minimum, parameter.maximum
    if low is not None:
        facts.append(f"At least {low}.")
    if high is not None:
        facts.append(f"At most {high}.")
    if parameter.required:
        facts.append("Required.")
    elif parameter.default != NIL:
        facts.append(f"Default: {default_text(parameter)}.")
    else:
        facts.append("May be left out.")
    return f"{parameter.description.strip()}\n\n{' '.join(facts)}"


def default_text(parameter: Parameter) -> str:
    value = unpack(parameter.default)
    text = json.dumps(value, ensure_ascii=False, default=lambda raw: f"{len(raw)} bytes")
    return text if len(text) <= LONGEST_DEFAULT else f"{text[:LONGEST_DEFAULT]}…"


def comment(text: str) -> str:
    """As protoc keeps comments of `//` lines. What a terminal or an editor obeys is taken out."""
    lines = (printable(line).rstrip() for line in text.strip().splitlines())
    return "".join(f" {line}\n" if line else "\n" for line in lines)


def printable(line: str) -> str:
    if line.isprintable():  # As most are; each character by itself would take most of the time.
        return line
    return "".join("\ufffd" if obeyed(character) else character for character in line)


def obeyed(character: str) -> bool:
    """Whether it steers how the text around it is shown. Source: Unicode, UAX #9, section 2."""
    return character in BIDI or (unicodedata.category(character) == "Cc" and character != "\t")
