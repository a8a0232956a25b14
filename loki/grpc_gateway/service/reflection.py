"""Server reflection, v1 and v1alpha: what there is to call, and the files that define it.

Theory of operation. A stream sees the snapshot that it began with, as much of it as its caller may
call, and the files of the services that are always there: these are the same on every device, and
who may call which of their methods is not a matter of whole services. A file is answered with all
that it imports, each once per stream; the one that was asked for comes first, and again if asked
for again. Files of scripts are made when somebody asks for them.

One question at a time is worked on, whoever asks, and all streams take turns: a client that asks
without end, on one stream or on many, waits for the others and holds up no call.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.rpc import error_details_pb2  # type: ignore[import-untyped]  # Ships no marker.
from grpc_reflection.v1alpha import reflection_pb2 as pb

from loki.core.access.principal import Principal, may_run
from loki.core.place import Places
from loki.errors import ErrorCode
from loki.grpc_gateway.call.guard import Call, Guard, needs
from loki.grpc_gateway.call.status import STATUS_OF
from loki.grpc_gateway.service.descriptor_file import (
    ALPHA,
    STABLE,
    DescriptorFile,
    FileIndex,
    api_files,
    index_of,
    messages_of,
    stable_reflection,
    symbols_of,
)
from loki.grpc_gateway.typed import schema
from loki.grpc_gateway.typed.directory import Directory, Snapshot, TypedService, names_for
from loki.messages.access import ClientRole

SERVICE = pb.DESCRIPTOR.services_by_name["ServerReflection"]
SERVICE_NAMES = tuple(f"{package}.{SERVICE.name}" for package in (STABLE, ALPHA))
MOST_STREAMS = 256
"""Each may keep a snapshot alive that is long out of date."""
MOST_LISTS = 16
"""Lists of services that are kept for the next who asks, by what their callers may call."""
MOST_BYTES = 3 * 1024 * 1024
"""Of a list of services, for some 40,000 scripts: clients of gRPC take 4 MiB."""
LONGEST_REQUEST_BYTES = 16 * 1024
"""Each answer has its request in it."""
TOO_MANY = (
    "there are more services than one answer can hold; loki.v1.LokiService/ListScripts names the "
    "method of each script, and what defines it is here by its symbol"
)
LONGEST_NAME = 200
"""Characters of a name in an error."""


class ServiceLists:
    """Who is shown which services. Each list is kept for the next who may call the same."""

    def __init__(self, names: Iterable[str]) -> None:
        """`names` are those of the services that are always there."""
        self._names = tuple(names)
        self._lists: dict[tuple[bool, tuple[str, ...]], pb.ListServiceResponse] = {}
        self._snapshot: Snapshot | None = None

    def of(self, snapshot: Snapshot, principal: Principal) -> pb.ListServiceResponse:
        """All that the principal may call, by name, and what is always there."""
        if snapshot is not self._snapshot or len(self._lists) >= MOST_LISTS:
            self._snapshot = snapshot
            self._lists = {}
        key = (ClientRole.EXECUTE in principal.roles, principal.scripts)
        if key not in self._lists:
            names = sorted((*self._names, *names_for(snapshot, principal, may_run)))
            services = [pb.ServiceResponse(name=name) for name in names]
            self._lists[key] = pb.ListServiceResponse(service=services)
        return self._lists[key]


class View:
    """What one stream sees."""

    def __init__(
        self, lists: ServiceLists, index: FileIndex, snapshot: Snapshot, principal: Principal
    ) -> None:
        self._lists = lists
        self._index = index
        self._snapshot = snapshot
        self._principal = principal
        self._sent: set[str] = set()

    def answer(self, request: pb.ServerReflectionRequest) -> pb.ServerReflectionResponse:
        """Takes at most some ms, and 10 ms for the first list of 10,000 services."""
        response = pb.ServerReflectionResponse()
        if request.ByteSize() > LONGEST_REQUEST_BYTES:
            told = f"a request may have {LONGEST_REQUEST_BYTES} bytes, names included"
            fail(response, ErrorCode.ARGUMENT_INVALID, told)
            return response
        response.valid_host = request.host
        response.original_request.CopyFrom(request)
        match request.WhichOneof("message_request"):
            case "list_services":
                self._list(response)
            case "file_by_filename":
                self._give(response, request.file_by_filename, self._by_name)
            case "file_containing_symbol":
                self._give(response, request.file_containing_symbol, self._by_symbol)
            case "file_containing_extension":
                extension = request.file_containing_extension
                self._give(response, extension, self._by_extension)
            case "all_extension_numbers_of_type":
                self._give_numbers(response, request.all_extension_numbers_of_type)
            case _:
                fail(response, ErrorCode.ARGUMENT_INVALID, "the request asks for nothing")
        return response

    def _list(self, response: pb.ServerReflectionResponse) -> None:
        services = self._lists.of(self._snapshot, self._principal)
        if services.ByteSize() > MOST_BYTES:
            fail(response, ErrorCode.QUOTA, TOO_MANY)
        else:
            response.list_services_response.CopyFrom(services)

    def _give(self, response: pb.ServerReflectionResponse, asked: Any, find: Any) -> None:
        found = find(asked)
        if found is None:
            fail(response, ErrorCode.NOT_FOUND, f"there is no {wanted(asked)}")
        else:
            files = response.file_descriptor_response.file_descriptor_proto
            files.extend(file.content for file in self._with_imports(found))

    def _with_imports(self, first: DescriptorFile) -> Iterator[DescriptorFile]:
        """In the order in which they are met; but for the first, none that was sent already."""
        self._sent.add(first.name)
        yield first
        waiting = list(first.imports)
        for name in waiting:
            if name not in self._sent:
                self._sent.add(name)
                file = self._index.files[name]
                yield file
                waiting.extend(file.imports)

    def _shows(self, service: TypedService) -> bool:
        return may_run(self._principal, service.interface.name)

    def _by_name(self, name: str) -> DescriptorFile | None:
        if static := self._index.files.get(name):
            return static
        service = self._snapshot.by_file(name)
        return file_of(service) if service is not None and self._shows(service) else None

    def _by_symbol(self, symbol: str) -> DescriptorFile | None:
        if static := self._index.symbols.get(symbol):
            return self._index.files[static]
        service = self._service_of(symbol)
        if service is None:
            return None
        file = file_of(service)
        defined = symbols_of(FileDescriptorProto.FromString(file.content))
        return file if symbol in defined else None

    def _service_of(self, symbol: str) -> TypedService | None:
        """The one whose file would define it."""
        service = self._snapshot.services.get(schema.service_of_symbol(symbol))
        return service if service is not None and self._shows(service) else None

    def _by_extension(self, extension: pb.ExtensionRequest) -> DescriptorFile | None:
        numbers = self._index.extensions.get(extension.containing_type, {})
        name = numbers.get(extension.extension_number)
        return self._index.files[name] if name else None

    def _give_numbers(self, response: pb.ServerReflectionResponse, type_: str) -> None:
        if not self._is_message(type_):
            fail(response, ErrorCode.NOT_FOUND, f"there is no message '{shown(type_)}'")
            return
        numbers = response.all_extension_numbers_response
        numbers.base_type_name = type_
        numbers.extension_number.extend(sorted(self._index.extensions.get(type_, ())))

    def _is_message(self, name: str) -> bool:
        if name in self._index.messages:
            return True
        service = self._service_of(name)
        return service is not None and name in messages_of(schema.describe(service.interface))


def file_of(service: TypedService) -> DescriptorFile:
    return DescriptorFile(service.file_name, service.file, schema.DEPENDENCIES)


def fail(response: pb.ServerReflectionResponse, code: ErrorCode, message: str) -> None:
    """In the protocol's own way: the stream goes on."""
    response.error_response.error_code, _ = STATUS_OF[code].value
    response.error_response.error_message = message


def wanted(asked: str | pb.ExtensionRequest) -> str:
    if isinstance(asked, str):
        return f"file or symbol '{shown(asked)}'"
    return f"extension {asked.extension_number} of '{shown(asked.containing_type)}'"


def shown(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}…"


class Reflection:
    """The servicer of both versions."""

    def __init__(self, services: Iterable[ServiceDescriptor], directory: Directory) -> None:
        """`services` are those that are always there."""
        served = tuple(services)
        self._lists = ServiceLists((*(each.full_name for each in served), *SERVICE_NAMES))
        self._index = index_of(
            (*(each.file for each in served), pb.DESCRIPTOR, error_details_pb2.DESCRIPTOR),
            *api_files(),
            stable_reflection(pb.DESCRIPTOR.serialized_pb),
        )
        self._directory = directory
        self._places = Places(MOST_STREAMS, "use server reflection")
        self._turn = asyncio.Lock()

    def handlers(self, guard: Guard) -> Iterator["grpc.GenericRpcHandler[Any, Any]"]:
        """One for each version."""
        (method,) = SERVICE.methods
        handlers = {method.name: guard.handler(method, self.answer)}
        for name in SERVICE_NAMES:
            yield grpc.method_handlers_generic_handler(name, handlers)

    @needs(ClientRole.VIEW, lasting=True)
    async def answer(self, requests: AsyncIterator[Any], call: Call) -> None:
        """Raises: LokiError."""
        with self._places.taken(call.principal.name):
            view = View(self._lists, self._index, self._directory.snapshot, call.principal)
            async for request in requests:
                async with self._turn:
                    response = view.answer(request)
                    await asyncio.sleep(0)  # Whatever else is to be done comes between two turns.
                await call.context.write(response)
