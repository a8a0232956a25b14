"""The client library against a real gateway in this process."""

import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest

from loki.client import (
    Execution,
    LokiClient,
    LokiClientError,
    Output,
    Progress,
    Result,
    ScriptRevision,
    Usage,
    Value,
)
from loki.errors import ErrorCode, LokiError
from loki.messages.engine import ChunkCacheStatistics, DescribeEngines, EnginesListed
from loki.messages.envelope import Done, Failure
from loki.messages.execution import (
    CancelRun,
    Cause,
    OutputWritten,
    ProgressMade,
    RunFinished,
    SubmitRun,
    ValueEmitted,
)
from loki.messages.execution import Usage as RunUsage
from loki.messages.history import Execution as Remembered
from loki.messages.history import (
    ExecutionFound,
    ExecutionsListed,
    ExecutionState,
    GetExecution,
    ListExecutions,
)
from loki.messages.library import (
    GetScript,
    ListRevisions,
    ListScripts,
    RegisterScript,
    RollbackScript,
    ScriptFound,
    ScriptsListed,
    UnregisterScript,
)
from loki.messages.lifecycle import ChildrenListed, ChildState, ChildStatus, DescribeChildren
from loki.messages.module import DescribeModules, ModulesDescribed
from loki.messages.registry import RevisionsRead
from loki.messages.registry import ScriptRevision as RegistryRevision
from loki.messages.script import Limits, Script, ValueType
from loki.messages.value import pack, unpack
from loki.v1 import script_pb2
from tests.unit.loki.conftest import TIMEOUT_S


@pytest.fixture
def client(hosted: Any) -> Any:
    with LokiClient(hosted.address, timeout_s=10, patience_s=0) as client:
        yield client


def script(name: str) -> Script:
    return Script(name=name, source="return 1", chunk=name, return_type=ValueType.VOID)


def test_s_3_1_1_it_needs_nothing_of_the_server() -> None:
    code = "import sys, loki.client; print(*(m for m in sys.modules if m.startswith('loki')))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    own = ("loki.client", "loki.v1", "loki.v1_value")
    others = {m for m in run.stdout.split() if m != "loki" and not m.startswith(own)}
    assert others == set()


def test_values_go_and_come_as_plain_python(hosted, shell, client) -> None:
    shell.play = lambda submit: hosted.deliver(
        RunFinished(
            run=submit.run,
            script="average",
            cause=Cause.FINISHED,
            value=pack({name: unpack(value) for name, value in submit.arguments.items()}),
            output="hi\n",
            output_truncated=True,
            usage=RunUsage(wall_ms=2.5, budgets=Limits(max_memory_mb=7)),
        )
    )
    arguments = {"n": 2**53 + 1, "list": [1.5, None, True], "raw": b"\xff", "o": {"k": "ü"}}
    execution = client.execute("average", arguments, revision="r1")
    submit = shell.wait_for(SubmitRun)
    assert (submit.script, submit.revision) == ("average", "r1")
    assert isinstance(execution, Execution)
    assert execution.id == submit.run
    assert execution.value == arguments
    assert (execution.output, execution.output_truncated) == ("hi\n", True)
    assert execution.usage.wall_ms == 2.5
    assert execution.usage.budgets["max_memory_mb"] == 7


def test_a_source_runs_once(hosted, shell, client) -> None:
    shell.play = lambda submit: hosted.deliver(
        RunFinished(run=submit.run, script="adhoc", cause=Cause.FINISHED, value=pack(2))
    )
    assert client.execute(source="return 2", source_name="two.lua").value == 2
    adhoc = shell.wait_for(SubmitRun).adhoc
    assert (adhoc.source, adhoc.chunk) == ("return 2", "two.lua")


def test_an_argument_that_no_script_can_hold_is_refused_here(shell, client) -> None:
    with pytest.raises(ValueError, match=r"n\[1\]"):
        client.execute("average", {"n": [object()]})
    assert shell.sent(SubmitRun) == []


def test_a_stream_gives_events_and_ends_with_the_result(hosted, shell, client) -> None:
    shell.play = lambda submit: hosted.deliver(
        OutputWritten(run=submit.run, sequence=1, text="one\n"),
        ProgressMade(run=submit.run, sequence=2, fraction=0.5, text="half"),
        ValueEmitted(run=submit.run, sequence=3, value=pack([1])),
        RunFinished(run=submit.run, script="average", cause=Cause.FINISHED, value=pack(7)),
    )
    with client.stream("average") as stream:
        assert stream.execution_id == shell.wait_for(SubmitRun).run
        events = list(stream)
    output, progress, value, result = events
    assert isinstance(output, Output)
    assert output.text == "one\n"
    assert abs(output.time - datetime.now(UTC)) < timedelta(minutes=1)
    assert isinstance(progress, Progress)
    assert (progress.fraction, progress.text) == (0.5, "half")
    assert isinstance(value, Value)
    assert value.value == [1]
    assert isinstance(result, Result)
    assert (result.sequence, result.execution.value) == (4, 7)


def test_leaving_a_stream_ends_the_execution(shell, client) -> None:
    shell.answers[CancelRun] = lambda _: Done()
    with client.stream("average"):
        run = shell.wait_for(SubmitRun).run
    assert shell.wait_for(CancelRun).run == run


def test_a_failed_execution_is_one_exception_with_everything(hosted, shell, client) -> None:
    failure = Failure(
        code=ErrorCode.SCRIPT_ERROR,
        message="boom",
        details={"line": "3", "traceback": "average:3"},
    )
    shell.play = lambda submit: hosted.deliver(
        RunFinished(
            run=submit.run,
            script="average",
            cause=Cause.SCRIPT_ERROR,
            failure=failure,
            output="so far\n",
            usage=RunUsage(cpu_ms=4.0),
        )
    )
    with pytest.raises(LokiClientError, match="boom") as raised:
        client.execute("average")
    error = raised.value
    assert (error.code, error.code_name) == (grpc.StatusCode.UNKNOWN, "UNKNOWN")
    assert (error.reason, error.message) == ("SCRIPT_ERROR", "boom")
    assert error.details["line"] == "3"
    assert (error.traceback, error.output) == ("average:3", "so far\n")
    assert error.usage == Usage(cpu_ms=4.0, budgets=error.usage.budgets)
    assert error.retry_after_s is None


def test_s_3_1_10_a_stream_raises_after_the_output_so_far(hosted, shell, client) -> None:
    failure = Failure(code=ErrorCode.QUEUE_FULL, message="full", retry_after_s=0.25)
    shell.play = lambda submit: hosted.deliver(
        OutputWritten(run=submit.run, sequence=1, text="one\n"),
        RunFinished(run=submit.run, script="a", cause=Cause.REFUSED, failure=failure),
    )
    stream = client.stream("average")
    assert next(stream).text == "one\n"
    with pytest.raises(LokiClientError) as raised:
        next(stream)
    assert (raised.value.reason, raised.value.retry_after_s) == ("QUEUE_FULL", 0.25)


def test_a_deadline_of_our_own_has_the_contracts_reason(shell, client) -> None:
    shell.answers[CancelRun] = lambda _: Done()
    for timeout_s in (0.1, 1.0, 10.0):  # A call that comes in too late on a busy machine
        with pytest.raises(LokiClientError) as raised:  # begins nothing; the next has longer.
            client.execute("average", timeout_s=timeout_s)
        if shell.sent(SubmitRun):
            break
    assert (raised.value.code_name, raised.value.reason) == ("DEADLINE_EXCEEDED", "CLIENT_DEADLINE")
    shell.wait_for(CancelRun)


def test_no_server_is_an_error_without_a_reason(hosted) -> None:
    address = hosted.address
    hosted.drain(0).result(TIMEOUT_S)
    with LokiClient(address, patience_s=0) as client, pytest.raises(LokiClientError) as raised:
        client.get_capabilities()
    assert (raised.value.code_name, raised.value.reason) == ("UNAVAILABLE", "")
    assert raised.value.usage is None


def test_pages_are_asked_as_they_are_needed(shell, client) -> None:
    pages = {
        "": ScriptsListed(scripts=(script("a"), script("b")), next_page="b"),
        "b": ScriptsListed(scripts=(script("c"),)),
    }
    shell.answers[ListScripts] = lambda request: pages[request.page]
    listed = client.list_scripts("*", language="lua")
    assert next(listed).name == "a"
    assert len(shell.sent(ListScripts)) == 1
    assert [each.name for each in listed] == ["b", "c"]


def test_scripts_are_registered_read_and_removed(shell, client) -> None:
    shell.answers[RegisterScript] = lambda _: ScriptFound(script=script("a"))
    shell.answers[GetScript] = lambda request: ScriptFound(script=script(request.name))
    shell.answers[UnregisterScript] = lambda _: Done()
    definition = script_pb2.ScriptDefinition(name="a", source="return 1")
    assert client.register_script(definition, validate_only=True).definition.name == "a"
    assert shell.wait_for(RegisterScript).validate_only
    assert client.get_script("b").definition.name == "b"
    shell.answers[RollbackScript] = lambda request: ScriptFound(script=script(request.name))
    assert client.rollback_script("b", "r1", expected_revision="r").definition.name == "b"
    asked = shell.wait_for(RollbackScript)
    assert (asked.name, asked.revision, asked.expected_revision) == ("b", "r1", "r")
    client.unregister_script("b", expected_revision="r")
    assert shell.wait_for(UnregisterScript).expected_revision == "r"


def test_revisions_are_asked_page_by_page(shell, client) -> None:
    pages = {
        "": RevisionsRead(
            revisions=(
                RegistryRevision(
                    revision="r2",
                    principal="ann",
                    registered_ns=10**9,
                    current=True,
                    current_by="bob",
                    current_ns=2 * 10**9,
                ),
            ),
            next_page="5",
        ),
        "5": RevisionsRead(
            revisions=(
                RegistryRevision(revision="r1", principal="", registered_ns=0, current=False),
            ),
        ),
    }
    shell.answers[ListRevisions] = lambda request: pages[request.page]
    shell.answers[GetScript] = lambda _: ScriptFound(script=script("a"))
    assert list(client.list_script_revisions("a")) == [
        ScriptRevision(
            revision="r2",
            principal="ann",
            registered=datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC),
            current=True,
            current_by="bob",
            current_since=datetime(1970, 1, 1, 0, 0, 2, tzinfo=UTC),
        ),
        ScriptRevision(revision="r1", principal="", registered=None, current=False),
    ]
    client.get_script("a", "r1")
    assert shell.wait_for(GetScript).revision == "r1"


def test_children_and_capabilities(shell, client) -> None:
    hel = ChildStatus(name="hel", state=ChildState.UP)
    shell.answers[DescribeChildren] = lambda _: ChildrenListed(children=(hel,))
    shell.answers[ListScripts] = lambda _: ScriptsListed(scripts=())
    shell.answers[DescribeEngines] = lambda _: EnginesListed(engines=())
    nothing = ChunkCacheStatistics(entries=0, capacity=0, hits=0, misses=0, evictions=0, compiles=0)
    shell.answers[DescribeModules] = lambda _: ModulesDescribed(statistics=nothing)
    assert [child.name for child in client.get_children_status()] == ["hel"]
    assert client.get_capabilities().version == "9.9"


def test_an_execution_is_cancelled_by_its_id(shell, client) -> None:
    def unknown(request: CancelRun) -> Done:
        raise LokiError(
            "no such execution",
            code=ErrorCode.EXECUTION_NOT_FOUND,
            details={"execution": request.run},
        )

    shell.answers[CancelRun] = unknown
    with pytest.raises(LokiClientError) as raised:
        client.cancel("abc")
    assert raised.value.reason == "EXECUTION_NOT_FOUND"
    assert raised.value.details == {"execution": "abc"}


def test_one_client_serves_many_threads(hosted, shell, client) -> None:
    shell.play = lambda submit: hosted.deliver(
        RunFinished(run=submit.run, script="a", cause=Cause.FINISHED, value=submit.arguments["n"])
    )
    got: dict[int, Any] = {}

    def work(n: int) -> None:
        got[n] = client.execute("a", {"n": n}).value

    threads = [threading.Thread(target=work, args=(n,)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert got == {n: n for n in range(16)}


def remembered(run: str, cause: Cause = Cause.FINISHED) -> Remembered:
    failure = None
    if cause is not Cause.FINISHED:
        failure = Failure(code=ErrorCode.TIME_BUDGET, message="late", details={"line": "3"})
    return Remembered(
        id=run,
        script="average",
        revision="r1",
        principal="local",
        state=ExecutionState.FAILED if failure else ExecutionState.FINISHED,
        submitted_ns=10**18,
        started_ns=10**18 + 10**9,
        ended_ns=10**18 + 2 * 10**9,
        attempts=1,
        runner_pid=17,
        cause=cause,
        finished=RunFinished(
            run=run, script="average", cause=cause, value=pack(7), output="hi", failure=failure
        ),
    )


def test_an_execution_is_found_again(shell, client) -> None:
    shell.answers[GetExecution] = lambda asked: ExecutionFound(execution=remembered(asked.run))
    found = client.get_execution("abc")
    assert (found.id, found.state, found.cause, found.value, found.output) == (
        "abc",
        "finished",
        "finished",
        7,
        "hi",
    )
    assert found.submitted == datetime(2001, 9, 9, 1, 46, 40, tzinfo=UTC)
    assert found.ended - found.started == timedelta(seconds=1)
    assert found.failure is None
    assert found.usage is not None
    shell.answers[GetExecution] = lambda asked: ExecutionFound(
        execution=remembered(asked.run, Cause.TIME)
    )
    late = client.get_execution("abd")
    assert (late.state, late.value, late.failure.reason, late.failure.line) == (
        "failed",
        None,
        "TIME_BUDGET",
        3,
    )


def test_executions_are_listed_page_by_page(shell, client) -> None:
    pages = {
        "": ExecutionsListed(executions=(remembered("c"), remembered("b")), next_page="2"),
        "2": ExecutionsListed(executions=(remembered("a"),)),
    }
    shell.answers[ListExecutions] = lambda asked: pages[asked.page]
    assert [each.id for each in client.list_executions("av*", "running")] == ["c", "b", "a"]
    first, second = (m for _, m, _ in shell.sent(ListExecutions))
    assert (first.script, first.state, first.page) == ("av*", ExecutionState.RUNNING, "")
    assert (second.script, second.state, second.page) == ("av*", ExecutionState.RUNNING, "2")
    with pytest.raises(ValueError, match="there are queued, running"):
        next(client.list_executions(state="slow"))


def test_a_failure_names_its_execution(hosted, shell, client) -> None:
    failure = Failure(code=ErrorCode.TIME_BUDGET, message="late")
    shell.play = lambda submit: hosted.deliver(
        RunFinished(run=submit.run, script="average", cause=Cause.TIME, failure=failure)
    )
    with pytest.raises(LokiClientError) as caught:
        client.execute("average")
    run = shell.wait_for(SubmitRun).run
    assert caught.value.execution_id == caught.value.details["execution_id"] == run
