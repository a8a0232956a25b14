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
from typing import NoReturn

import msgspec

from loki.actors import walls
from loki.actors.activity import Activity, Current
from loki.actors.cpu_limit import CpuLimit
from loki.actors.door import Door
from loki.actors.flight_recorder import own_recorder
from loki.actors.module import ModuleStock
from loki.actors.outlet import Outlet
from loki.actors.role import Context, Handler, Role, Shell
from loki.actors.watchdog import Watchdog
from loki.core import budget, engine, execution
from loki.core.budget import LIMIT_OF_CAUSE, WARN_SHARE, Action, check
from loki.core.chunk_cache import Lru
from loki.core.engine import Session, Step
from loki.errors import ErrorCode, LokiError
from loki.lua import engine_for
from loki.messages.dispatch import RunnerConfig
from loki.messages.engine import EngineStarted
from loki.messages.envelope import Done, Failure, Message
from loki.messages.execution import (
    BudgetWarned,
    CancelRun,
    Cause,
    ChunkTaken,
    CompiledScript,
    RunFinished,
    RunnerFree,
    StartRun,
)
from loki.messages.lua_module import LuaFunction
from loki.messages.module import CompiledModule
from loki.messages.value import NIL, Packed, ScriptValue, pack, unpack

OVERTIME_EXIT_CODE = 75
SHORTEST_LOOK_S = 0.0005

_encode = msgspec.msgpack.Encoder().encode
_scripts = msgspec.msgpack.Decoder(CompiledScript)


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
        self._modules = ModuleStock(shell)
        self._recorder = own_recorder(shell.name)
        with walls.around(shell, settings) as self._walls:
            self._watchdog = Watchdog(self._look)  # The last thread that this process starts.
        self._cpu_limit = CpuLimit()
        self._current: Current | None = None

    def handlers(self) -> Mapping[type[Message], Handler]:
        return {StartRun: self._start, ChunkTaken: self._taken, CancelRun: self._cancel}

    def started(self) -> None:
        engine_started = EngineStarted(
            language=self._engine.language, version=self._engine.version, walls=tuple(self._walls)
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
        root = Activity(
            id=start.run,
            script=script,
            limits=start.limits,
            session=session,
            began_s=now_s,
            budget_s=start.budget_s,
            deadline_s=now_s + start.budget_s,
            cpu_allowed_s=start.limits.max_cpu_time_ms / 1000 or math.inf,
            cpu_began_s=time.process_time(),
        )
        run = self._current = Current(start, root, Outlet(start, self.shell))
        self._cpu_limit.allow(root.cpu_began_s, min(root.cpu_allowed_s, start.budget_s))
        run.timer = self.shell.later(run.look_at_s - now_s, lambda: self._time_passed(run))
        arguments = {name: unpack(value) for name, value in start.arguments.items()}
        self._recorder.begun()
        self._compute(root, lambda: session.start(script, arguments, compiled.bytecode))

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

    def _compute(self, activity: Activity, go: Callable[[], Step]) -> None:
        """Let the script have the thread until its next step, then see to that."""
        run = self._current
        assert run is not None  # noqa: S101
        self._arm(run, activity)
        step = go()
        self._watchdog.disarm()
        text = activity.session.take_output()
        if text:
            run.outlet.write(text)
        memory = activity.session.memory_bytes
        run.peak_memory_bytes = max(run.peak_memory_bytes, memory)
        if (
            memory >= run.memory_warning_bytes
            or run.outlet.written_bytes >= run.output_warning_bytes
        ):
            self._warn(run)
        if activity.cpu_allowed_s != math.inf:
            self._look_at_cpu_time(run, activity, step)
        else:
            self._see_to(activity, step)

    def _look_at_cpu_time(self, run: Current, activity: Activity, step: Step) -> None:
        action = check(activity.cpu_s, activity.cpu_allowed_s)
        if action is Action.CRITICAL:
            self._end(run, Cause.CPU, failure=self._failure(run, Cause.CPU))
            return
        if action is Action.WARNING:
            self._warn(run)
        self._see_to(activity, step)

    def _arm(self, run: Current, activity: Activity) -> None:
        """CPU time cannot pass faster than the clock: until what is left of it is over, sleep."""
        if activity.cpu_allowed_s == math.inf:
            self._watchdog.arm(run.look_at_s, activity.deadline_s)
        else:
            left_s = activity.cpu_allowed_s - activity.cpu_s
            look_at_s = self._next_look_s(run, time.monotonic())
            self._watchdog.arm(look_at_s, activity.deadline_s, left_s)

    @staticmethod
    def _next_look_s(run: Current, now_s: float) -> float:
        if run.root.cpu_allowed_s == math.inf:
            return run.look_at_s
        share = 1 if "max_cpu_time_ms" in run.warned else WARN_SHARE
        left_s = run.root.cpu_allowed_s * share - run.root.cpu_s
        return min(run.look_at_s, now_s + max(left_s, SHORTEST_LOOK_S))

    def _look(self) -> float:
        """In the watchdog's thread, while Lua has the other: end a run that used too much."""
        run = self._current
        if run is None:
            return math.inf
        now_s = time.monotonic()
        cause = run.root.exhausted(now_s)
        if cause is not None:
            self._answer_and_die(run, cause)
        self._warn(run)
        return self._next_look_s(run, now_s)

    def _warn(self, run: Current, cause: Cause | None = None) -> None:
        """Of each budget that nears its end, once; of the one that ended the run in any case."""
        uses = run.uses(time.monotonic())
        for use in budget.due(uses, run.warned, ended=LIMIT_OF_CAUSE.get(cause)):
            run.has_warned(use.limit)
            warned = BudgetWarned(run=run.id, limit=use.limit, used=use.used, allowed=use.allowed)
            self.shell.send(self.dispatcher, warned, run=run.id)

    def _see_to(self, activity: Activity, step: Step) -> None:
        run = self._current
        assert run is not None  # noqa: S101
        match step:
            case engine.Call(module, function, arguments):
                self._call(run, activity, module, function, arguments)
            case engine.CallTool():
                self._fail_soon(activity, ErrorCode.UNSUPPORTED, "loki.call is not available yet")
            case engine.Require(name):
                self._require(activity, name)
            case engine.Sleep(duration_s):
                self._sleep(activity, duration_s)
            case engine.AskBudget():
                left = budget.left(run.uses(time.monotonic()))
                self.shell.later(0, lambda: self._go_on(activity, left))
            case engine.Finished(value):
                self._finished(run, value)
            case engine.Failed():
                self._failed(run, step)
            case _:
                run.outlet.show(activity.script.name, step)
                run.outlet.when_read(lambda: self._go_on(activity, None))

    # Waiting.

    def _sleep(self, activity: Activity, duration_s: float) -> None:
        """One that lasts beyond the time budget needs no timer: that ends it."""
        if time.monotonic() + duration_s < activity.deadline_s:
            self.shell.later(duration_s, lambda: self._go_on(activity, None))

    def _call(
        self,
        run: Current,
        activity: Activity,
        module: str,
        function: str,
        arguments: dict[str, ScriptValue],
    ) -> None:
        if not activity.may_call():
            allowed = activity.limits.max_calls_in_flight
            self._fail_later(activity, execution.calls_failure(activity.script.name, allowed))
            return
        run.api_calls += 1
        if module in self._disabled:
            why = f"{module} is switched off in the settings"
            self._fail_soon(activity, ErrorCode.CHILD_DISABLED, why)
            return
        child, declared = self._functions[module, function]
        body = _encode({"type": declared.request, **arguments})
        left_s = max(0.001, activity.deadline_s - time.monotonic())
        assert isinstance(self.shell, Door)  # noqa: S101
        activity.calls_in_flight += 1
        self.shell.call(
            child,
            body,
            lambda reply: self._answered(activity, reply),
            timeout_s=left_s,
            run=activity.id,
        )

    def _require(self, activity: Activity, name: str) -> None:
        def loaded(module: CompiledModule | Failure) -> None:
            if isinstance(module, Failure):
                self._fail(activity, module)
            elif self._lives(activity):
                self._compute(activity, lambda: activity.session.provide(module))

        left_s = max(0.001, activity.deadline_s - time.monotonic())
        self._modules.load(name, loaded, timeout_s=left_s, run=activity.id)

    def _answered(self, activity: Activity, reply: msgspec.Raw | Failure) -> None:
        activity.calls_in_flight -= 1
        if isinstance(reply, Failure):
            self._fail(activity, reply)
        else:
            self._go_on(activity, execution.value_of(reply))

    def _lives(self, activity: Activity) -> bool:
        return self._current is not None and activity is self._current.root

    def _fail(self, activity: Activity, failure: Failure) -> None:
        if self._lives(activity):
            details, session = dict(failure.details), activity.session
            self._compute(activity, lambda: session.fail(failure.code, failure.message, details))

    def _fail_soon(self, activity: Activity, code: ErrorCode, message: str) -> None:
        self._fail_later(activity, Failure(code=code, message=message))

    def _fail_later(self, activity: Activity, failure: Failure) -> None:
        """In the next turn: a script that tries for ever must not nest our calls for ever."""
        self.shell.later(0, lambda: self._fail(activity, failure))

    def _go_on(self, activity: Activity, value: ScriptValue) -> None:
        if self._lives(activity):
            self._compute(activity, lambda: activity.session.resume(value))

    def _taken(self, message: ChunkTaken, _context: Context) -> None:
        run = self._current
        if run is not None and message.run == run.id:
            run.outlet.taken(message.sequence)

    def lost(self, peer: str, pid: int) -> None:  # noqa: ARG002
        """Without its gateway a run goes on to its end; there is nobody to wait for."""
        run = self._current
        if run is not None and peer == run.start.gateway:
            run.outlet.desert()

    # Ends.

    def _finished(self, run: Current, value: ScriptValue) -> None:
        self._end(run, Cause.FINISHED, value=pack(value))

    def _failed(self, run: Current, failed: engine.Failed) -> None:
        details = {"script": run.name, **dict(failed.details)}
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
            failure = Failure(code=ErrorCode.CANCELLED, message=f"'{run.name}' was cancelled")
            self._end(run, Cause.CANCELLED, failure=failure)
        return Done()

    def _time_passed(self, run: Current) -> None:
        """While it waits: most of its wall time has passed, or all of it."""
        now_s = time.monotonic()
        if run is not self._current:
            return
        if run.root.exhausted(now_s) is Cause.TIME:
            self._end(run, Cause.TIME, failure=self._failure(run, Cause.TIME))
            return
        self._warn(run)
        left_s = max(0.0, run.root.deadline_s - now_s)
        run.timer = self.shell.later(left_s, lambda: self._time_passed(run))

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
        run.root.session.close()
        self._spare = self._engine.prepare()

    def _result(
        self, run: Current, cause: Cause, value: Packed, failure: Failure | None
    ) -> RunFinished:
        now_s = time.monotonic()
        if cause is not Cause.FINISHED or now_s >= run.look_at_s:
            self._warn(run, cause)
        return RunFinished(
            run=run.id,
            script=run.name,
            cause=cause,
            value=value,
            failure=failure,
            output=run.outlet.kept,
            output_truncated=cause is Cause.OUTPUT or run.outlet.truncated,
            usage=run.usage(now_s, cause),
        )

    @staticmethod
    def _failure(run: Current, cause: Cause) -> Failure:
        return execution.budget_failure(run.name, run.start, cause)

    def _answer_and_die(self, run: Current, cause: Cause) -> NoReturn:
        """In the watchdog's thread: Lua has the other, and cannot be stopped."""
        try:
            memory = run.root.session.memory_bytes
            run.peak_memory_bytes = max(run.peak_memory_bytes, memory)
            finished = self._result(run, cause, NIL, self._failure(run, cause))
            self._recorder.stopped(cause, finished.usage)
            self.shell.send(run.start.gateway, finished, run=run.id)
        finally:
            os._exit(OVERTIME_EXIT_CODE)
