"""Typed methods as clients call them, with messages made from the schema they are shown."""

from collections.abc import Iterator
from operator import methodcaller
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message

from loki.core.access.credential import Credentials, digest
from loki.core.access.principal import Principal
from loki.errors import ErrorCode
from loki.grpc_gateway.typed import schema
from loki.messages.access import ClientRole
from loki.messages.envelope import Done, Failure
from loki.messages.execution import (
    CancelRun,
    Cause,
    ChunkTaken,
    OutputWritten,
    ProgressMade,
    RunFinished,
    SubmitRun,
    Usage,
    ValueEmitted,
)
from loki.messages.interface import Interface, PublishInterfaces
from loki.messages.script import ValueType
from loki.messages.value import ScriptValue, pack, unpack
from loki.v1 import execution_pb2
from tests.unit.loki.conftest import TIMEOUT_S, FakeShell, Hosted
from tests.unit.loki.grpc_gateway.interface import classes, every_type, interface
from tests.unit.loki.grpc_gateway.rpc import failed, status_of

AVERAGE = interface()


class Typed:
    """A client of one script, whose schema is that of `described`, whatever the server has."""

    def __init__(self, channel: grpc.Channel, described: Interface) -> None:
        self.classes = classes(described)
        path = f"/{schema.full_name(described.name)}/"
        self.call = channel.unary_unary(
            f"{path}Call",
            request_serializer=methodcaller("SerializeToString"),
            response_deserializer=self.classes["CallResponse"].FromString,
        )
        self.stream = channel.unary_stream(
            f"{path}CallStream",
            request_serializer=methodcaller("SerializeToString"),
            response_deserializer=self.classes["CallStreamResponse"].FromString,
        )

    def request(self, **arguments: Any) -> Message:
        message: Message = self.classes["CallRequest"](**arguments)
        return message


def publish(hosted: Hosted, *interfaces: Interface, **news: Any) -> None:
    hosted.publish(PublishInterfaces(changed=interfaces, **news))


@pytest.fixture
def typed(hosted: Hosted, channel: grpc.Channel) -> Iterator[Typed]:
    publish(hosted, AVERAGE, complete=True)
    return Typed(channel, AVERAGE)


def finish(hosted: Hosted, value: ScriptValue, **facts: Any) -> Any:
    """A Dispatcher whose runs end well at once."""
    return lambda submit: hosted.deliver(
        RunFinished(
            run=submit.run,
            script=submit.script,
            cause=Cause.FINISHED,
            value=pack(value),
            usage=Usage(wall_ms=1.5),
            **facts,
        )
    )


class TestCall:
    def test_s_3_3_2_a_typed_call_is_a_run_of_its_revision(self, hosted, shell, typed) -> None:
        shell.play = finish(hosted, 2.5)
        answer, call = typed.call.with_call(typed.request(n=2**53 + 1))
        assert (answer.value, answer.usage.wall_ms) == (2.5, 1.5)
        submit = shell.wait_for(SubmitRun)
        assert dict(call.trailing_metadata())["loki-execution-id"] == submit.run
        assert (submit.script, submit.revision, submit.former) == ("average", "r1", True)
        assert (submit.principal, submit.stream, len(submit.run)) == ("local", False, 32)
        assert {name: unpack(given) for name, given in submit.arguments.items()} == {"n": 2**53 + 1}
        assert shell.sent(CancelRun) == []

    def test_every_type_of_argument_arrives(self, hosted, shell, channel) -> None:
        described = every_type(return_type=ValueType.VOID)
        publish(hosted, described)
        shell.play = finish(hosted, None)
        client = Typed(channel, described)
        message = client.request(string="x", integer=1, number=2, boolean=False, bytes=b"\xff")
        message.object.fields["a"].int_value = 1
        message.array.items.add().null_value = 0
        assert client.call(message).HasField("usage")
        assert {n: unpack(v) for n, v in shell.wait_for(SubmitRun).arguments.items()} == {
            "string": "x",
            "integer": 1,
            "number": 2.0,
            "boolean": False,
            "bytes": b"\xff",
            "object": {"a": 1},
            "array": [None],
        }

    @pytest.mark.parametrize("streamed", [False, True])
    @pytest.mark.parametrize(
        ("code", "cause", "status"),
        [
            (ErrorCode.ARGUMENT_INVALID, Cause.REFUSED, grpc.StatusCode.INVALID_ARGUMENT),
            (ErrorCode.SCRIPT_ERROR, Cause.SCRIPT_ERROR, grpc.StatusCode.UNKNOWN),
            (ErrorCode.SCRIPT_NOT_FOUND, Cause.SCRIPT_ERROR, grpc.StatusCode.NOT_FOUND),
            (ErrorCode.QUEUE_FULL, Cause.REFUSED, grpc.StatusCode.RESOURCE_EXHAUSTED),
            (ErrorCode.TIME_BUDGET, Cause.TIME, grpc.StatusCode.DEADLINE_EXCEEDED),
        ],
    )
    def test_a_failed_run_is_the_status_that_it_always_is(
        self, hosted, shell, typed, code, cause, status, streamed
    ) -> None:
        shell.play = lambda submit: hosted.deliver(
            failed(submit.run, code, cause, field="n", line="3")
        )
        with pytest.raises(grpc.RpcError) as raised:
            next(typed.stream(typed.request())) if streamed else typed.call(typed.request())
        got, details = status_of(raised.value)
        assert got is status
        error = execution_pb2.ScriptError.FromString(details["ScriptError"].value)
        assert (error.cause, error.line) == (cause.value, 3)
        if code is ErrorCode.ARGUMENT_INVALID:
            assert b"n" in details["BadRequest"].value

    def test_a_result_of_another_type_is_a_mismatch(self, hosted, shell, typed) -> None:
        shell.play = finish(hosted, "text")
        with pytest.raises(grpc.RpcError) as raised:
            typed.call(typed.request())
        code, details = status_of(raised.value)
        assert code is grpc.StatusCode.UNKNOWN
        assert b"RETURN_TYPE_MISMATCH" in details["ErrorInfo"].value

    def test_the_clients_deadline_bounds_the_run(self, hosted, shell, typed) -> None:
        shell.play = finish(hosted, 1.0)
        typed.call(typed.request(), timeout=TIMEOUT_S)
        typed.call(typed.request())
        (_, _, bound), (_, _, free) = shell.sent(SubmitRun)
        assert 0 < bound < 2 * TIMEOUT_S  # gRPC rounds it up, by 0.1 s here.
        assert free is None

    @pytest.mark.parametrize("streamed", [False, True])
    def test_a_client_that_leaves_ends_the_run(self, shell, typed, streamed) -> None:
        shell.answers[CancelRun] = lambda _: Done()
        request = typed.request()
        call = typed.stream(request) if streamed else typed.call.future(request)
        submit = shell.wait_for(SubmitRun)
        call.cancel()
        assert shell.wait_for(CancelRun).run == submit.run


class TestRefusals:
    def refused(self, shell: FakeShell, action: Any) -> tuple[Any, dict[str, Any]]:
        """The status; and nothing ran."""
        with pytest.raises(grpc.RpcError) as raised:
            action()
        assert shell.sent(SubmitRun) == []
        return status_of(raised.value)

    @pytest.mark.parametrize("method", ["Call", "CallStream"])
    def test_bytes_that_are_no_request(self, shell, typed, channel, method) -> None:
        call = channel.unary_unary(f"/loki.tools.v1.AverageService/{method}")
        code, details = self.refused(shell, lambda: call(b"\xff\xff\xff"))
        assert code is grpc.StatusCode.INVALID_ARGUMENT
        assert b"ARGUMENT_INVALID" in details["ErrorInfo"].value

    @pytest.mark.parametrize("streamed", [False, True])
    def test_a_request_of_another_schema(self, hosted, shell, typed, streamed) -> None:
        publish(hosted, interface(revision="r2", numbers=(2,)))
        request = typed.request(n=5)
        call = (lambda: next(typed.stream(request))) if streamed else (lambda: typed.call(request))
        code, details = self.refused(shell, call)
        assert code is grpc.StatusCode.FAILED_PRECONDITION
        assert b"STALE_SCHEMA" in details["ErrorInfo"].value
        assert b"r2" in details["ErrorInfo"].value

    @pytest.mark.parametrize("streamed", [False, True])
    def test_s_2_4_2_a_script_that_was_removed(self, hosted, shell, typed, streamed) -> None:
        publish(hosted, removed=("average",))
        request = typed.request()
        call = (lambda: next(typed.stream(request))) if streamed else (lambda: typed.call(request))
        code, details = self.refused(shell, call)
        assert code is grpc.StatusCode.UNIMPLEMENTED
        assert b"UNSUPPORTED" in details["ErrorInfo"].value

    @pytest.mark.parametrize(
        "path",
        [
            "AverageService/Run",
            "AverageService/",
            "NoSuchService/Call",
            "/",
            "AverageService/Call/",
        ],
    )
    def test_a_method_that_never_was(self, shell, typed, channel, path) -> None:
        call = channel.unary_unary(f"/loki.tools.v1.{path}")
        code, _ = self.refused(shell, lambda: call(b""))
        assert code is grpc.StatusCode.UNIMPLEMENTED

    @pytest.mark.parametrize("method", ["Call", "CallStream"])
    def test_a_script_out_of_reach_is_as_one_that_is_not_there(
        self, hosted, shell, typed, channel, method
    ) -> None:
        """A caller is not told of a script that its roles do not reach."""
        reader = Principal("ann", frozenset({ClientRole.VIEW, ClientRole.EXECUTE}), ("other*",))
        token = ("authorization", "Bearer t")
        hosted.let_in(Credentials(tokens=((digest(b"t"), reader),)))

        def told(service: str) -> tuple[Any, str]:
            call = channel.unary_unary(f"/loki.tools.v1.{service}/{method}")
            with pytest.raises(grpc.RpcError) as raised:
                call(b"", metadata=(token,))
            return raised.value.code(), raised.value.details()

        code, text = told("AverageService")
        assert code is grpc.StatusCode.UNIMPLEMENTED
        assert told("AbsentService") == (code, text.replace("Average", "Absent"))
        assert shell.sent(SubmitRun) == []

    def test_a_script_that_the_library_may_still_send(self, hosted, shell, channel) -> None:
        publish(hosted, interface("other"))
        client = Typed(channel, AVERAGE)
        code, details = self.refused(shell, lambda: client.call(client.request()))
        assert code is grpc.StatusCode.UNAVAILABLE
        assert "RetryInfo" in details


class TestReplacement:
    """The Dispatcher hears of a change before the gateway does."""

    @pytest.mark.parametrize("streamed", [False, True])
    @pytest.mark.parametrize(
        ("facts", "status", "reason"),
        [
            ({}, grpc.StatusCode.UNIMPLEMENTED, b"UNSUPPORTED"),
            ({"revision": "r9"}, grpc.StatusCode.UNAVAILABLE, b"CHILD_DOWN"),
        ],
    )
    def test_a_run_whose_revision_is_gone(
        self, hosted, shell, typed, facts, status, reason, streamed
    ) -> None:
        failure = Failure(
            code=ErrorCode.SCRIPT_NOT_FOUND, message="no", details={"script": "average"} | facts
        )
        shell.play = lambda submit: hosted.deliver(
            RunFinished(run=submit.run, script="average", cause=Cause.REFUSED, failure=failure)
        )
        request = typed.request()
        with pytest.raises(grpc.RpcError) as raised:
            next(typed.stream(request)) if streamed else typed.call(request)
        code, details = status_of(raised.value)
        assert code is status
        assert reason in details["ErrorInfo"].value
        assert ("RetryInfo" in details) is bool(facts)

    def test_a_call_under_way_keeps_its_revision(self, hosted, shell, typed) -> None:
        call = typed.call.future(typed.request(n=1))
        submit = shell.wait_for(SubmitRun)
        publish(hosted, interface(revision="r2", return_type=ValueType.STRING))
        finish(hosted, 2.5)(submit)
        assert call.result(timeout=TIMEOUT_S).value == 2.5

    def test_s_2_4_2_the_next_call_has_the_new_one(self, hosted, shell, typed, channel) -> None:
        new = interface(revision="r2", return_type=ValueType.STRING, numbers=(2,))
        publish(hosted, new)
        shell.play = finish(hosted, "text")
        client = Typed(channel, new)
        assert client.call(client.request(n=1)).value == "text"
        assert shell.wait_for(SubmitRun).revision == "r2"


class TestCallStream:
    def test_events_arrive_before_the_end_and_are_acknowledged(self, hosted, shell, typed) -> None:
        call = typed.stream(typed.request(n=1))
        run = shell.wait_for(SubmitRun).run
        assert dict(call.initial_metadata())["loki-execution-id"] == run
        hosted.deliver(OutputWritten(run=run, sequence=1, text="one\n"))
        first = next(call)
        assert (first.output.text, first.sequence, first.execution_id) == ("one\n", 1, run)
        shell.wait_for(ChunkTaken)
        hosted.deliver(
            ProgressMade(run=run, sequence=2, fraction=0.5, text="half"),
            ValueEmitted(run=run, sequence=3, value=pack([1, None])),
            RunFinished(run=run, script="average", cause=Cause.FINISHED, value=pack(7.5)),
        )
        rest = list(call)
        assert [event.WhichOneof("chunk") for event in rest] == ["progress", "value", "result"]
        assert [event.sequence for event in rest] == [2, 3, 4]
        assert rest[1].value.array_value.items[0].int_value == 1
        assert rest[-1].result.value == 7.5
        assert rest[-1].time.seconds > 0
        assert shell.wait_for(SubmitRun).stream
        assert [m.sequence for _, m, _ in shell.sent(ChunkTaken)] == [1, 2, 3]
