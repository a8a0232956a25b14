"""A script as its typed gRPC service describes it: signature, requests and answers in Python."""

import inspect
import keyword
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, TypeAlias

import grpc
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.unknown_fields import UnknownFieldSet

from loki.client.error import LokiClientError
from loki.client.event import Event, event_of
from loki.client.file_pool import in_order, pool_of
from loki.v1 import service_pb2, value_pb2
from loki.v1_name import camel_case
from loki.v1_value import Plain, Value, from_proto, in_range, to_proto, utf8

PACKAGE = "loki.tools.v1"
SUFFIX = "Service"
CALL, CALL_STREAM = "Call", "CallStream"
STALE_SCHEMA = "STALE_SCHEMA"
SERVICE, FIELD, MESSAGE = 6, 2, 4
"""Numbers of parts in a location's path. Source: google/protobuf/descriptor.proto."""

Arguments: TypeAlias = Mapping[str, Value]


class StaleSchemaError(LokiClientError):
    """The server answers by another schema than this one."""

    def __init__(self, tool: str) -> None:
        super().__init__(
            f"'{tool}' has another schema now",
            code=grpc.StatusCode.FAILED_PRECONDITION,
            reason=STALE_SCHEMA,
        )


def service_of(tool: str) -> str:
    """Such as "loki.tools.v1.ReadSensorService" for `read_sensor`."""
    return f"{PACKAGE}.{camel_case(tool)}{SUFFIX}"


class UnknownToolError(LokiClientError, AttributeError):
    """The server names no typed method of that script: it has none, or not for this caller."""

    def __init__(self, tool: str) -> None:
        super().__init__(
            f"the server has no script '{tool}' with a typed method that this caller may call",
            code=grpc.StatusCode.UNIMPLEMENTED,
        )


class ToolSchema:
    """One revision of a script's service."""

    def __init__(self, tool: str, files: Iterable[bytes]) -> None:
        """`files` are the FileDescriptorProto of the service, first, and all that it imports.

        Raises: ValueError for files that define nothing valid; KeyError without the service.
        """
        own, *_ = parsed = [FileDescriptorProto.FromString(file) for file in files]
        pool = pool_of(in_order({file.name: file for file in parsed}))
        self.tool = tool
        self.service = service_of(tool)
        service = pool.FindServiceByName(self.service)
        self._call: MethodDescriptor = service.methods_by_name[CALL]
        self._stream: MethodDescriptor = service.methods_by_name[CALL_STREAM]
        self._fields = {field.json_name: field for field in self._call.input_type.fields}
        comments = {tuple(c.path): c.leading_comments for c in own.source_code_info.location}
        self._about = {
            field.json_name: paragraph(comments.get((MESSAGE, 0, FIELD, index), ""))
            for index, field in enumerate(self._call.input_type.fields)
        }
        self._description = paragraph(comments.get((SERVICE, 0), ""))

    @property
    def doc(self) -> str:
        """What the script says of itself and of its parameters."""
        about = [f"{name}: {text}" for name, text in self._about.items()]
        return "\n\n".join(text for text in (self._description, *about) if text)

    @property
    def signature(self) -> inspect.Signature:
        """All parameters by name; None leaves one out, which the server may not allow."""
        named = [name for name in self._fields if not keyword.iskeyword(name)]
        parameters = [
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=None,
                annotation=type_of(self._fields[name]) | None,
            )
            for name in named
        ]
        if len(named) < len(self._fields):  # No Python signature can have them.
            others = "others"
            while others in self._fields:
                others += "_"
            parameters.append(inspect.Parameter(others, inspect.Parameter.VAR_KEYWORD))
        value = self._call.output_type.fields_by_name.get("value")
        return inspect.Signature(parameters, return_annotation=type_of(value) if value else None)

    def path(self, method: str) -> str:
        """As gRPC calls that method of the service."""
        return f"/{self.service}/{method}"

    def request(self, arguments: Arguments, *, stream: bool) -> bytes:
        """Raises: TypeError, ValueError; they name the parameter."""
        method = self._stream if stream else self._call
        message: Any = GetMessageClass(method.input_type)()
        for name, value in arguments.items():
            field = self._fields.get(name)
            if field is None:
                raise TypeError(f"{self.tool}() has no parameter '{name}'{self._nearest(name)}")
            if value is not None:
                place = f"{self.tool}(): {name}"
                set_field(message, field, value, place)
        return bytes(message.SerializeToString())

    def _nearest(self, name: str) -> str:
        near = get_close_matches(name, self._fields, n=1)
        return f"; did you mean '{near[0]}'?" if near else ""

    def value(self, response: bytes) -> Plain:
        """The script's result. Raises: StaleSchemaError."""
        return self._plain(GetMessageClass(self._call.output_type).FromString(response))

    def _plain(self, message: Any) -> Plain:
        if len(UnknownFieldSet(message)):
            raise StaleSchemaError(self.tool)
        return plain_value(message)

    def event(self, response: bytes) -> Event | None:
        """As of an untyped stream; None for a kind that we do not know. Raises: StaleSchemaError.

        But for the result, the response is that of StreamScriptExecution, byte for byte.
        """
        message: Any = GetMessageClass(self._stream.output_type).FromString(response)
        if not message.HasField("result"):
            return event_of(service_pb2.StreamScriptExecutionResponse.FromString(response))
        result = message.result
        value = self._plain(result)
        message.ClearField("result")  # Its own field `value` has a type of its own.
        untyped = service_pb2.StreamScriptExecutionResponse.FromString(message.SerializeToString())
        untyped.result.value.CopyFrom(to_proto(value))
        untyped.result.usage.MergeFromString(result.usage.SerializeToString())
        untyped.result.output.truncated = result.output_truncated
        return event_of(untyped)


def paragraph(comment: str) -> str:
    """A comment's text on one line."""
    return " ".join(comment.split())


NESTED = {
    "loki.v1.ScriptObject": ("object_value", dict),
    "loki.v1.ScriptArray": ("array_value", list),
    "loki.v1.ScriptValue": ("", object),
}
"""Message -> which part of a ScriptValue it is, and what it is in Python."""
SCALARS = {
    FieldDescriptor.TYPE_STRING: str,
    FieldDescriptor.TYPE_INT64: int,
    FieldDescriptor.TYPE_DOUBLE: float,
    FieldDescriptor.TYPE_BOOL: bool,
    FieldDescriptor.TYPE_BYTES: bytes,
}


def type_of(field: FieldDescriptor) -> type:
    """In Python, such as float."""
    if field.message_type is not None:
        return NESTED[field.message_type.full_name][1]
    return SCALARS[field.type]


def set_field(message: Any, field: FieldDescriptor, value: Value, place: str) -> None:
    """Raises: TypeError for another type; ValueError for what cannot be sent."""
    if not fits(field, value):
        raise TypeError(f"{place} must be {type_of(field).__name__}, not {type(value).__name__}")
    if field.message_type is not None:
        part, _ = NESTED[field.message_type.full_name]
        whole = to_proto(value, place)
        sent = getattr(whole, part) if part else whole
        getattr(message, field.name).MergeFromString(sent.SerializeToString())
        getattr(message, field.name).SetInParent()
    else:
        setattr(message, field.name, scalar(value, place))


def scalar(value: Value, place: str) -> object:
    """As protobuf takes it. Raises: ValueError."""
    match value:
        case str():
            return utf8(value, place)
        case int():
            return in_range(value, place)
        case bytearray() | memoryview():
            return bytes(value)
        case _:
            return value


def fits(field: FieldDescriptor, value: Value) -> bool:
    """Whether the value is of the field's type; an int is a float too, as in Python."""
    wanted = type_of(field)
    if wanted is object or isinstance(value, bool):
        return wanted in (object, bool)
    if wanted is list:
        return isinstance(value, Sequence) and not isinstance(value, str | bytes)
    return isinstance(value, ACCEPTED.get(wanted, wanted))


ACCEPTED: Mapping[type, Any] = {
    bytes: bytes | bytearray | memoryview,
    dict: Mapping,
    float: int | float,
}


def plain_value(message: Any) -> Plain:
    """What a response holds in `value`, if it has one."""
    field = message.DESCRIPTOR.fields_by_name.get("value")
    if field is None or not message.HasField("value"):
        return None
    value = message.value
    if field.message_type is None:
        plain: Plain = value
        return plain
    part, _ = NESTED[field.message_type.full_name]
    whole = value_pb2.ScriptValue()
    (getattr(whole, part) if part else whole).MergeFromString(value.SerializeToString())
    if part:
        getattr(whole, part).SetInParent()
    return from_proto(whole)
