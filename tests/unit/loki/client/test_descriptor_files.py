"""Files by reflection, from servers of several kinds."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_reflection.v1alpha import reflection_pb2 as pb

from loki.client.descriptor_files import read_files

TIMEOUT_S = 20.0
IMPORTS = {"a.proto": ("base.proto",), "b.proto": ("base.proto",), "base.proto": ("root.proto",)}
SERVICES = {"x.A": "a.proto", "x.B": "b.proto", "x.C": "c.proto"}


def content(name: str) -> bytes:
    return FileDescriptorProto(name=name, dependency=IMPORTS.get(name, ())).SerializeToString()


class Server:
    """Keeps what it was asked; `complete` is whether it sends imports along."""

    def __init__(self, *, complete: bool = True, lost: str = "") -> None:
        self.asked: list[str] = []
        self.streams: list[str] = []
        self.quits_after = 1_000_000
        self._complete = complete
        self._lost = lost

    def answer(
        self, requests: Iterator[pb.ServerReflectionRequest], context: grpc.ServicerContext
    ) -> Iterator[pb.ServerReflectionResponse]:
        self.streams.append("begun")
        for request in requests:
            if len(self.asked) >= self.quits_after:
                return
            self.asked.append(
                request.list_services or request.file_by_filename or request.file_containing_symbol
            )
            yield self._answer(request)
        self.streams.append("ended")

    def _answer(self, request: pb.ServerReflectionRequest) -> pb.ServerReflectionResponse:
        response = pb.ServerReflectionResponse()
        if request.list_services:
            for name in SERVICES:
                response.list_services_response.service.add(name=name)
            return response
        name = request.file_by_filename or SERVICES[request.file_containing_symbol]
        if name == self._lost:
            response.error_response.error_message = f"no {name}"
            return response
        names = [name]
        for each in names:
            names += IMPORTS.get(each, ()) if self._complete else ()
        response.file_descriptor_response.file_descriptor_proto.extend(map(content, names))
        return response


@pytest.fixture
def serve() -> Iterator[Callable[..., grpc.Channel]]:
    running: list[grpc.Server] = []
    channels: list[grpc.Channel] = []

    def start(server: Server, *versions: str) -> grpc.Channel:
        grpc_server = grpc.server(ThreadPoolExecutor(max_workers=2))
        method = grpc.stream_stream_rpc_method_handler(
            server.answer,
            request_deserializer=pb.ServerReflectionRequest.FromString,
            response_serializer=pb.ServerReflectionResponse.SerializeToString,
        )
        grpc_server.add_generic_rpc_handlers(
            tuple(
                grpc.method_handlers_generic_handler(
                    f"grpc.reflection.{version}.ServerReflection", {"ServerReflectionInfo": method}
                )
                for version in versions
            )
        )
        port = grpc_server.add_insecure_port("127.0.0.1:0")
        grpc_server.start()
        running.append(grpc_server)
        channels.append(grpc.insecure_channel(f"127.0.0.1:{port}"))
        return channels[-1]

    yield start
    for channel in channels:
        channel.close()
    for each in running:
        each.stop(None).wait()


@pytest.mark.parametrize("versions", [("v1",), ("v1alpha",), ("v1", "v1alpha")], ids=str)
@pytest.mark.parametrize("complete", [True, False], ids=["with imports", "file by file"])
def test_all_that_the_chosen_import(
    serve: Callable[..., grpc.Channel], versions: tuple[str, ...], complete: bool
) -> None:
    server = Server(complete=complete)
    offered: list[list[str]] = []

    def choose(names: list[str]) -> list[str]:
        offered.append(names)
        return names[:2]

    files = read_files(serve(server, *versions), choose, TIMEOUT_S)
    assert offered == [["x.A", "x.B", "x.C"]]
    assert {name: tuple(file.dependency) for name, file in files.items()} == {
        **IMPORTS,
        "root.proto": (),
    }
    assert server.asked[:3] == ["*", "x.A", "x.B"]
    assert server.streams.count("begun") == 1


def test_each_file_that_comes_is_told(serve: Callable[..., grpc.Channel]) -> None:
    told: list[tuple[int, int]] = []
    channel = serve(Server(), "v1")
    read_files(channel, lambda names: names, TIMEOUT_S, lambda *done: told.append(done))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_nothing_is_asked_for_nothing(serve: Callable[..., grpc.Channel]) -> None:
    server = Server()
    assert read_files(serve(server, "v1"), lambda _: (), TIMEOUT_S) == {}
    assert server.asked == ["*"]


def test_a_server_without_reflection_says_so(serve: Callable[..., grpc.Channel]) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        read_files(serve(Server()), lambda names: names, TIMEOUT_S)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize(
    ("server", "problem"),
    [
        (Server(lost="b.proto"), "reflection: no b.proto"),
        (Server(complete=False, lost="base.proto"), "reflection: no base.proto"),
    ],
    ids=["a service's", "an import"],
)
def test_a_file_that_is_not_there(
    serve: Callable[..., grpc.Channel], server: Server, problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        read_files(serve(server, "v1"), lambda names: names[:2], TIMEOUT_S)


def test_a_stream_that_ends_early(serve: Callable[..., grpc.Channel]) -> None:
    server = Server()
    server.quits_after = 2
    with pytest.raises(ValueError, match="ended reflection without an answer"):
        read_files(serve(server, "v1"), lambda names: names[:2], TIMEOUT_S)


def test_an_answer_with_other_files_is_no_reason_to_go_on(
    serve: Callable[..., grpc.Channel], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Server(complete=False)
    monkeypatch.setitem(SERVICES, "x.C", "a.proto")
    first = server._answer

    def other(request: pb.ServerReflectionRequest) -> pb.ServerReflectionResponse:
        if request.file_by_filename:
            request = pb.ServerReflectionRequest(file_by_filename="a.proto")
        return first(request)

    monkeypatch.setattr(server, "_answer", other)
    with pytest.raises(ValueError, match=r"does not have its own base\.proto"):
        read_files(serve(server, "v1"), lambda names: names[:2], TIMEOUT_S)
