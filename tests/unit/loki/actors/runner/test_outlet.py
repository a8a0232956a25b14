"""What a run hands out, and how a slow reader slows it."""

import logging
from collections.abc import Callable

import msgspec
import pytest

from loki.actors.runner.outlet import LOGGED_AT_ONCE, WINDOW, Outlet
from loki.core.history.history import MOST_RESULT_BYTES
from loki.core.run.engine import Emit, Log, Progress
from loki.errors import ErrorCode, ResourceLimitExceeded
from loki.messages.envelope import Message
from loki.messages.execution import (
    Cause,
    OutputWritten,
    ProgressMade,
    RunEnded,
    RunFinished,
    StartRun,
    ValueEmitted,
)
from loki.messages.script import Limits
from loki.messages.value import NIL, pack


class FakeShell:
    """Keeps what is sent, and what is to be done later."""

    log = logging.getLogger("loki.test")

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.peers: list[str] = []
        self.shown_before: list[int] = []
        self.longest = 10**9

    def seen(self) -> None:
        self.shown_before.append(len(self.sent))
        self.soon: list[Callable[[], None]] = []

    def send(self, peer: str, message: Message | msgspec.Raw, *, run: str) -> None:
        assert run == "r1"
        self.peers.append(peer)
        if len(msgspec.msgpack.encode(message)) > self.longest:
            raise ResourceLimitExceeded("a message that is too long")
        if isinstance(message, msgspec.Raw):
            message = msgspec.msgpack.decode(message, type=RunFinished)
        self.sent.append(message)

    def later(self, delay_s: float, action: Callable[[], None]) -> None:
        assert delay_s == 0
        self.soon.append(action)


def outlet_of(shell: FakeShell, *, stream: bool, max_output_kb: int = 1) -> Outlet:
    start = StartRun(
        run="r1",
        revision="",
        script=NIL,
        arguments={},
        limits=Limits(max_output_kb=max_output_kb),
        budget_s=1.0,
        deadline_is_clients=False,
        queue_ms=0.0,
        stream=stream,
        gateway="gateway",
    )
    return Outlet(start, shell, shell.seen)  # type: ignore[arg-type]  # As much of a shell as it needs.


@pytest.fixture
def shell() -> FakeShell:
    return FakeShell()


def test_without_a_stream_output_is_kept(shell: FakeShell) -> None:
    outlet = outlet_of(shell, stream=False)
    outlet.write("one ")
    outlet.write("two")
    outlet.show("x", Emit(1))
    assert (outlet.kept, outlet.written_bytes, shell.sent) == ("one two", 7, [])


def test_a_stream_gets_everything_in_order(shell: FakeShell) -> None:
    outlet = outlet_of(shell, stream=True)
    outlet.write("one")
    outlet.show("x", Emit([2]))
    outlet.show("x", Progress(0.5, "half"))
    assert outlet.kept == ""
    assert shell.sent == [
        OutputWritten(run="r1", sequence=1, text="one"),
        ValueEmitted(run="r1", sequence=2, value=pack([2])),
        ProgressMade(run="r1", sequence=3, fraction=0.5, text="half"),
    ]


@pytest.mark.parametrize(
    ("limit_kb", "texts", "kept", "truncated"),
    [
        (1, ("x" * 1024,), 1024, False),
        (1, ("x" * 1000, "y" * 25), 1024, True),
        (1, ("x" * 1024, "y"), 1024, True),
        (1, ("ü" * 512, "ü"), 1024, True),
        (1, ("x" + "ü" * 512,), 1023, True),
        (0, ("x" * 9999,), 9999, False),
    ],
)
def test_s_5_1_1_all_of_the_output_limit_may_be_used(
    shell: FakeShell, limit_kb: int, texts: tuple[str, ...], kept: int, truncated: bool
) -> None:
    outlet = outlet_of(shell, stream=False, max_output_kb=limit_kb)
    for text in texts:
        outlet.write(text)
    assert len(outlet.kept.encode()) == kept
    assert outlet.truncated is truncated


def test_a_slow_reader_holds_the_script(shell: FakeShell) -> None:
    outlet = outlet_of(shell, stream=True)
    went_on: list[int] = []
    for n in range(WINDOW):
        outlet.show("x", Emit(n))
    outlet.when_read(lambda: went_on.append(1))
    outlet.when_read(lambda: went_on.append(2))
    assert (went_on, shell.soon) == ([], [])
    outlet.taken(1)
    assert went_on == [1, 2]
    outlet.when_read(lambda: went_on.append(3))
    assert len(shell.soon) == 1


def test_a_deserted_stream_goes_on_and_sends_nothing(shell: FakeShell) -> None:
    outlet = outlet_of(shell, stream=True)
    went_on: list[int] = []
    for n in range(WINDOW):
        outlet.show("x", Emit(n))
    outlet.when_read(lambda: went_on.append(1))
    outlet.desert()
    outlet.show("x", Emit(0))
    assert went_on == [1]
    assert len(shell.sent) == WINDOW


def test_a_log_line_names_script_and_run(
    shell: FakeShell, caplog: pytest.LogCaptureFixture
) -> None:
    outlet_of(shell, stream=False).show("blink", Log("warning", "hot"))
    (record,) = caplog.records
    assert (record.levelno, record.getMessage()) == (logging.WARNING, "blink run=r1 hot")


def test_a_flood_of_log_lines_is_cut_short_and_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    outlet = outlet_of(FakeShell(), stream=False)
    for number in range(10 * LOGGED_AT_ONCE):
        outlet.show("chatty", Log("error", f"line {number}"))
    lines = [record.getMessage() for record in caplog.records]
    assert lines[:2] == ["chatty run=r1 line 0", "chatty run=r1 line 1"]
    assert LOGGED_AT_ONCE < len(lines) < 5 * LOGGED_AT_ONCE
    assert sum("is left out" in line for line in lines) == 1


@pytest.mark.parametrize("dying", [False, True])
def test_gateway_and_dispatcher_get_the_same_end(shell: FakeShell, dying: bool) -> None:
    told = RunFinished(run="r1", script="x", cause=Cause.FINISHED, value=pack(7), output="hi")
    outlet_of(shell, stream=False).end(told, dying=dying)
    assert shell.peers == ["gateway", "dispatcher"]
    finished, ended = shell.sent
    assert finished == told
    assert isinstance(ended, RunEnded)
    assert msgspec.msgpack.decode(ended.end, type=RunFinished) == told
    assert (ended.run, ended.cause, ended.complete, ended.dying) == (
        "r1",
        Cause.FINISHED,
        True,
        dying,
    )


def test_of_a_long_end_the_dispatcher_gets_no_output(shell: FakeShell) -> None:
    text = "x" * MOST_RESULT_BYTES
    told = RunFinished(run="r1", script="x", cause=Cause.FINISHED, output=text)
    outlet_of(shell, stream=False).end(told)
    finished, ended = shell.sent
    assert finished == told
    assert isinstance(ended, RunEnded)
    assert not ended.complete
    assert msgspec.msgpack.decode(ended.end, type=RunFinished).output == ""


def test_that_a_client_sees_something_is_told_once_and_before(shell: FakeShell) -> None:
    outlet = outlet_of(shell, stream=True)
    outlet.write("one")
    outlet.show("x", Emit(1))
    assert (len(shell.sent), shell.shown_before) == (2, [0])


def test_without_a_stream_its_client_sees_nothing(shell: FakeShell) -> None:
    outlet = outlet_of(shell, stream=False)
    outlet.write("one")
    outlet.show("x", Emit(1))
    assert shell.shown_before == []


def test_an_end_that_no_lane_carries_is_told_without_its_result(shell: FakeShell) -> None:
    shell.longest = MOST_RESULT_BYTES + 1000
    text = "x" * (MOST_RESULT_BYTES + 1000)
    told = RunFinished(run="r1", script="x", cause=Cause.FINISHED, output=text)
    outlet_of(shell, stream=False).end(told)
    assert shell.peers == ["gateway", "gateway", "dispatcher"]
    finished, ended = shell.sent
    assert isinstance(finished, RunFinished)
    assert finished.failure is not None
    assert (finished.cause, finished.failure.code) == (
        Cause.SCRIPT_ERROR,
        ErrorCode.SCRIPT_ERROR,
    )
    assert "too long" in finished.failure.message
    assert (finished.output, finished.output_truncated) == ("", True)
    assert isinstance(ended, RunEnded)
    assert ended.cause is Cause.SCRIPT_ERROR


def test_an_end_that_is_as_short_as_can_be_is_not_tried_for_ever(shell: FakeShell) -> None:
    shell.longest = 10
    with pytest.raises(ResourceLimitExceeded):
        outlet_of(shell, stream=False).end(
            RunFinished(run="r1", script="x", cause=Cause.FINISHED, output="hi")
        )
