"""The per-script actor: runs one script at a time, step by step, within its budgets.

Theory of operation. A run is computing (Lua has the thread) or waiting (for a child, a sleep, or a
client that reads slowly). While it waits, this actor serves messages and its own timer ends the
run in time. While it computes, the watchdog thread does: it sends the result first and ends the
process second, for Lua cannot be stopped from inside. CPU time is looked at in the same places,
and after each step. The watchdog acts under a lock that this thread takes when Lua returns, so that
only one of the two ever sends.
"""

import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NoReturn

import msgspec

from loki.actors.door import Door
from loki.actors.flight_recorder import own_recorder
from loki.actors.role import Context, Handler, Role, Shell, Timer
from loki.actors.watchdog import Watchdog
from loki.core import engine, execution
from loki.core.budget import Action, check
from loki.core.chunk_cache import Lru
from loki.core.engine import Session, Step
from loki.errors import ErrorCode, LokiError
from loki.lua import engine_for
from loki.messages.dispatch import RunnerConfig
from loki.messages.engine import EngineStarted
from loki.messages.envelope import Done, Failure, Message
from loki.messages.execution import (
    CancelRun,
    Cause,
    ChunkTaken,
    CompiledScript,
    OutputWritten,
    ProgressMade,
    RunFinished,
    RunnerFree,
    StartRun,
    Usage,
    ValueEmitted,
)
from loki.messages.lua_module import LuaFunction
from loki.messages.script import Script
from loki.messages.value import NIL, Packed, ScriptValue, pack, unpack

WINDOW = 16  # Chunks that may be on their way to the client.
OVERTIME_EXIT_CODE = 75
SHORTEST_LOOK_S = 0.0005

_encode = msgspec.msgpack.Encoder().encode
_scripts = msgspec.msgpack.Decoder(CompiledScript)


@dataclass(slots=True)
class Current:
    """The run that this process has."""

    start: StartRun
    script: Script
    session: Session
    began_s: float
    cpu_began_s: float
    deadline_s: float
    cpu_allowed_s: float  # Infinite is no limit.
    output: list[str] = field(default_factory=list)
    api_calls: int = 0
    calls_in_flight: int = 0
    peak_memory_bytes: int = 0
    sequence: int = 0
    taken: int = 0
    held: Callable[[], None] | None = None  # What goes on when the client has read.
    deserted: bool = False  # Nobody takes its chunks any more.
    timer: Timer | None = None

    @property
    def id(self) -> str:
        return self.start.run

    @property
    def cpu_s(self) -> float:
        """Of this process since the run began. Any thread may ask."""
        return time.process_time() - self.cpu_began_s


class Runner(Role):
    """RunnerActor."""

    dispatcher = "dispatcher"

    def __init__(self, shell: Shell, config: bytes) -> None:
        super().__init__(shell, config)
        settings = msgspec.msgpack.decode(config, type=RunnerConfig)
        self._functions: dict[tuple[str, str], tuple[str, LuaFunction]] = {
            (module.name, function.name): (module.child, function)
            for module in settings.modules
            for function in module.functions
        }
        self._disabled = frozenset(settings.disabled)
        self._engine = engine_for("lua", settings.modules)
        self._spare: Session | None = self._engine.prepare()
        self._held: Lru[CompiledScript] = Lru(settings.script_cache_size)
        self._recorder = own_recorder(shell.name)
        self._watchdog = Watchdog(self._look)
        self._current: Current | None = None

    def handlers(self) -> Mapping[type[Message], Handler]:
        return {StartRun: self._start, ChunkTaken: self._taken, CancelRun: self._cancel}

    def started(self) -> None:
        engine_started = EngineStarted(
            language=self._engine.language, version=self._engine.version, walls=()
        )
        self.shell.send(self.dispatcher, engine_started)

    def _start(self, start: StartRun, context: Context) -> None:
        if context.peer_pid != os.getppid():
            raise LokiError("only the Dispatcher starts runs", code=ErrorCode.ROLE)
        self._recorder.accepted(start.run)
        now_s = time.monotonic()
        session, self._spare = self._spare or self._engine.prepare(), None
        compiled = self._compiled(start)
        script = compiled.script
        if script.limits != start.limits:  # The ceiling may have come down.
            script = msgspec.structs.replace(script, limits=start.limits)
        run = Current(
            start=start,
            script=script,
            session=session,
            began_s=now_s,
            cpu_began_s=time.process_time(),
            deadline_s=now_s + start.budget_s,
            cpu_allowed_s=start.limits.max_cpu_time_ms / 1000 or math.inf,
        )
        self._current = run
        run.timer = self.shell.later(start.budget_s, lambda: self._out_of_time_while_waiting(run))
        arguments = {name: unpack(value) for name, value in start.arguments.items()}
        self._recorder.begun()
        self._compute(run, lambda: session.start(script, arguments, compiled.bytecode))

    def _compiled(self, start: StartRun) -> CompiledScript:
        """Held from an earlier run, or brought along.

        Raises: DecodeError where neither is so. That bug ends this runner; the run gets another.
        """
        held = self._held.get(start.revision)
        if held is None:
            held = _scripts.decode(start.script)
            if start.revision:
                self._held.put(start.revision, held, len(start.script))
        return held

    def _compute(self, run: Current, go: Callable[[], Step]) -> None:
        """Let the script have the thread until its next step, then see to that."""
        self._arm(run)
        step = go()
        self._watchdog.disarm()
        memory = run.session.memory_bytes
        run.peak_memory_bytes = max(run.peak_memory_bytes, memory)
        self._hand_out_output(run)
        if run.cpu_allowed_s != math.inf and run.cpu_s > run.cpu_allowed_s:
            self._end(run, Cause.CPU, failure=self._failure(run, Cause.CPU))
        else:
            self._see_to(run, step)

    def _arm(self, run: Current) -> None:
        """CPU time cannot pass faster than the clock: until what is left of it is over, sleep."""
        if run.cpu_allowed_s == math.inf:
            self._watchdog.arm(run.deadline_s, run.deadline_s)
        else:
            left_s = run.cpu_allowed_s - run.cpu_s
            look_at_s = min(run.deadline_s, time.monotonic() + left_s)
            self._watchdog.arm(look_at_s, run.deadline_s, left_s)

    def _look(self) -> float:
        """In the watchdog's thread, while Lua has the other: end a run that used too much."""
        run = self._current
        if run is None:
            return math.inf
        now_s, cpu_s = time.monotonic(), run.cpu_s
        if now_s >= run.deadline_s:
            self._answer_and_die(run, Cause.TIME)
        elif cpu_s > run.cpu_allowed_s:
            self._answer_and_die(run, Cause.CPU)
        return min(run.deadline_s, now_s + max(run.cpu_allowed_s - cpu_s, SHORTEST_LOOK_S))

    def _see_to(self, run: Current, step: Step) -> None:
        match step:
            case engine.Call(module, function, arguments):
                self._call(run, module, function, arguments)
            case engine.CallTool():
                self._fail_soon(run, ErrorCode.UNSUPPORTED, "loki.call is not available yet")
            case engine.Sleep(duration_s):
                self.shell.later(duration_s, lambda: self._go_on(run, None))
            case engine.Emit(value):
                self._emit(run, value)
            case engine.Progress(fraction, text):
                self._chunk(
                    run,
                    lambda n: ProgressMade(run=run.id, sequence=n, fraction=fraction, text=text),
                )
                self._go_on_when_read(run)
            case engine.Log(level, text):
                self.shell.log.log(
                    _LEVELS.get(level, 20), "%s run=%s %s", run.script.name, run.id, text
                )
                self._go_on_when_read(run)
            case engine.Flush():
                self._go_on_when_read(run)
            case engine.Finished(value):
                self._finished(run, value)
            case engine.Failed():
                self._failed(run, step)

    # Waiting.

    def _call(
        self, run: Current, module: str, function: str, arguments: dict[str, ScriptValue]
    ) -> None:
        allowed = run.start.limits.max_calls_in_flight
        if check(run.calls_in_flight + 1, allowed) is Action.CRITICAL:
            self._fail_later(run, execution.calls_failure(run.script.name, allowed))
            return
        run.api_calls += 1
        if module in self._disabled:
            why = f"{module} is switched off in the settings"
            self._fail_soon(run, ErrorCode.CHILD_DISABLED, why)
            return
        child, declared = self._functions[module, function]
        body = _encode({"type": declared.request, **arguments})
        left_s = max(0.001, run.deadline_s - time.monotonic())
        assert isinstance(self.shell, Door)  # noqa: S101
        run.calls_in_flight += 1
        self.shell.call(
            child, body, lambda reply: self._answered(run, reply), timeout_s=left_s, run=run.id
        )

    def _answered(self, run: Current, reply: msgspec.Raw | Failure) -> None:
        run.calls_in_flight -= 1
        if isinstance(reply, Failure):
            self._fail(run, reply)
        else:
            self._go_on(run, execution.value_of(reply))

    def _fail(self, run: Current, failure: Failure) -> None:
        if run is self._current:
            details = dict(failure.details)
            self._compute(run, lambda: run.session.fail(failure.code, failure.message, details))

    def _fail_soon(self, run: Current, code: ErrorCode, message: str) -> None:
        self._fail_later(run, Failure(code=code, message=message))

    def _fail_later(self, run: Current, failure: Failure) -> None:
        """In the next turn: a script that tries for ever must not nest our calls for ever."""
        self.shell.later(0, lambda: self._fail(run, failure))

    def _go_on(self, run: Current, value: ScriptValue) -> None:
        if run is self._current:
            self._compute(run, lambda: run.session.resume(value))

    # Chunks.

    def _emit(self, run: Current, value: ScriptValue) -> None:
        packed = pack(value)
        self._chunk(run, lambda n: ValueEmitted(run=run.id, sequence=n, value=packed))
        self._go_on_when_read(run)

    def _hand_out_output(self, run: Current) -> None:
        text = run.session.take_output()
        if not text:
            return
        if run.start.stream:
            self._chunk(run, lambda n: OutputWritten(run=run.id, sequence=n, text=text))
        else:
            run.output.append(text)

    def _chunk(self, run: Current, message: Callable[[int], Message]) -> None:
        if run.start.stream and not run.deserted:
            run.sequence += 1
            self.shell.send(run.start.gateway, message(run.sequence), run=run.id)

    def _go_on_when_read(self, run: Current) -> None:
        """A client that reads slowly slows its script; it does not fill memory."""
        if run.deserted or run.sequence - run.taken < WINDOW:
            self.shell.later(0, lambda: self._go_on(run, None))
        else:
            run.held = lambda: self._go_on(run, None)

    def _taken(self, message: ChunkTaken, _context: Context) -> None:
        run = self._current
        if run is None or message.run != run.id:
            return
        run.taken = max(run.taken, message.sequence)
        if run.held is not None and run.sequence - run.taken < WINDOW:
            held, run.held = run.held, None
            held()

    def lost(self, peer: str, pid: int) -> None:  # noqa: ARG002
        """Without its gateway a run goes on to its end; there is nobody to wait for."""
        run = self._current
        if run is not None and peer == run.start.gateway:
            run.deserted = True
            held, run.held = run.held, None
            if held is not None:
                held()

    # Ends.

    def _finished(self, run: Current, value: ScriptValue) -> None:
        self._end(run, Cause.FINISHED, value=pack(value))

    def _failed(self, run: Current, failed: engine.Failed) -> None:
        details = {"script": run.script.name, **dict(failed.details)}
        if failed.line:
            details["line"] = str(failed.line)
        if failed.traceback:
            details["traceback"] = failed.traceback
        failure = Failure(code=failed.code, message=failed.message, details=details)
        cause = execution.CAUSE_OF_CODE.get(failed.code, Cause.SCRIPT_ERROR)
        self._end(run, cause, failure=failure)

    def _cancel(self, request: CancelRun, _context: Context) -> Done:
        run = self._current
        if run is not None and run.id == request.run:
            failure = Failure(
                code=ErrorCode.CANCELLED, message=f"'{run.script.name}' was cancelled"
            )
            self._end(run, Cause.CANCELLED, failure=failure)
        return Done()

    def _out_of_time_while_waiting(self, run: Current) -> None:
        if run is self._current:
            self._end(run, Cause.TIME, failure=self._failure(run, Cause.TIME))

    def _end(
        self,
        run: Current,
        cause: Cause,
        *,
        value: Packed = NIL,
        failure: Failure | None = None,
    ) -> None:
        self._recorder.answered()
        self._current = None
        if run.timer is not None:
            run.timer.cancel()
        finished = self._result(run, cause, value, failure)
        self.shell.send(run.start.gateway, finished, run=run.id)
        self.shell.send(self.dispatcher, RunnerFree(run=run.id, cause=cause, failure=failure))
        run.session.close()
        self._spare = self._engine.prepare()

    def _result(
        self, run: Current, cause: Cause, value: Packed, failure: Failure | None
    ) -> RunFinished:
        wall_s, cpu_s = time.monotonic() - run.began_s, run.cpu_s
        over_s = cpu_s - run.cpu_allowed_s if cause is Cause.CPU else wall_s - run.start.budget_s
        return RunFinished(
            run=run.id,
            script=run.script.name,
            cause=cause,
            value=value,
            failure=failure,
            output="".join(run.output),
            output_truncated=cause is Cause.OUTPUT,
            usage=Usage(
                wall_ms=wall_s * 1000,
                cpu_ms=cpu_s * 1000,
                peak_memory_bytes=run.peak_memory_bytes,
                api_calls=run.api_calls,
                queue_ms=run.start.queue_ms,
                overshoot_ms=max(0.0, over_s) * 1000,
                budgets=run.start.limits,
            ),
        )

    @staticmethod
    def _failure(run: Current, cause: Cause) -> Failure:
        if cause is Cause.CPU:
            return execution.cpu_failure(run.script.name, run.start.limits.max_cpu_time_ms)
        return execution.time_failure(
            run.script.name, run.start.budget_s, run.start.deadline_is_clients
        )

    def _answer_and_die(self, run: Current, cause: Cause) -> NoReturn:
        """In the watchdog's thread: Lua has the other, and cannot be stopped."""
        run.peak_memory_bytes = max(run.peak_memory_bytes, run.session.memory_bytes)
        finished = self._result(run, cause, NIL, self._failure(run, cause))
        self._recorder.stopped(cause, finished.usage)
        try:
            self.shell.send(run.start.gateway, finished, run=run.id)
        finally:
            os._exit(OVERTIME_EXIT_CODE)


_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
