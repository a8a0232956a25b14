"""What is asked of the server, in which order, whatever it answers."""

from collections.abc import Sequence
from typing import TypeVar

import grpc
import pytest

from loki.client.error import LokiClientError
from loki.client.tool import ToolSchema
from loki.client.tool_call import (
    Answer,
    Prepared,
    Refresh,
    Send,
    Steps,
    calling,
    opening,
    perform,
    reopening,
)
from loki.grpc_gateway.typed import codec
from loki.messages.execution import Cause, RunFinished
from loki.messages.interface import Interface
from loki.messages.script import Parameter, ValueType
from loki.messages.value import pack
from loki.v1_value import Plain
from tests.unit.loki.client.tool_file import files_of

CODE = grpc.StatusCode
V = TypeVar("V")


def schema(number: int, *names: str, returns: ValueType = ValueType.INTEGER) -> ToolSchema:
    declared = Interface(
        name="t",
        revision="r",
        description="",
        parameters=tuple(Parameter(name=name, type=ValueType.INTEGER) for name in names),
        return_type=returns,
        numbers=tuple(range(number, number + len(names))),
    )
    return ToolSchema("t", files_of(declared))


OLD, NEW = schema(1, "n"), schema(2, "n", "m", returns=ValueType.STRING)
TEXT = ToolSchema(
    "t",
    files_of(
        Interface(
            name="t",
            revision="r",
            description="",
            parameters=(Parameter(name="n", type=ValueType.STRING),),
            return_type=ValueType.INTEGER,
            numbers=(4,),
        )
    ),
)
"""As OLD, but for the type of its parameter."""
STALE = LokiClientError("stale", code=CODE.FAILED_PRECONDITION, reason="STALE_SCHEMA")
GONE = LokiClientError("gone", code=CODE.UNIMPLEMENTED)
DISABLED = LokiClientError("off", code=CODE.FAILED_PRECONDITION, reason="CHILD_DISABLED")


def answer(value: int | str) -> bytes:
    kind = ValueType.STRING if isinstance(value, str) else ValueType.INTEGER
    finished = RunFinished(run="e", script="t", cause=Cause.FINISHED, value=pack(value))
    return codec.response(finished, kind).SerializeToString()


def sent(by: ToolSchema, **arguments: int | str) -> Send:
    return Send("/loki.tools.v1.TService/Call", by.request(arguments, stream=False))


def run(steps: Steps[V], answers: Sequence[Answer]) -> tuple[list[Send | Refresh], V]:
    """What was asked, and what came of it; each answer was used."""
    asked: list[Send | Refresh] = []
    left = iter(answers)

    def do(step: Send | Refresh) -> ToolSchema | bytes:
        asked.append(step)
        answer = next(left)
        if isinstance(answer, LokiClientError):
            raise answer
        assert answer is not None
        return answer

    result = perform(steps, do)
    assert next(left, None) is None
    return asked, result


def play(
    arguments: dict[str, int | str], answers: Sequence[Answer]
) -> tuple[list[Send | Refresh], Plain]:
    return run(calling(OLD, arguments), answers)


@pytest.mark.parametrize(
    ("arguments", "answers", "asked", "value"),
    [
        ({"n": 1}, [answer(7)], [sent(OLD, n=1)], 7),
        ({"n": 1}, [STALE, NEW, answer("x")], [sent(OLD, n=1), Refresh(), sent(NEW, n=1)], "x"),
        ({"n": 1}, [GONE, NEW, answer("x")], [sent(OLD, n=1), Refresh(), sent(NEW, n=1)], "x"),
        ({"m": 1}, [NEW, answer("x")], [Refresh(), sent(NEW, m=1)], "x"),
        ({"n": "a"}, [TEXT, answer(7)], [Refresh(), sent(TEXT, n="a")], 7),
        ({"n": 1}, [answer("x"), NEW], [sent(OLD, n=1), Refresh()], "x"),
    ],
)
def test_another_schema_is_got_when_something_shows_that_there_is_one(
    arguments: dict[str, int | str],
    answers: list[Answer],
    asked: list[Send | Refresh],
    value: Plain,
) -> None:
    assert play(arguments, answers) == (asked, value)


@pytest.mark.parametrize(
    "answers",
    [[DISABLED], [STALE, NEW, STALE], [GONE, OLD, GONE], [GONE, GONE]],
)
def test_what_another_schema_does_not_help_is_raised(
    answers: list[Answer],
) -> None:
    with pytest.raises(LokiClientError) as raised:
        play({"n": 1}, answers)
    assert raised.value is answers[-1]


def test_an_argument_that_no_schema_knows_is_the_callers_mistake() -> None:
    with pytest.raises(TypeError, match="no parameter 'x'"):
        play({"x": 1}, [NEW])


@pytest.mark.parametrize(
    ("n", "answers", "says"),
    [("a", [NEW], "n must be int, not str"), (1, [STALE, TEXT], "n must be str, not int")],
)
def test_an_argument_of_another_type_than_the_newest_is_too(
    n: int | str, answers: list[Answer], says: str
) -> None:
    with pytest.raises(TypeError, match=says):
        play({"n": n}, answers)


def test_a_schema_is_asked_for_once_only() -> None:
    with pytest.raises(LokiClientError) as raised:
        play({"n": "a"}, [TEXT, STALE])
    assert raised.value is STALE


def test_a_stream_begins_by_the_schema_that_fits() -> None:
    path = "/loki.tools.v1.TService/CallStream"
    asked, ready = run(opening(OLD, {"n": 1}), [])
    assert asked == []
    assert ready == Prepared(OLD, Send(path, OLD.request({"n": 1}, stream=True)), fresh=False)
    asked, ready = run(opening(OLD, {"n": "a"}), [TEXT])
    assert asked == [Refresh()]
    assert ready == Prepared(TEXT, Send(path, TEXT.request({"n": "a"}, stream=True)), fresh=True)
    asked, ready = run(reopening({"n": 1}), [NEW])
    assert (asked, ready.schema, ready.fresh) == ([Refresh()], NEW, True)
