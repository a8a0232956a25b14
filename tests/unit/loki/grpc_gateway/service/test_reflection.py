"""Server reflection as foreign clients use it, and as clients misuse it."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from google.protobuf import timestamp_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_reflection.v1alpha import reflection_pb2 as pb
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

from loki.core.access.credential import Credentials, digest
from loki.core.access.principal import LOCAL, Principal
from loki.errors import ResourceLimitExceeded
from loki.grpc_gateway.call.guard import Call
from loki.grpc_gateway.server import HEALTH, SERVICES
from loki.grpc_gateway.service import reflection
from loki.grpc_gateway.service.reflection import SERVICE_NAMES, Reflection, ServiceLists, View
from loki.grpc_gateway.typed import schema
from loki.grpc_gateway.typed.directory import EMPTY, Snapshot
from loki.messages.access import ClientRole
from loki.messages.interface import PublishInterfaces
from tests.unit.loki.conftest import TIMEOUT_S, Hosted
from tests.unit.loki.grpc_gateway.interface import interface

AVERAGE = "loki.tools.v1.AverageService"
FILE = "loki/tools/v1/average.proto"
STATIC = {each.full_name for each in (*SERVICES, HEALTH)} | set(SERVICE_NAMES)
RUNS = frozenset({ClientRole.VIEW, ClientRole.EXECUTE})
READER = Principal("ann", frozenset({ClientRole.VIEW}))
RUNNER = Principal("bob", RUNS, ("av*", "other"))
NOT_FOUND = grpc.StatusCode.NOT_FOUND.value[0]
Request = pb.ServerReflectionRequest


def snapshot(*names: str) -> Snapshot:
    return EMPTY.after(PublishInterfaces(changed=tuple(map(interface, names)), complete=True))


def reflecting(seen: Snapshot) -> Reflection:
    directory: Any = SimpleNamespace(snapshot=seen)
    return Reflection((*SERVICES, HEALTH), directory)


def view(*names: str, principal: Principal = LOCAL) -> View:
    seen = snapshot(*names)
    made = reflecting(seen)
    return View(made._lists, made._index, seen, principal)


def files(answer: pb.ServerReflectionResponse) -> list[FileDescriptorProto]:
    contents = answer.file_descriptor_response.file_descriptor_proto
    return [FileDescriptorProto.FromString(content) for content in contents]


def listed(answer: pb.ServerReflectionResponse) -> list[str]:
    return [each.name for each in answer.list_services_response.service]


class TestView:
    def test_the_list_is_of_all_services_by_name(self) -> None:
        names = listed(view("average", "other").answer(Request(list_services="*")))
        assert names == sorted({*STATIC, AVERAGE, "loki.tools.v1.OtherService"})

    def test_a_list_that_no_client_would_take_is_not_sent(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        stream = view("average")
        monkeypatch.setattr(reflection, "MOST_BYTES", 100)
        answer = stream.answer(Request(list_services=""))
        assert answer.error_response.error_code == grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]
        assert "ListScripts" in answer.error_response.error_message
        assert stream.answer(Request(file_containing_symbol=AVERAGE)).HasField(
            "file_descriptor_response"
        )

    @pytest.mark.parametrize("part", ["host", "list_services", "file_containing_symbol"])
    def test_a_question_that_no_answer_could_repeat_is_refused(self, part: str) -> None:
        answer = view("average").answer(Request(**{part: "x" * 2_000_000}))
        assert answer.error_response.error_code == grpc.StatusCode.INVALID_ARGUMENT.value[0]
        assert answer.ByteSize() < 1000

    def test_each_answer_names_its_question(self) -> None:
        asked = Request(host="device", list_services="")
        answer = view().answer(asked)
        assert (answer.valid_host, answer.original_request) == ("device", asked)

    @pytest.mark.parametrize(
        "asked",
        [
            {"file_by_filename": FILE},
            {"file_containing_symbol": AVERAGE},
            {"file_containing_symbol": f"{AVERAGE}.CallStream"},
            {"file_containing_symbol": f"{AVERAGE}CallRequest"},
            {"file_containing_symbol": f"{AVERAGE}CallRequest.n"},
            {"file_containing_symbol": f"{AVERAGE}CallStreamResponse.Result.value"},
        ],
    )
    def test_a_scripts_file_comes_first_and_then_all_that_it_imports(self, asked: Any) -> None:
        answer = view("average").answer(Request(**asked))
        assert answer.file_descriptor_response.file_descriptor_proto[0] == (
            schema.describe(interface("average")).SerializeToString()
        )
        given = files(answer)
        assert given[0].name == FILE
        names = [each.name for each in given]
        assert {n for each in given for n in each.dependency} <= set(names)
        assert len(names) == len(set(names))

    def test_imports_come_once_per_stream_and_what_is_asked_for_each_time(self) -> None:
        stream = view("average", "other")
        first, again, second, static = (
            [each.name for each in files(stream.answer(Request(file_by_filename=name)))]
            for name in (FILE, FILE, "loki/tools/v1/other.proto", "loki/v1/value.proto")
        )
        assert len(first) > 3
        assert again == [FILE]
        assert second == ["loki/tools/v1/other.proto"]
        assert static == ["loki/v1/value.proto"]

    def test_files_that_are_always_there_come_as_they_are(self) -> None:
        answer = view().answer(Request(file_containing_symbol="google.protobuf.Timestamp.seconds"))
        content = answer.file_descriptor_response.file_descriptor_proto[0]
        assert content == timestamp_pb2.DESCRIPTOR.serialized_pb

    def test_those_of_the_api_have_their_comments(self) -> None:
        (file, *_) = files(view().answer(Request(file_containing_symbol="loki.v1.Usage.wall_ms")))
        assert file.name == "loki/v1/execution.proto"
        assert any(each.leading_comments for each in file.source_code_info.location)

    @pytest.mark.parametrize(
        "name", [*sorted(STATIC), "google.rpc.ErrorInfo", "google.rpc.BadRequest"]
    )
    def test_whatever_a_client_meets_can_be_resolved(self, name: str) -> None:
        assert files(view().answer(Request(file_containing_symbol=name)))

    @pytest.mark.parametrize(
        "asked",
        [
            {"file_by_filename": ""},
            {"file_by_filename": "loki/tools/v1/absent.proto"},
            {"file_containing_symbol": "loki.tools.v1.AbsentService"},
            {"file_containing_symbol": f"{AVERAGE}.Run"},
            {"file_containing_symbol": f"{AVERAGE}CallRequest.absent"},
            {"file_containing_symbol": "loki.tools.v1"},
            {"file_containing_symbol": "x" * 10_000},
            {"file_containing_extension": {"containing_type": "a.B", "extension_number": 7}},
            {"all_extension_numbers_of_type": "loki.v1.LokiService"},
            {"all_extension_numbers_of_type": AVERAGE},
        ],
    )
    def test_what_is_not_there_is_told_and_the_stream_goes_on(self, asked: Any) -> None:
        stream = view("average")
        error = stream.answer(Request(**asked)).error_response
        assert error.error_code == NOT_FOUND
        assert 0 < len(error.error_message) < 300
        assert files(stream.answer(Request(file_by_filename=FILE)))

    def test_a_question_for_nothing(self) -> None:
        error = view().answer(Request(host="x")).error_response
        assert error.error_code == grpc.StatusCode.INVALID_ARGUMENT.value[0]

    @pytest.mark.parametrize(
        "type_", ["loki.v1.ScriptValue", f"{AVERAGE}CallStreamResponse.Result"]
    )
    def test_messages_that_nobody_extends_have_no_extensions(self, type_: str) -> None:
        answer = view("average").answer(Request(all_extension_numbers_of_type=type_))
        numbers = answer.all_extension_numbers_response
        assert (numbers.base_type_name, list(numbers.extension_number)) == (type_, [])

    def test_extensions_are_found_by_type_and_number(self) -> None:
        stream = view()
        extending = FileDescriptorProto(name="e.proto", package="e")
        for number in 1001, 1000:
            extending.extension.add(name=f"e{number}", number=number, extendee=".loki.v1.Usage")
        stream._index.add(extending.SerializeToString())
        asked = Request(all_extension_numbers_of_type="loki.v1.Usage")
        numbers = stream.answer(asked).all_extension_numbers_response
        assert list(numbers.extension_number) == [1000, 1001]
        extension = pb.ExtensionRequest(containing_type="loki.v1.Usage", extension_number=1000)
        assert files(stream.answer(Request(file_containing_extension=extension))) == [extending]

    def test_who_may_call_some_scripts_learns_of_no_other(self) -> None:
        stream = view("average", "secret", principal=RUNNER)
        assert set(listed(stream.answer(Request(list_services="")))) == {*STATIC, AVERAGE}
        assert files(stream.answer(Request(file_containing_symbol=AVERAGE)))
        for asked in (
            {"file_by_filename": "loki/tools/v1/secret.proto"},
            {"file_containing_symbol": "loki.tools.v1.SecretService"},
            {"all_extension_numbers_of_type": "loki.tools.v1.SecretServiceCallRequest"},
        ):
            hidden = stream.answer(Request(**asked)).error_response
            absent = view(principal=RUNNER).answer(Request(**asked)).error_response
            assert hidden == absent

    def test_who_may_see_all_and_call_none_is_shown_none(self) -> None:
        stream = view("average", principal=READER)
        assert set(listed(stream.answer(Request(list_services="")))) == STATIC
        for asked in ({"file_by_filename": FILE}, {"file_containing_symbol": AVERAGE}):
            assert stream.answer(Request(**asked)).error_response.error_code == NOT_FOUND
        assert files(stream.answer(Request(file_containing_symbol="loki.v1.LokiService")))


class TestServiceLists:
    def test_lists_are_kept_apart_by_what_may_be_called_and_by_snapshot(self) -> None:
        lists, old, new = (
            ServiceLists(("static",)),
            snapshot("average", "secret"),
            snapshot("other"),
        )
        assert [len(lists.of(old, each).service) for each in (LOCAL, RUNNER)] == [3, 2]
        assert lists.of(old, LOCAL) is lists.of(old, LOCAL)
        assert [len(lists.of(old, each).service) for each in (READER, LOCAL)] == [1, 3]
        assert [each.name for each in lists.of(new, RUNNER).service] == [
            "loki.tools.v1.OtherService",
            "static",
        ]
        assert len(lists.of(old, LOCAL).service) == 3

    def test_few_are_kept(self) -> None:
        lists, seen = ServiceLists(()), snapshot("average")
        for number in range(100):
            principal = Principal("x", RUNS, (f"a{number}",))
            assert not lists.of(seen, principal).service
        assert len(lists._lists) <= reflection.MOST_LISTS


class Stream:
    """A client that asks the same thing as often as it may, and reads each answer at once."""

    def __init__(self, times: int, asked: pb.ServerReflectionRequest) -> None:
        self._times, self._asked = times, asked
        self.answers: list[Any] = []
        self.done = asyncio.Event()

    async def requests(self) -> AsyncIterator[Any]:
        for _ in range(self._times):
            yield self._asked

    async def write(self, answer: Any) -> None:
        self.answers.append(answer)

    async def run(self, servicer: Reflection) -> None:
        await servicer.answer(self.requests(), Call(LOCAL, self))  # type: ignore[arg-type]
        self.done.set()


class TestTurns:
    def test_a_flood_waits_for_others_and_for_all_other_work(self) -> None:
        async def live() -> None:
            servicer = reflecting(snapshot("average"))
            asked = Request(file_containing_symbol=AVERAGE)
            floods = [Stream(1_000_000, asked) for _ in range(3)]
            tasks = [asyncio.create_task(flood.run(servicer)) for flood in floods]
            modest = Stream(20, asked)
            await modest.run(servicer)
            assert len(modest.answers) == 20
            for flood in floods:
                assert 0 < len(flood.answers) <= 60
            await asyncio.sleep(0)  # Other work: one step is at most one answer.
            answers = sum(len(flood.answers) for flood in floods)
            await asyncio.sleep(0)
            assert sum(len(flood.answers) for flood in floods) - answers <= len(floods)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            assert servicer._places.count == 0

        asyncio.run(asyncio.wait_for(live(), TIMEOUT_S))

    def test_streams_that_nobody_ends_are_bounded(self, monkeypatch: Any) -> None:
        monkeypatch.setattr(reflection, "MOST_STREAMS", 1)

        async def live() -> None:
            servicer = reflecting(EMPTY)
            first = asyncio.create_task(Stream(1_000_000, Request()).run(servicer))
            await asyncio.sleep(0)
            with pytest.raises(ResourceLimitExceeded):
                await Stream(1, Request()).run(servicer)
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)
            await Stream(1, Request()).run(servicer)

        asyncio.run(asyncio.wait_for(live(), TIMEOUT_S))


@pytest.fixture
def served(hosted: Hosted, channel: grpc.Channel) -> Iterator[grpc.Channel]:
    hosted.publish(PublishInterfaces(changed=(interface("average"),), complete=True))
    return channel


def ask(channel: grpc.Channel, service: str, *requests: Any, **options: Any) -> list[Any]:
    call = channel.stream_stream(
        f"/{service}/ServerReflectionInfo",
        request_serializer=Request.SerializeToString,
        response_deserializer=pb.ServerReflectionResponse.FromString,
    )
    return list(call(iter(requests), timeout=TIMEOUT_S, **options))


class TestServed:
    @pytest.mark.parametrize("service", SERVICE_NAMES)
    def test_both_versions_answer_alike(self, served: grpc.Channel, service: str) -> None:
        names, file = ask(
            served, service, Request(list_services=""), Request(file_containing_symbol=AVERAGE)
        )
        assert {*STATIC, AVERAGE} == set(listed(names))
        assert files(file)[0].name == FILE

    def test_a_stream_sees_one_snapshot_and_the_next_one_the_new(
        self, hosted: Hosted, served: grpc.Channel
    ) -> None:
        def requests() -> Iterator[Any]:
            yield Request(list_services="")
            assert next_.wait(TIMEOUT_S)
            yield Request(file_containing_symbol=AVERAGE)

        next_ = threading.Event()
        call = served.stream_stream(
            f"/{SERVICE_NAMES[0]}/ServerReflectionInfo",
            request_serializer=Request.SerializeToString,
            response_deserializer=pb.ServerReflectionResponse.FromString,
        )(requests(), timeout=TIMEOUT_S)
        assert AVERAGE in listed(next(call))
        hosted.publish(PublishInterfaces(removed=("average",)))
        next_.set()
        assert files(next(call))
        (answer,) = ask(served, SERVICE_NAMES[0], Request(file_containing_symbol=AVERAGE))
        assert answer.error_response.error_code == NOT_FOUND

    def test_a_pool_filled_by_reflection_has_every_service(self, served: grpc.Channel) -> None:
        database = ProtoReflectionDescriptorDatabase(served)
        pool = DescriptorPool(database)
        for name in database.get_services():
            assert pool.FindServiceByName(name).methods
        assert pool.FindServiceByName(AVERAGE).methods_by_name["Call"].input_type.fields

    def test_a_callers_roles_bound_what_it_sees(self, hosted: Hosted, served: grpc.Channel) -> None:
        hosted.publish(PublishInterfaces(changed=(interface("secret"),)))
        hosted.let_in(Credentials(tokens=((digest(b"t"), RUNNER),)))
        token = (("authorization", "Bearer t"),)
        (names,) = ask(served, SERVICE_NAMES[0], Request(list_services=""), metadata=token)
        assert {*STATIC, AVERAGE} == set(listed(names))

    def test_what_is_no_request_ends_the_stream_cleanly(self, served: grpc.Channel) -> None:
        call = served.stream_stream(f"/{SERVICE_NAMES[0]}/ServerReflectionInfo")
        with pytest.raises(grpc.RpcError) as raised:
            list(call(iter((b"\xff\xff",)), timeout=TIMEOUT_S))
        assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
