"""Executions as a caller sees them who may see some scripts only."""

import asyncio
from typing import Any

import msgspec
import pytest

from loki.core.access.principal import LOCAL, Principal
from loki.errors import ErrorCode, LokiError
from loki.grpc_gateway.call.guard import Call
from loki.grpc_gateway.service.history import History
from loki.messages.access import ClientRole
from loki.messages.history import (
    Execution,
    ExecutionFound,
    ExecutionsListed,
    ExecutionState,
    GetExecution,
    ListExecutions,
)

NARROW = Principal("panel", frozenset({ClientRole.VIEW}), ("sensor_*",))


def execution(script: str) -> Execution:
    return Execution(
        id=f"run-{script}",
        script=script,
        revision="1",
        principal="local",
        state=ExecutionState.FINISHED,
        submitted_ns=1,
    )


KNOWN = {each.id: each for each in map(execution, ("sensor_a", "pump"))}


class FakeContext:
    def time_remaining(self) -> float | None:
        return None


@pytest.fixture
def history(shell: Any) -> History:
    def get(request: GetExecution) -> ExecutionFound:
        if request.run not in KNOWN:
            raise LokiError(
                "no execution is known; the history goes back to then",
                code=ErrorCode.EXECUTION_NOT_FOUND,
            )
        return ExecutionFound(execution=KNOWN[request.run])

    shell.answers[GetExecution] = get
    shell.answers[ListExecutions] = lambda _request: ExecutionsListed(
        executions=tuple(KNOWN.values()), next_page="7"
    )
    return History(shell)


def call(principal: Principal) -> Call:
    context: Any = FakeContext()
    return Call(principal, context)


def find(history: History, run: str, principal: Principal) -> Execution:
    return asyncio.run(history.find(run, call(principal)))


def test_what_may_be_seen_is_found(history: History) -> None:
    assert find(history, "run-sensor_a", NARROW).script == "sensor_a"
    assert find(history, "run-pump", LOCAL).script == "pump"


def test_one_that_may_not_be_seen_is_as_one_that_is_not_there(history: History) -> None:
    texts = []
    for run in ("run-pump", "run-nope"):
        with pytest.raises(LokiError) as raised:
            find(history, run, NARROW)
        assert raised.value.code is ErrorCode.EXECUTION_NOT_FOUND
        texts.append((raised.value.message.replace(run, "x"), sorted(raised.value.details)))
    assert texts[0] == texts[1]


def test_a_page_has_what_may_be_seen(history: History) -> None:
    page, more = asyncio.run(history.page(ListExecutions(), call(NARROW)))
    assert ([each.script for each in page], more) == (["sensor_a"], "7")
    page, _ = asyncio.run(history.page(ListExecutions(), call(LOCAL)))
    assert len(page) == 2


def test_only_what_may_be_seen_is_asked_for(history: History, shell: Any) -> None:
    """Else an empty page with another behind it would tell that there is something."""
    for principal in (NARROW, LOCAL):
        asyncio.run(history.page(ListExecutions(script="pump"), call(principal)))
    asked = [(message.script, message.among) for _, message, _ in shell.sent(ListExecutions)]
    assert asked == [("pump", ("sensor_*",)), ("pump", ("*",))]


def test_source_that_came_along_is_for_who_sees_everything(history: History, shell: Any) -> None:
    wide = Principal("wide", frozenset({ClientRole.VIEW}), ("a*",))
    run = msgspec.structs.replace(execution("adhoc"), revision="")
    shell.answers[GetExecution] = lambda _request: ExecutionFound(execution=run)
    shell.answers[ListExecutions] = lambda _request: ExecutionsListed(executions=(run,))
    assert find(history, run.id, LOCAL) == run
    assert asyncio.run(history.page(ListExecutions(), call(wide)))[0] == ()
    with pytest.raises(LokiError) as raised:
        find(history, run.id, wide)
    assert raised.value.code is ErrorCode.EXECUTION_NOT_FOUND


def test_who_sees_everything_is_not_asked_about(history: History, shell: Any) -> None:
    asyncio.run(history.require_seen("run-nope", call(LOCAL)))
    assert shell.sent(GetExecution) == []
    with pytest.raises(LokiError):
        asyncio.run(history.require_seen("run-pump", call(NARROW)))
