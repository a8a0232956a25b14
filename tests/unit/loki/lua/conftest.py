"""Scripts run to their end by a host that answers from a list, here or in a process of its own."""

import os
import pickle
import select
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

import pytest

from loki.core.run.engine import Call, Failed, Finished, Flush, Step
from loki.errors import ErrorCode, LokiError
from loki.lua.engine import LuaEngine
from loki.messages.lua_module import LuaFunction, LuaModule, LuaParameter, LuaType
from loki.messages.script import Limits, Script, ValueType
from loki.messages.value import ScriptValue

Answer: TypeAlias = "ScriptValue | LokiError"

CHUNK = "probe.lua"
TIMEOUT_S = 60.0


def parameter(name: str, type_: LuaType, required: bool = True) -> LuaParameter:
    return LuaParameter(name=name, type=type_, required=required, doc=f"The {name}")


def function(name: str, *parameters: LuaParameter) -> LuaFunction:
    return LuaFunction(name=name, request=name, parameters=parameters, doc=f"Does {name}")


BOARD = LuaModule(
    name="board",
    child="board",
    doc="One function of each kind.",
    functions=(
        function("read", parameter("pin", LuaType.PIN)),
        function("write", parameter("pin", LuaType.PIN), parameter("level", LuaType.BOOLEAN)),
        function("wait", parameter("count", LuaType.INTEGER, required=False)),
        function("set", parameter("name", LuaType.STRING), parameter("value", LuaType.ANY)),
        function("move", parameter("speed", LuaType.NUMBER)),
        function("send", parameter("data", LuaType.BYTES)),
        function("plan", parameter("options", LuaType.OBJECT), parameter("steps", LuaType.ARRAY)),
        function("ping"),
    ),
)


@dataclass
class Played:
    """One run, from its first step to its last."""

    steps: list[Step] = field(default_factory=list)  # Without the flushes.
    output: str = ""
    chunks: list[str] = field(default_factory=list)
    memory_bytes: int = 0

    @property
    def end(self) -> Step:
        return self.steps[-1]

    @property
    def value(self) -> ScriptValue:
        assert isinstance(self.end, Finished), self.end
        return self.end.value

    @property
    def failed(self) -> Failed:
        assert isinstance(self.end, Failed), self.end
        return self.end

    @property
    def calls(self) -> list[Call]:
        return [step for step in self.steps if isinstance(step, Call)]


Play = Callable[..., Played]


def played(
    source: str,
    *answers: Answer,
    engine: LuaEngine,
    params: dict[str, ScriptValue] | None = None,
    returns: ValueType = ValueType.ANY,
    steps: int = 10_000,
    compiled: bool = False,
    **limits: int,
) -> Played:
    """Run `source`; each of its requests gets the next of `answers`, then None."""
    script = Script(
        name="probe",
        source=source,
        chunk=CHUNK,
        return_type=returns,
        limits=Limits(**limits),
    )
    session = engine.prepare()
    left = list(answers)
    run = Played()
    step = session.start(script, params or {}, engine.compile(script) if compiled else b"")
    for _ in range(steps):
        run.chunks.append(session.take_output())
        run.memory_bytes = max(run.memory_bytes, session.memory_bytes)
        if not isinstance(step, Flush):
            run.steps.append(step)
        if isinstance(step, Finished | Failed):
            break
        answer = left.pop(0) if left and not isinstance(step, Flush) else None
        if isinstance(answer, LokiError):
            step = session.fail(answer.code, answer.message, answer.details)
        else:
            step = session.resume(answer)
    run.output = "".join(run.chunks)
    session.close()
    return run


@pytest.fixture(scope="session")
def engine() -> LuaEngine:
    return LuaEngine((BOARD,))


@pytest.fixture
def play(engine: LuaEngine) -> Play:
    """`play(source, *answers, ...)` in this process."""
    return lambda source, *answers, **options: played(source, *answers, engine=engine, **options)


@pytest.fixture
def play_apart(engine: LuaEngine) -> Play:
    """The same in a process of its own: a crash or a hang fails one test and nothing else."""

    def play(source: str, *answers: Answer, **options: object) -> Played:
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            _play_and_exit(writer, lambda: played(source, *answers, engine=engine, **options))
        os.close(writer)
        try:
            outcome = _read_all(reader, pid)
        finally:
            os.close(reader)
            _, status = os.waitpid(pid, 0)
        assert status == 0, f"ended by {status}: {source}"
        result = pickle.loads(outcome)
        assert isinstance(result, Played), result
        return result

    return play


def _play_and_exit(writer: int, run: Callable[[], Played]) -> None:
    try:
        try:
            outcome: object = run()
        except BaseException as error:  # noqa: BLE001  # It goes to the parent.
            outcome = repr(error)
        with os.fdopen(writer, "wb") as pipe:
            pipe.write(pickle.dumps(outcome))
        os._exit(0)
    finally:
        os._exit(1)


def _read_all(reader: int, pid: int) -> bytes:
    parts = []
    while True:
        ready, _, _ = select.select([reader], [], [], TIMEOUT_S)
        if not ready:
            os.kill(pid, signal.SIGKILL)
            pytest.fail(f"no end after {TIMEOUT_S} s")
        part = os.read(reader, 65536)
        if not part:
            return b"".join(parts)
        parts.append(part)


def refusal(code: ErrorCode, message: str, **details: str) -> LokiError:
    return LokiError(message, code=code, details=details)


@pytest.fixture
def fails() -> Callable[..., LokiError]:
    """`fails(code, message, **details)`: an answer that fails the call."""
    return refusal
