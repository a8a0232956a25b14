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

from loki.actors.door.role import Context, Handler, Role, Shell
from loki.actors.log.runner_log import relay_records
from loki.actors.runner import walls
from loki.actors.runner.activity import (
    Activity,
    Current,
    Waiting,
    called_by,
    failure_of,
    root_of,
    under,
)
from loki.actors.runner.cpu_limit import CpuLimit
from loki.actors.runner.flight_recorder import own_recorder
from loki.actors.runner.outlet import Outlet
from loki.actors.runner.steps import Steps
from loki.actors.runner.watchdog import Watchdog
from loki.core.run import budget, call, engine, execution
from loki.core.run.budget import LIMIT_OF_CAUSE, Action, check
from loki.core.run.engine import Session, Step
from loki.core.runner.chunk_cache import Lru
from loki.errors import ErrorCode, LokiError
from loki.lua import engine_for
from loki.messages.call import CallOpened, CloseCall
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
    RunOver,
    StartRun,
)
from loki.messages.module import CompiledModule
from loki.messages.value import NIL, Packed, ScriptValue, pack, unpack

OVERTIME_EXIT_CODE = 75

_scripts = msgspec.msgpack.Decoder(CompiledScript)


class Runner(Role):
    """RunnerActor."""

    dispatcher = "dispatcher"

    def __init__(self, shell: Shell, config: bytes) -> None:
        super().__init__(shell, config)
        settings = msgspec.msgpack.decode(config, type=RunnerConfig)
        self._engine = engine_for("lua", settings.modules)
        self._spare: Session | None = self._engine.prepare()
        self._held: Lru[CompiledScript] = Lru(settings.script_cache_size)
        self._recorder = own_recorder(shell.name)
        self._steps = Steps(
            shell,
            settings,
            go_on=self._go_on,
            fail=self._fail,
            opened=self._opened,
            provide=self._provide,
        )
        if settings.walled:
            relay_records(shell, self.dispatcher)
            walls.shut_stderr()
        with walls.around(shell, settings) as self._walls:
            self._watchdog = Watchdog(self._look)  # The last thread that this process starts.
        self._cpu_limit = CpuLimit()
        self._computing: Activity | None = None
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
        compiled = self._compiled(start.revision, start.script)
        script = under(compiled.script, start.limits)
        root = root_of(start, script, session, now_s)
        run = self._current = Current(start, root, Outlet(start, self.shell, self._recorder.shown))
        self._cpu_limit.allow(root.cpu_began_s, min(root.cpu_allowed_s, start.budget_s))
        self._look_later(run, root, run.look_at_s)
        arguments = {name: unpack(value) for name, value in start.arguments.items()}
        self._recorder.begun()
        self._compute(root, lambda: session.start(script, arguments, compiled.bytecode))

    def _compiled(self, revision: str, packed: msgspec.Raw) -> CompiledScript:
        """Held from an earlier run, or brought along.

        Raises: DecodeError where neither is so. That bug ends this runner; the run gets another.
        """
        held = self._held.get(revision)
        if held is None:
            held = _scripts.decode(packed)
            if revision:
                self._held.put(revision, held, len(packed))
        return held

    # Computing.

    def _compute(self, activity: Activity, go: Callable[[], Step]) -> None:
        """Let the script have the thread until it ends or waits, and see to what it asks for."""
        run = self._current
        assert run is not None  # noqa: S101
        step = self._step(run, activity, go)
        while self._may_go_on(run, activity):
            if not isinstance(step, engine.Started):
                self._see_to(run, activity, step)
                return
            self._steps.see_to(run, Waiting(activity, step.ticket), step.step)
            step = self._step(run, activity, lambda: activity.session.resume(None))

    def _step(self, run: Current, activity: Activity, go: Callable[[], Step]) -> Step:
        self._arm(run, activity)
        step = go()
        self._watchdog.disarm()
        text = activity.session.take_output()
        if text:
            activity.written_bytes += run.outlet.write(text)
        memory = activity.session.memory_bytes
        if run.has_called:
            memory = run.memory_bytes
            if activity is not run.root:
                activity.step_ended()
        run.peak_memory_bytes = max(run.peak_memory_bytes, memory)
        if (
            memory >= run.memory_warning_bytes
            or run.outlet.written_bytes >= run.output_warning_bytes
        ):
            self._warn(run)
        return step

    def _arm(self, run: Current, activity: Activity) -> None:
        """The alarms behind the watchdog guard the budgets of the run."""
        self._computing, root = activity, run.root
        if run.has_called:
            activity.session.confine(run.memory_left_bytes(activity))
        if activity is not root:
            activity.step_begins()
        elif root.cpu_allowed_s == math.inf:
            self._watchdog.arm(run.look_at_s, root.deadline_s)
            return
        look_at_s = run.next_look_s(activity, time.monotonic())
        self._watchdog.arm(look_at_s, root.deadline_s, root.cpu_allowed_s - root.cpu_s)

    def _may_go_on(self, run: Current, activity: Activity) -> bool:
        """Whether CPU time and output are left. If not, this ended what used them up."""
        if run.has_called and run.outlet.truncated:
            failure = execution.output_failure(run.root.script, run.start.limits)
            self._end(run, Cause.OUTPUT, failure=failure)
            return False
        root = run.root
        if root.cpu_allowed_s != math.inf:
            action = check(root.cpu_s, root.cpu_allowed_s)
            if action is Action.CRITICAL:
                self._stop(run, root, Cause.CPU)
                return False
            if action is Action.WARNING:
                self._warn(run)
        if activity is not root and activity.cpu_s > activity.cpu_allowed_s:
            self._stop(run, activity, Cause.CPU)
            return False
        return True

    def _look(self) -> float:
        """In the watchdog's thread, while Lua has the other: end a run that used too much."""
        run, activity = self._current, self._computing
        if run is None or activity is None:
            return math.inf
        now_s = time.monotonic()
        for each in activity.chain:  # The outermost names the cause.
            cause = each.exhausted(now_s)
            if cause is not None:
                self._answer_and_die(run, each, cause)
        self._warn(run)
        return run.next_look_s(activity, now_s)

    def _warn(self, run: Current, ended_by: Cause | None = None) -> None:
        """Of each budget that nears its end, once; of the one that ended the run in any case."""
        uses = run.uses(time.monotonic())
        for use in budget.due(uses, run.warned, ended=LIMIT_OF_CAUSE.get(ended_by)):
            run.has_warned(use.limit)
            warned = BudgetWarned(run=run.id, limit=use.limit, used=use.used, allowed=use.allowed)
            self.shell.send(self.dispatcher, warned, run=run.id)

    # Waiting.

    def _see_to(self, run: Current, activity: Activity, step: Step) -> None:
        match step:
            case engine.Finished(value):
                if activity is run.root:
                    self._end(run, Cause.FINISHED, value=pack(value))
                else:
                    self._return(activity, value)
            case engine.Failed():
                if activity is run.root:
                    self._failed(run, step)
                else:
                    self._return(activity, call.failure_of(activity.script.name, step))
            case engine.Waits():
                pass  # For answers to what its functions asked.
            case _:
                self._steps.see_to(run, Waiting(activity), step)

    def _go_on(self, waiting: Waiting, value: ScriptValue) -> None:
        activity, ticket = waiting.activity, waiting.ticket
        if activity.alive:
            self._compute(activity, lambda: activity.session.resume(value, ticket))

    def _provide(self, waiting: Waiting, module: CompiledModule) -> None:
        activity, ticket = waiting.activity, waiting.ticket
        if activity.alive:
            self._compute(activity, lambda: activity.session.provide(module, ticket))

    def _fail(self, waiting: Waiting, failure: Failure) -> None:
        activity, ticket, details = waiting.activity, waiting.ticket, dict(failure.details)
        if activity.alive:
            self._compute(
                activity,
                lambda: activity.session.fail(failure.code, failure.message, details, ticket),
            )

    def _look_later(self, run: Current, activity: Activity, when_s: float) -> None:
        delay_s = max(0.0, when_s - time.monotonic())
        timer = self.shell.later(delay_s, lambda: self._time_passed(run, activity))
        activity.timers.add(timer)

    def _time_passed(self, run: Current, activity: Activity) -> None:
        """While it waits: most of its wall time has passed, or all of it."""
        if not activity.alive:
            return
        if activity.exhausted(time.monotonic()) is Cause.TIME:
            self._stop(run, activity, Cause.TIME)
        else:
            self._warn(run)
            self._look_later(run, activity, activity.deadline_s)

    def _taken(self, message: ChunkTaken, _context: Context) -> None:
        run = self._current
        if run is not None and message.run == run.id:
            run.outlet.taken(message.sequence)

    def lost(self, peer: str, pid: int) -> None:  # noqa: ARG002
        """Without its gateway a run goes on to its end; there is nobody to wait for."""
        run = self._current
        if run is not None and peer == run.start.gateway:
            run.outlet.desert()

    # Scripts that scripts call.

    def _opened(self, waiting: Waiting, reply: CallOpened | Failure) -> None:
        """The Dispatcher's answer, which may come late."""
        caller, run = waiting.activity, self._current
        if isinstance(reply, Failure):
            caller.calls_in_flight -= 1
            self._fail(waiting, reply)
            return
        compiled = self._compiled(reply.revision, reply.script)  # Also for nobody: it is held now.
        if not caller.alive or run is None:
            self.shell.send(self.dispatcher, CloseCall(call=reply.call))
            return
        session, self._spare = self._spare or self._engine.prepare(), None
        script = under(compiled.script, reply.limits)
        called = called_by(waiting, reply, script, session)
        caller.called.add(called)
        run.has_called = True
        if called.deadline_s < caller.deadline_s:
            self._look_later(run, called, called.deadline_s)
        arguments = {name: unpack(value) for name, value in reply.arguments.items()}
        self._compute(called, lambda: session.start(script, arguments, compiled.bytecode))

    def _stop(self, run: Current, activity: Activity, cause: Cause) -> None:
        """Between its steps a script just ends. Of a called one its caller hears, and may go on."""
        failure = failure_of(run, activity, cause)
        if activity is run.root:
            self._end(run, cause, failure=failure)
        else:
            self._return(activity, failure)

    def _return(self, called: Activity, outcome: "ScriptValue | Failure") -> None:
        """End a called script, and those that it called; its caller goes on."""
        caller = called.caller
        assert caller is not None  # noqa: S101
        called.end()
        for each in called.all():
            self.shell.send(self.dispatcher, CloseCall(call=each.id))
        called.close()
        caller.called.discard(called)
        caller.calls_in_flight -= 1
        waiting = Waiting(caller, called.ticket)
        if isinstance(outcome, Failure):
            self._fail(waiting, outcome)
        else:
            self._go_on(waiting, outcome)

    # Ends.

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
        run.root.end()
        self._let_go(run)
        run.outlet.end(self._result(run, run.root, cause, value, failure))
        run.root.close()
        self._spare = self._spare or self._engine.prepare()

    def _let_go(self, run: Current) -> None:
        """Nobody has the result before the Dispatcher has what lets it go of what the run held."""
        if run.api_calls:
            self.shell.send(self.dispatcher, RunOver(run=run.id), run=run.id)

    def _result(
        self, run: Current, spent: Activity, cause: Cause, value: Packed, failure: Failure | None
    ) -> RunFinished:
        now_s = time.monotonic()
        if cause is not Cause.FINISHED or now_s >= run.look_at_s:
            self._warn(run, cause if spent is run.root else None)
        return RunFinished(
            run=run.id,
            script=run.name,
            cause=cause,
            value=value,
            failure=failure,
            output=run.outlet.kept,
            output_truncated=cause is Cause.OUTPUT or run.outlet.truncated,
            usage=run.usage(now_s, cause, spent),
        )

    def _answer_and_die(self, run: Current, spent: Activity, cause: Cause) -> NoReturn:
        """In the watchdog's thread: Lua has the other, and cannot be stopped."""
        try:
            self._let_go(run)
            run.peak_memory_bytes = max(run.peak_memory_bytes, run.memory_bytes)
            finished = self._result(run, spent, cause, NIL, failure_of(run, spent, cause))
            self._recorder.stopped(cause, finished.usage)
            run.outlet.end(finished, dying=True)
        finally:
            os._exit(OVERTIME_EXIT_CODE)
