"""Requests of typed methods as arguments of a run, and ends of runs as their responses.

Theory of operation. What reads a request is made from its revision's parameters when the first
call comes, in a descriptor pool of its own, and kept for as long as it is among the most used: it
takes 30 us and 10 KiB, the whole file with all that it imports would take ten times as much.
Scripts with the same parameters share it, so that a new revision seldom needs another one. Classes
and pools refer to themselves: only the garbage collector ends them, and it counts objects, which
are few, not what they hold. So it is called when many were made. Responses need nothing for each
script, for their shape depends on the declared type alone: a class for each type serves all, and
the other events of a stream are those of StreamScriptExecution, byte for byte.
"""

import gc
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import repeat
from typing import Any

from google.protobuf import descriptor_pool, struct_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.unknown_fields import UnknownFieldSet

from loki.errors import ErrorCode, ExecutionError, InvalidArgument, LokiError
from loki.grpc_gateway.convert import run
from loki.grpc_gateway.convert.value import value_of
from loki.grpc_gateway.typed import schema
from loki.grpc_gateway.typed.directory import TypedService
from loki.messages.execution import RunFinished
from loki.messages.interface import Interface
from loki.messages.script import Parameter, ValueType
from loki.messages.value import Packed, ScriptValue, pack
from loki.v1 import value_pb2
from loki.v1_value import from_proto

MOST_READERS = 512
MADE_BETWEEN_COLLECTIONS = 256
"""A collection stops the gateway for 15 ms; what is left between two takes 3 MiB."""
REQUEST = "CallRequest"
SHOWN_NUMBERS = 8
POOLED = (struct_pb2, value_pb2)
"""What a request imports that has an object or an array."""

KIND = {
    ValueType.STRING: "string_value",
    ValueType.INTEGER: "int_value",
    ValueType.NUMBER: "double_value",
    ValueType.BOOLEAN: "bool_value",
    ValueType.OBJECT: "object_value",
    ValueType.ARRAY: "array_value",
    ValueType.BYTES: "bytes_value",
}
"""Which part of a ScriptValue holds a value of that declared type."""


@dataclass(frozen=True, slots=True)
class Reader:
    """What reads the requests of one revision."""

    message: type[Any]
    parameters: Mapping[int, Parameter]
    """By field number."""


@lru_cache(maxsize=MOST_READERS)
def reader_of(service: TypedService) -> Reader:
    """Revisions that nobody calls leave the cache."""
    interface = service.interface
    fields = tuple((parameter.name, parameter.type) for parameter in interface.parameters)
    return reader_for(fields, interface.numbers)


@lru_cache(maxsize=MOST_READERS)
def reader_for(fields: tuple[tuple[str, ValueType], ...], numbers: tuple[int, ...]) -> Reader:
    """Of all requests with these fields."""
    next(_made)
    parameters = tuple(Parameter(name=name, type=type_) for name, type_ in fields)
    return Reader(request_class(parameters, numbers), dict(zip(numbers, parameters, strict=True)))


def _collect_now_and_then() -> Iterator[None]:
    """One step for each class that is made."""
    while True:
        yield from repeat(None, MADE_BETWEEN_COLLECTIONS)
        gc.collect()


_made = _collect_now_and_then()


def request_class(parameters: tuple[Parameter, ...], numbers: tuple[int, ...]) -> type[Any]:
    """The message of Call's and CallStream's requests, with nothing else around it."""
    file = FileDescriptorProto(name="request.proto", package=schema.PACKAGE, syntax="proto3")
    file.message_type.append(schema.request(parameters, numbers, REQUEST))
    pool = descriptor_pool.DescriptorPool()
    if any(parameter.type in schema.MESSAGES for parameter in parameters):
        for module in POOLED:
            pool.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
        file.dependency.append(value_pb2.DESCRIPTOR.name)
    pool.AddSerializedFile(file.SerializeToString())
    made: type[Any] = GetMessageClass(pool.FindMessageTypeByName(f"{schema.PACKAGE}.{REQUEST}"))
    return made


def arguments_of(service: TypedService, data: bytes) -> dict[str, Packed]:
    """The arguments that a request gives, by parameter; their ranges are checked later.

    Raises: InvalidArgument for what is no such message, or nested too deep; LokiError
    (STALE_SCHEMA) for fields that this revision does not have. Within objects and arrays such
    fields are of a newer `loki.v1` and read as null, as everywhere.
    """
    reader = reader_of(service)
    try:
        request = reader.message.FromString(data)
    except DecodeError as error:
        raise InvalidArgument(f"not a request of this method: {error}") from error
    unknown = UnknownFieldSet(request)
    if len(unknown):
        numbers = {unknown[place].field_number for place in range(len(unknown))}
        raise stale(service.interface, sorted(numbers))
    arguments = {}
    for field, value in request.ListFields():
        parameter = reader.parameters[field.number]
        arguments[parameter.name] = argument(parameter, value)
    return arguments


def argument(parameter: Parameter, given: Any) -> Packed:
    """Raises: InvalidArgument that names the parameter, for what is nested too deep."""
    plain = PLAIN.get(parameter.type)
    try:
        return pack(plain(given) if plain else given)
    except InvalidArgument as error:
        raise InvalidArgument(
            f"argument '{parameter.name}': {error.message}", details={"field": parameter.name}
        ) from error


PLAIN: Mapping[ValueType, Callable[[Any], ScriptValue]] = {
    ValueType.OBJECT: lambda given: {key: from_proto(part) for key, part in given.fields.items()},
    ValueType.ARRAY: lambda given: [from_proto(item) for item in given.items],
}


def stale(interface: Interface, numbers: list[int]) -> LokiError:
    """The refusal of a request that another revision's schema made."""
    listed = ", ".join(map(str, numbers[:SHOWN_NUMBERS]))
    return LokiError(
        f"fields {listed} of the request do not belong to '{interface.name}', revision "
        f"{interface.revision}: another revision's schema made it; fetch the schema again, by "
        "server reflection, and send the request anew",
        code=ErrorCode.STALE_SCHEMA,
        details={"script": interface.name, "revision": interface.revision, "numbers": listed},
    )


@dataclass(frozen=True, slots=True)
class Responses:
    """The messages of all methods with one declared type."""

    unary: type[Any]
    stream: type[Any]


@cache
def responses(return_type: ValueType) -> Responses:
    """Their classes live in the default pool, as `loki.v1` does: parts can be copied."""
    name = f"{return_type.value.capitalize()}Script"
    file = FileDescriptorProto(
        name=f"loki/grpc_gateway/{return_type.value}.proto",
        package=schema.PACKAGE,
        syntax="proto3",
        dependency=schema.DEPENDENCIES,
    )
    ends = f"{name}{schema.CALL}Response", f"{name}{schema.CALL_STREAM}Response"
    file.message_type.append(schema.response(return_type, ends[0]))
    file.message_type.append(schema.stream_response(return_type, ends[1]))
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    unary, stream = (pool.FindMessageTypeByName(f"{schema.PACKAGE}.{end}") for end in ends)
    return Responses(GetMessageClass(unary), GetMessageClass(stream))


def response(finished: RunFinished, return_type: ValueType) -> Any:
    """Of Call. Raises: ExecutionError (RETURN_TYPE_MISMATCH)."""
    made = responses(return_type).unary()
    fill(made, finished, return_type)
    return made


def stream_response(event: run.Event, sequence: int, now_ns: int, return_type: ValueType) -> Any:
    """Of CallStream. Raises: ExecutionError (RETURN_TYPE_MISMATCH)."""
    if not isinstance(event, RunFinished):
        return run.stream_response(event, sequence, now_ns)
    made = responses(return_type).stream(sequence=sequence, execution_id=event.run)
    made.time.FromNanoseconds(now_ns)
    fill(made.result, event, return_type)
    made.result.output_truncated = event.output_truncated
    return made


def fill(made: Any, finished: RunFinished, return_type: ValueType) -> None:
    """Usage and value. Raises: ExecutionError (RETURN_TYPE_MISMATCH)."""
    made.usage.CopyFrom(run.usage_to_proto(finished.usage))
    value = value_of(finished.value)
    if return_type is ValueType.ANY:
        made.value.CopyFrom(value)
        return
    kind = value.WhichOneof("kind")
    if kind != KIND.get(return_type, "null_value"):
        raise mismatch(return_type, kind)
    if return_type in schema.MESSAGES:
        made.value.CopyFrom(getattr(value, kind))
    elif return_type is not ValueType.VOID:
        made.value = getattr(value, kind)


def mismatch(return_type: ValueType, kind: str) -> ExecutionError:
    """Runners give what is declared, or fail: this is the net below."""
    got = next((type_.value for type_, part in KIND.items() if part == kind), "null")
    return ExecutionError(
        f"declared {return_type.value}, got {got}",
        code=ErrorCode.RETURN_TYPE_MISMATCH,
        details={"declared": return_type.value, "got": got},
    )
