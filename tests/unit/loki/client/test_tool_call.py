"""What is asked of the server, in which order, whatever it answers."""

from collections.abc import Sequence

import grpc
import pytest

from loki.client.error import LokiClientError
from loki.client.tool import ToolSchema
from loki.client.tool_call import Refresh, Send, calling
from loki.grpc_gateway import codec
from loki.messages.execution import Cause, RunFinished
from loki.messages.interface import Interface
from loki.messages.script import Parameter, ValueType
from loki.messages.value import pack
from loki.v1_value import Plain
from tests.unit.loki.client.tool_file import files_of

CODE = grpc.StatusCode


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
STALE = LokiClientError("stale", code=CODE.FAILED_PRECONDITION, reason="STALE_SCHEMA")
GONE = LokiClientError("gone", code=CODE.UNIMPLEMENTED)
DISABLED = LokiClientError("off", code=CODE.FAILED_PRECONDITION, reason="CHILD_DISABLED")


def answer(value: int | str) -> bytes:
    kind = ValueType.STRING if isinstance(value, str) else ValueType.INTEGER
    finished = RunFinished(run="e", script="t", cause=Cause.FINISHED, value=pack(value))
    return codec.response(finished, kind).SerializeToString()


def sent(by: ToolSchema, **arguments: int) -> Send:
    return Send("/loki.tools.v1.TService/Call", by.request(arguments, stream=False))


def play(
    arguments: dict[str, int], answers: Sequence[ToolSchema | bytes | LokiClientError]
) -> tuple[list[Send | Refresh], Plain]:
    steps = calling(OLD, arguments)
    asked: list[Send | Refresh] = [next(steps)]
    left = iter(answers)
    while True:
        try:
            asked.append(steps.send(next(left)))
        except StopIteration as end:
            assert next(left, None) is None
            value: Plain = end.value
            return asked, value


@pytest.mark.parametrize(
    ("arguments", "answers", "asked", "value"),
    [
        ({"n": 1}, [answer(7)], [sent(OLD, n=1)], 7),
        ({"n": 1}, [STALE, NEW, answer("x")], [sent(OLD, n=1), Refresh(), sent(NEW, n=1)], "x"),
        ({"n": 1}, [GONE, NEW, answer("x")], [sent(OLD, n=1), Refresh(), sent(NEW, n=1)], "x"),
        ({"m": 1}, [NEW, answer("x")], [Refresh(), sent(NEW, m=1)], "x"),
        ({"n": 1}, [answer("x"), NEW], [sent(OLD, n=1), Refresh()], "x"),
    ],
)
def test_another_schema_is_got_when_something_shows_that_there_is_one(
    arguments: dict[str, int],
    answers: list[ToolSchema | bytes | LokiClientError],
    asked: list[Send | Refresh],
    value: Plain,
) -> None:
    assert play(arguments, answers) == (asked, value)


@pytest.mark.parametrize(
    "answers",
    [[DISABLED], [STALE, NEW, STALE], [GONE, OLD, GONE], [GONE, GONE]],
)
def test_what_another_schema_does_not_help_is_raised(
    answers: list[ToolSchema | bytes | LokiClientError],
) -> None:
    with pytest.raises(LokiClientError) as raised:
        play({"n": 1}, answers)
    assert raised.value is answers[-1]


def test_an_argument_that_no_schema_knows_is_the_callers_mistake() -> None:
    with pytest.raises(TypeError, match="no parameter 'x'"):
        play({"x": 1}, [NEW])
