"""The API as clients see it: each call becomes a message, each reply an answer."""

import grpc
import msgspec
import pytest

from loki.errors import ErrorCode, ScriptNotFound, ServiceUnavailable
from loki.messages.engine import (
    ChunkCacheStatistics,
    DescribeEngines,
    EnginesListed,
    EngineStatus,
    Wall,
)
from loki.messages.envelope import Done, Message
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
from loki.messages.library import (
    GetScript,
    ListScripts,
    RegisterScript,
    RollbackScript,
    ScriptFound,
    ScriptsListed,
    UnregisterScript,
)
from loki.messages.lifecycle import ChildrenListed, ChildState, ChildStatus, DescribeChildren
from loki.messages.module import DescribeModules, ModulesDescribed
from loki.messages.script import Limits, Script
from loki.messages.value import pack, unpack
from loki.v1 import (
    device_pb2,
    execution_pb2,
    script_pb2,
    service_pb2,
    value_pb2,
)
from tests.unit.loki.conftest import TIMEOUT_S
from tests.unit.loki.grpc_gateway.rpc import SCRIPT, execute, failed, status_of, stream


def away(_: Message) -> Message:
    raise ServiceUnavailable("it is not there")


class TestDescribing:
    def test_s_3_1_2_capabilities_list_scripts_and_children(self, hosted, shell, stub) -> None:
        pages = {
            "": ScriptsListed(scripts=(SCRIPT,), next_page="average"),
            "average": ScriptsListed(scripts=(Script(name="b", source="", chunk="b"),)),
        }
        shell.answers[ListScripts] = lambda request: pages[request.page]
        shell.answers[DescribeChildren] = lambda _: ChildrenListed(
            children=(
                ChildStatus(name="library", state=ChildState.UP, service=False),
                ChildStatus(name="hel", state=ChildState.UP, pid=7),
                ChildStatus(name="fenrir", state=ChildState.DISABLED, address="pi2"),
            )
        )
        statistics = ChunkCacheStatistics(
            entries=1, capacity=2, hits=3, misses=4, evictions=5, compiles=6
        )
        walls = (Wall(name="seccomp", active=True, detail="it holds"),)
        shell.answers[DescribeEngines] = lambda _: EnginesListed(
            engines=(
                EngineStatus(language="lua", version="5.4", walls=walls),
                EngineStatus(language="x", version="1", chunk_cache=statistics),
            )
        )
        modules = msgspec.structs.replace(statistics, compiles=9)
        shell.answers[DescribeModules] = lambda _: ModulesDescribed(statistics=modules)
        answer = stub.GetCapabilities(service_pb2.GetCapabilitiesRequest())
        assert (answer.service, answer.version) == ("loki", "9.9")
        assert answer.device.cores >= 1
        assert answer.device.memory_bytes > 2**24
        assert [script.name for script in answer.scripts] == ["average", "b"]
        parameter = answer.scripts[0].parameters[0]
        assert parameter.type == script_pb2.VALUE_TYPE_INTEGER
        assert parameter.default_value.int_value == 5
        assert [(c.name, c.enabled, c.node, c.state) for c in answer.children] == [
            ("hel", True, "", device_pb2.CHILD_STATE_UP),
            ("fenrir", False, "pi2", device_pb2.CHILD_STATE_DISABLED),
        ]
        lua, other = answer.engines
        assert (lua.language, lua.version, lua.HasField("chunk_cache")) == ("lua", "5.4", False)
        assert [(w.name, w.active, w.detail) for w in lua.walls] == [("seccomp", True, "it holds")]
        assert (other.chunk_cache.entries, other.chunk_cache.evictions) == (1, 5)
        assert (other.module_cache.compiles, other.chunk_cache.compiles) == (9, 6)

    def test_capabilities_are_told_while_the_dispatcher_restarts(self, shell, stub) -> None:
        shell.answers[ListScripts] = lambda _: ScriptsListed(scripts=(SCRIPT,))
        shell.answers[DescribeChildren] = lambda _: ChildrenListed(children=())
        shell.answers[DescribeEngines] = away
        shell.answers[DescribeModules] = away
        answer = stub.GetCapabilities(service_pb2.GetCapabilitiesRequest())
        assert [script.name for script in answer.scripts] == ["average"]
        assert not answer.engines

    def test_s_3_1_3_children_status_shows_every_part(self, shell, stub) -> None:
        dead = ChildStatus(
            name="hel", state=ChildState.RESTARTING, restarts=2, last_error="killed by signal 9"
        )
        shell.answers[DescribeChildren] = lambda _: ChildrenListed(children=(dead,))
        answer = stub.GetChildrenStatus(service_pb2.GetChildrenStatusRequest())
        (child,) = answer.children
        assert (child.state, child.restarts, child.last_error) == (
            device_pb2.CHILD_STATE_RESTARTING,
            2,
            "killed by signal 9",
        )
        assert answer.time.seconds > 0

    def test_s_3_1_4_list_scripts_passes_filter_and_page_on(self, shell, stub) -> None:
        shell.answers[ListScripts] = lambda _: ScriptsListed(scripts=(SCRIPT,), next_page="average")
        request = service_pb2.ListScriptsRequest(
            pattern="a*", language="lua", page_size=5000, page_token="aa"
        )
        answer = stub.ListScripts(request)
        assert answer.next_page_token == "average"
        assert shell.wait_for(ListScripts) == ListScripts(
            pattern="a*", language="lua", page_size=1000, page="aa"
        )

    def test_list_scripts_without_words_asks_for_all(self, shell, stub) -> None:
        shell.answers[ListScripts] = lambda _: ScriptsListed(scripts=())
        stub.ListScripts(service_pb2.ListScriptsRequest())
        assert shell.wait_for(ListScripts) == ListScripts(pattern="*", page_size=100)

    def test_a_negative_page_size_is_refused(self, stub) -> None:
        with pytest.raises(grpc.RpcError) as raised:
            stub.ListScripts(service_pb2.ListScriptsRequest(page_size=-1))
        code, details = status_of(raised.value)
        assert code is grpc.StatusCode.INVALID_ARGUMENT
        assert {"ErrorInfo", "BadRequest"} == details.keys()

    def test_an_unknown_script_is_not_found(self, shell, stub) -> None:
        def refuse(request: GetScript) -> ScriptFound:
            raise ScriptNotFound(f"no script '{request.name}'", details={"script": request.name})

        shell.answers[GetScript] = refuse
        with pytest.raises(grpc.RpcError) as raised:
            stub.GetScript(service_pb2.GetScriptRequest(name="nosuch"))
        code, details = status_of(raised.value)
        assert code is grpc.StatusCode.NOT_FOUND
        assert b"nosuch" in details["ResourceInfo"].value


class TestChangingScripts:
    def test_s_3_1_5_registration_carries_what_was_given(self, shell, stub) -> None:
        shell.answers[RegisterScript] = lambda _: ScriptFound(script=SCRIPT)
        definition = script_pb2.ScriptDefinition(
            name="average", source="return 1", return_type=script_pb2.VALUE_TYPE_NUMBER
        )
        answer = stub.RegisterScript(
            service_pb2.RegisterScriptRequest(
                definition=definition, expected_revision="r0", validate_only=True
            )
        )
        assert answer.script.revision == "r1"
        assert answer.script.definition.source == "return 1"
        asked = shell.wait_for(RegisterScript)
        assert (asked.principal, asked.expected_revision, asked.validate_only) == (
            "local",
            "r0",
            True,
        )
        assert unpack(asked.definition) == {
            "name": "average",
            "return_type": "number",
            "script": {"inline": "return 1"},
            "parameters": [],
        }

    def test_s_3_1_6_an_earlier_revision_again(self, shell, stub) -> None:
        shell.answers[RollbackScript] = lambda _: ScriptFound(script=SCRIPT)
        answer = stub.RollbackScript(
            service_pb2.RollbackScriptRequest(name="average", revision="r1", expected_revision="r2")
        )
        assert answer.script.revision == "r1"
        assert shell.wait_for(RollbackScript) == RollbackScript(
            name="average", revision="r1", principal="local", expected_revision="r2"
        )

    def test_s_3_1_6_removal(self, shell, stub) -> None:
        shell.answers[UnregisterScript] = lambda _: Done()
        stub.UnregisterScript(
            service_pb2.UnregisterScriptRequest(name="average", expected_revision="r1")
        )
        assert shell.wait_for(UnregisterScript) == UnregisterScript(
            name="average", principal="local", expected_revision="r1"
        )


class TestExecuting:
    def test_s_3_1_7_value_output_and_usage_come_back(self, hosted, shell, stub) -> None:
        shell.play = lambda submit: hosted.deliver(
            RunFinished(
                run=submit.run,
                script="average",
                cause=Cause.FINISHED,
                value=pack({"sum": unpack(submit.arguments["n"])}),
                output="hello\n",
                usage=Usage(wall_ms=1.5, api_calls=3, budgets=Limits(max_memory_mb=7)),
            )
        )
        answer = stub.ExecuteScript(execute(n=value_pb2.ScriptValue(int_value=2**53 + 1)))
        assert answer.result.value.object_value.fields["sum"].int_value == 2**53 + 1
        assert answer.result.output.text == "hello\n"
        assert answer.result.usage.wall_ms == 1.5
        assert answer.result.usage.budgets.max_memory_mb == 7
        submit = shell.wait_for(SubmitRun)
        assert answer.execution_id == submit.run
        assert len(submit.run) == 32
        assert (submit.script, submit.principal, submit.stream) == ("average", "local", False)
        assert shell.sent(CancelRun) == []

    def test_neither_name_nor_source_is_refused(self, shell, stub) -> None:
        with pytest.raises(grpc.RpcError) as raised:
            stub.ExecuteScript(service_pb2.ExecuteScriptRequest())
        assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert shell.sent(SubmitRun) == []

    @pytest.mark.parametrize(
        ("code", "cause", "status"),
        [
            (ErrorCode.SCRIPT_ERROR, Cause.SCRIPT_ERROR, grpc.StatusCode.UNKNOWN),
            (ErrorCode.TIME_BUDGET, Cause.TIME, grpc.StatusCode.DEADLINE_EXCEEDED),
            (ErrorCode.MEMORY_BUDGET, Cause.MEMORY, grpc.StatusCode.RESOURCE_EXHAUSTED),
            (ErrorCode.SCRIPT_NOT_FOUND, Cause.REFUSED, grpc.StatusCode.NOT_FOUND),
            (ErrorCode.RUNNER_CRASHED, Cause.CRASHED, grpc.StatusCode.UNAVAILABLE),
        ],
    )
    @pytest.mark.parametrize("streamed", [False, True])
    def test_s_3_1_10_a_failed_run_is_a_status(
        self, hosted, shell, stub, code, cause, status, streamed
    ) -> None:
        shell.play = lambda submit: hosted.deliver(
            failed(submit.run, code, cause, line="3", traceback="average:3: in main")
        )
        call = (
            stub.StreamScriptExecution(stream())
            if streamed
            else stub.ExecuteScript.future(execute())
        )
        with pytest.raises(grpc.RpcError) as raised:
            next(call) if streamed else call.result()
        got, details = status_of(raised.value)
        assert got is status
        error = execution_pb2.ScriptError.FromString(details["ScriptError"].value)
        assert (error.script, error.cause, error.line) == ("average", cause.value, 3)
        assert (error.traceback, error.output.text) == ("average:3: in main", "so far\n")

    def test_the_clients_deadline_bounds_the_run_and_ends_it(self, shell, stub) -> None:
        shell.answers[CancelRun] = lambda _: Done()
        bounds: list[float] = []
        for deadline_s in (0.2, 2.0, 20.0):  # A call that comes in too late on a busy machine
            with pytest.raises(grpc.RpcError) as raised:  # tells nothing; the next has longer.
                stub.ExecuteScript(execute(), timeout=deadline_s)
            assert raised.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
            bounds = [timeout_s for _, _, timeout_s in shell.sent(SubmitRun)]
            if any(bounds):
                break
        assert 0 < max(bounds) <= 1.05 * deadline_s  # gRPC rounds it up on the wire.
        shell.wait_for(CancelRun, len(bounds))
        submitted, cancelled = shell.sent(SubmitRun), shell.sent(CancelRun)
        assert {m.run for _, m, _ in cancelled} == {m.run for _, m, _ in submitted}

    def test_without_a_deadline_the_run_has_none(self, hosted, shell, stub) -> None:
        shell.play = lambda submit: hosted.deliver(
            RunFinished(run=submit.run, script="average", cause=Cause.FINISHED)
        )
        stub.ExecuteScript(execute())
        ((_, _, timeout_s),) = shell.sent(SubmitRun)
        assert timeout_s is None

    @pytest.mark.parametrize("method", ["ExecuteScript", "StreamScriptExecution"])
    def test_s_3_1_8_a_client_that_leaves_ends_the_run(self, shell, stub, method) -> None:
        shell.answers[CancelRun] = lambda _: Done()
        call = (
            stub.ExecuteScript.future(execute())
            if method == "ExecuteScript"
            else stub.StreamScriptExecution(stream())
        )
        submit = shell.wait_for(SubmitRun)
        call.cancel()
        assert shell.wait_for(CancelRun).run == submit.run

    def test_a_lost_dispatcher_ends_the_runs(self, hosted, shell, stub) -> None:
        call = stub.ExecuteScript.future(execute())
        shell.wait_for(SubmitRun)
        hosted.lose("fenrir")
        hosted.lose("dispatcher")
        with pytest.raises(grpc.RpcError) as raised:
            call.result(TIMEOUT_S)
        code, details = status_of(raised.value)
        assert code is grpc.StatusCode.UNAVAILABLE
        assert b"RUNNER_CRASHED" in details["ErrorInfo"].value
        assert "RetryInfo" in details
        assert shell.sent(CancelRun) == []

    def test_cancel_execution_asks_the_dispatcher(self, shell, stub) -> None:
        shell.answers[CancelRun] = lambda _: Done()
        stub.CancelExecution(service_pb2.CancelExecutionRequest(execution_id="abc"))
        ((peer, message, _),) = shell.sent(CancelRun)
        assert (peer, message.run) == ("dispatcher", "abc")


class TestStreaming:
    def test_s_3_1_8_chunks_arrive_before_the_end_and_are_acknowledged(
        self, hosted, shell, stub
    ) -> None:
        call = stub.StreamScriptExecution(stream())
        run = shell.wait_for(SubmitRun).run
        assert dict(call.initial_metadata())["loki-execution-id"] == run
        hosted.deliver(OutputWritten(run=run, sequence=1, text="one\n"))
        first = next(call)  # The run is not over: nothing but this chunk is there.
        assert (first.output.text, first.sequence, first.execution_id) == ("one\n", 1, run)
        shell.wait_for(ChunkTaken)
        hosted.deliver(
            ProgressMade(run=run, sequence=2, fraction=0.5, text="half"),
            ValueEmitted(run=run, sequence=3, value=pack([1, None])),
            RunFinished(run=run, script="average", cause=Cause.FINISHED, value=pack(7)),
        )
        rest = list(call)
        assert [event.WhichOneof("chunk") for event in rest] == ["progress", "value", "result"]
        assert [event.sequence for event in rest] == [2, 3, 4]
        assert rest[-1].result.value.int_value == 7
        assert rest[-1].time.seconds > 0
        assert [(p, m.sequence) for p, m, _ in shell.sent(ChunkTaken)] == [
            ("runner-1", 1),
            ("runner-1", 2),
            ("runner-1", 3),
        ]
