"""Admits runs, gives them to runners, and holds the truth about their deadlines and ends.

What to do is decided in `loki.core.runner.pool` and `loki.core.run.execution`; this actor does it.
"""

import math
import random
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import NoReturn

import msgspec

from loki.actors.base.lifeline import kill
from loki.actors.base.shell import ParentRole
from loki.actors.dispatcher.admission import Admissions
from loki.actors.dispatcher.calls import Calls
from loki.actors.dispatcher.chronicle import Chronicle
from loki.actors.dispatcher.crew import Crew
from loki.actors.dispatcher.run import Run, death_of, has_begun, last_warning, obituary, opened
from loki.actors.door.announcer import Announcer
from loki.actors.door.promise import when_read
from loki.actors.door.role import Context, Handler, Shell
from loki.actors.runner import flight_recorder
from loki.actors.runner.flight_recorder import Record
from loki.core.run import execution
from loki.core.runner import pool, runner_status
from loki.core.runner.script_table import ScriptTable
from loki.core.supervisor.spec import Backoff
from loki.errors import ErrorCode, LokiError, ResourceLimitExceeded
from loki.messages.dispatch import DispatcherConfig
from loki.messages.engine import DescribeEngines, EnginesListed
from loki.messages.envelope import Done, Failure, Message
from loki.messages.execution import (
    BudgetWarned,
    CancelRun,
    Cause,
    DescribeRun,
    RunClosed,
    RunEnded,
    RunOpened,
    RunOver,
    StartRun,
    SubmitRun,
    Usage,
)
from loki.messages.library import PublishScripts, SendScripts
from loki.messages.lifecycle import ChangeConfig, ChildrenListed, DescribeChildren, Ready, Stop

KILL_GRACE_S = 0.05  # Past the deadline; the runner's own watchdog needs a few milliseconds.
CANCEL_GRACE_S = 0.03
SCRIPTS_TIMEOUT_S = 5.0
ASKING = Backoff(shortest_s=0.5, longest_s=10.0)
HOUSEKEEPING_S = 10.0
RETRY_AFTER_S = 0.5
DEATH_LOOKS, DEATH_LOOK_S = 5, 0.002


class Dispatcher(ParentRole):
    """DispatcherActor."""

    library = "library"

    def __init__(self, shell: Shell, config: bytes) -> None:
        super().__init__(shell, config)
        import loki.actors.runner.walls  # noqa: F401
        from loki.lua import warm_up

        warm_up()  # Before the fork: the runners share its pages.
        settings = msgspec.msgpack.decode(config, type=DispatcherConfig)
        self._scripts = ScriptTable(settings.modules, settings.script_cache_size)
        self._admissions = Admissions(self._scripts, settings)
        self._runs: dict[str, Run] = {}
        self._announcer = Announcer(shell)
        self._calls = Calls(shell, self._runs, self._scripts, settings.ceiling)
        self._crew = Crew(self, settings, failed=self._runner_ended)
        self._chronicle = Chronicle(shell, settings.keeper)
        self._wakes_at_s = math.inf
        self._pool = pool.Pool(**self._admissions.pool_sizes)

    def handlers(self) -> Mapping[type[Message], Handler]:
        return {
            SubmitRun: self._submitted,
            CancelRun: self._cancelled,
            RunEnded: self._run_ended,
            RunOver: self._run_over,
            BudgetWarned: self._budget_warned,
            DescribeRun: self._describe,
            PublishScripts: self._published,
            DescribeEngines: self._describe_engines,
            DescribeChildren: self._describe_runners,
            Ready: self._runner_ready,
            ChangeConfig: self._change_config,
            **self._calls.handlers(),
            **self._crew.handlers(),
            **self._chronicle.handlers(),
        }

    def started(self) -> None:
        self._chronicle.begin()
        self._crew.begin()
        self._perform(self._pool.begin(self._now_s()))
        self._ask_for_scripts(attempt=1)
        self._keep_house()

    def finish(self, grace_s: float, done: Callable[[], None]) -> None:
        self._chronicle.finish(grace_s, done)

    def _change_config(self, message: ChangeConfig, context: Context) -> Done:
        context.require_kin("only the root configures it")
        self._admissions.config = msgspec.msgpack.decode(message.config, type=DispatcherConfig)
        self._calls.ceiling = self._admissions.config.ceiling
        self._pool.resize(**self._admissions.pool_sizes)
        self._perform(self._pool.tick(self._now_s()))
        return Done()

    def _keep_house(self) -> None:
        self._perform(self._pool.tick(self._now_s()))
        self.shell.later(HOUSEKEEPING_S, self._keep_house)

    def _ask_for_scripts(self, attempt: int) -> None:
        def sent(reply: Done | Failure) -> None:
            if isinstance(reply, Failure):
                self.shell.log.info("no scripts yet: %s", reply.message)
                delay_s = ASKING.delay_s(attempt, random.random())  # noqa: S311  # No secret.
                self.shell.later(delay_s, lambda: self._ask_for_scripts(attempt + 1))

        self.shell.request(self.library, SendScripts(), sent, timeout_s=SCRIPTS_TIMEOUT_S)

    def _now_s(self) -> float:
        return self.shell.clock.monotonic_s()

    # Scripts.

    def _published(self, message: PublishScripts, context: Context) -> Done:
        context.require_kin("only the Library publishes scripts")
        self._scripts.published(message)
        return Done()

    # Runs.

    def _submitted(self, message: SubmitRun, context: Context) -> None:
        context.require_kin("only the Gateway submits runs")
        name = message.script or (message.adhoc.name if message.adhoc else "")
        self._chronicle.submitted(message, name)
        try:
            admission = self._admissions.admit(message)
        except LokiError as error:
            self._chronicle.tell(context.peer, execution.refused(message.run, name, error))
            return
        run = Run(message, admission, context.peer, context.deadline_s)
        self._runs[message.run] = run
        self._perform(self._pool.submitted(message.run, self._now_s()))
        self._mind_deadline(run)

    def _mind_deadline(self, run: Run) -> None:
        """Nobody waits longer for a runner than the caller does."""
        if not run.runner and run.deadline_s is not None:
            left_s = max(0.0, run.deadline_s - self._now_s())
            run.timer = self.shell.later(left_s, lambda: self._waited_too_long(run.submitted.run))

    def _perform(self, commands: list[pool.Command]) -> None:
        for command in commands:
            match command:
                case pool.Assign(run, runner, queued_s):
                    self._assign(self._runs[run], runner, queued_s)
                case pool.StartRunner(name):
                    self._crew.start(name)
                case pool.StopRunner(name):
                    self.shell.send(name, Stop(grace_s=0))
                case pool.TurnAway(run):
                    self._turn_away(run)
                case pool.Lost(run, runner):
                    self._lost_run(run, runner)
                case pool.WakeAt(when_s):
                    self._wake_at(when_s)

    def _wake_at(self, when_s: float) -> None:
        """One timer for all that wait: a tick looks at the whole pool."""
        if when_s < self._wakes_at_s:
            self._wakes_at_s = when_s
            self.shell.later(max(0.0, when_s - self._now_s()), self._tick)

    def _tick(self) -> None:
        self._wakes_at_s = math.inf
        self._perform(self._pool.tick(self._now_s()))

    def _assign(self, run: Run, runner: str, queued_s: float) -> None:
        now_s = self._now_s()
        if run.timer is not None:
            run.timer.cancel()
        known = self._scripts.know(run.admission.script)
        left_s = None if run.deadline_s is None else max(0.0, run.deadline_s - now_s)
        run.runner, run.runner_pid, run.started_s = runner, self._crew.pid_of(runner), now_s
        run.over = False
        run.queued_s += queued_s
        run.budget_s, run.deadline_is_clients = execution.budget_s(
            run.admission.limits, left_s, run.used_s
        )
        run.timer = self.shell.later(run.budget_s + KILL_GRACE_S, lambda: self._overdue(run))
        for child in known.children:
            self._open_at(run, child)
        start = StartRun(
            run=run.submitted.run,
            revision=known.revision,
            script=self._scripts.packed_for(runner, known),
            arguments=run.admission.arguments,
            limits=run.admission.limits,
            budget_s=run.budget_s,
            deadline_is_clients=run.deadline_is_clients,
            queue_ms=run.queued_s * 1000,
            stream=run.submitted.stream,
            gateway=run.gateway,
        )
        self.shell.send(runner, start, run=run.submitted.run)
        self._chronicle.started(run.submitted.run, known.script, run.runner_pid)

    def _open_at(self, run: Run, child: str) -> None:
        run.told.add(child)
        self.shell.send(child, opened(run), run=run.submitted.run)

    def _describe(self, request: DescribeRun, context: Context) -> "RunOpened | Future[RunOpened]":
        if request.holds:
            return when_read(self.shell, lambda: self._described(request, context))
        return self._described(request, context)

    def _described(self, request: DescribeRun, context: Context) -> RunOpened:
        run = self._runs.get(request.run)
        if run is None or not run.runner or run.over:
            return self._calls.describe(request.run, context.peer)
        run.told.add(context.peer)
        return opened(run)

    def _turn_away(self, run_id: str) -> None:
        run = self._runs.pop(run_id)
        full = ResourceLimitExceeded(
            f"{self._pool.longest_queue} runs are waiting already; try again later",
            code=ErrorCode.QUEUE_FULL,
            details={"limit": str(self._pool.longest_queue)},
        )
        self._chronicle.tell(run.gateway, execution.refused(run_id, run.name, full, RETRY_AFTER_S))

    def _waited_too_long(self, run_id: str) -> None:
        run = self._runs.get(run_id)
        if run is not None and self._pool.withdrawn(run_id):
            error = LokiError(
                "the caller's deadline passed while the run waited for a runner",
                code=ErrorCode.CLIENT_DEADLINE,
            )
            del self._runs[run_id]
            self._chronicle.tell(run.gateway, execution.refused(run_id, run.name, error))

    def _cancelled(self, request: CancelRun, _context: Context) -> "Done | Future[NoReturn]":
        if not self._chronicle.is_live(request.run):
            return self._chronicle.refuse(request.run)
        run = self._runs[request.run]
        failure = Failure(code=ErrorCode.CANCELLED, message=f"'{run.name}' was cancelled")
        if self._pool.withdrawn(request.run):
            del self._runs[request.run]
            ended = execution.ended_by_death(
                request.run, run.name, Cause.CANCELLED, failure, Usage()
            )
            self._chronicle.tell(run.gateway, ended)
        elif run.runner:
            run.killed_for = failure
            self.shell.request(
                run.runner, request, lambda _reply: None, timeout_s=CANCEL_GRACE_S, run=request.run
            )
            self.shell.later(CANCEL_GRACE_S, lambda: self._kill_if_running(run))
        else:  # Its runner is dead, and we are about to see why.
            run.killed_for = failure
        return Done()

    def _overdue(self, run: Run) -> None:
        if run.killed_for is None:
            script, is_clients = run.admission.script, run.deadline_is_clients
            run.killed_for = execution.time_failure(script, run.budget_s, is_clients)
        self._kill_if_running(run)

    def _kill_if_running(self, run: Run) -> None:
        if self._runs.get(run.submitted.run) is run and run.runner in self._pool.runners:
            self._pool.runner_doomed(run.runner)
            kill(run.runner_pid)

    def _run_ended(self, message: RunEnded, context: Context) -> None:
        run = self._runs.get(message.run)
        if run is None or run.runner_pid != context.peer_pid:
            return
        if not message.dying:
            runner = run.runner
            self._close(run)
            self._perform(self._pool.runner_freed(runner, self._now_s()))
        self._chronicle.told(message)  # Last: somebody may have waited for that runner.

    def _run_over(self, message: RunOver, context: Context) -> None:
        run = self._runs.get(message.run)
        if run is not None and run.runner_pid == context.peer_pid:
            run.over = True
            self._let_go(run)

    def _budget_warned(self, message: BudgetWarned, context: Context) -> None:
        run = self._runs.get(message.run)
        if run is not None and run.runner_pid == context.peer_pid and run.is_news(message.limit):
            self._announcer.warn(message, run.name)

    def _close(self, run: Run) -> None:
        """The run is over."""
        del self._runs[run.submitted.run]
        self._release(run)

    def _release(self, run: Run) -> None:
        """It has no runner any more: whoever knows of it lets go of what it held."""
        if run.timer is not None:
            run.timer.cancel()
        self._let_go(run)
        run.runner = ""

    def _let_go(self, run: Run) -> None:
        self._calls.run_ended(run)
        for child in run.told:
            self.shell.send(child, RunClosed(run=run.submitted.run))
        run.told.clear()

    # Runners.

    def _runner_ready(self, ready: Ready, context: Context) -> None:
        if self._crew.ready(ready, context):
            self._perform(self._pool.runner_up(ready.name, self._now_s()))

    def _describe_runners(self, _request: DescribeChildren, _context: Context) -> ChildrenListed:
        runners = self._pool.runners.values()
        listed = runner_status.statuses(runners, self._crew.forked, self.shell.name, self._now_s())
        return ChildrenListed(children=listed)

    def _describe_engines(self, _request: DescribeEngines, _context: Context) -> EnginesListed:
        return EnginesListed(engines=self._crew.engines(self._scripts.statistics()))

    def lost(self, peer: str, pid: int) -> None:
        if pid and self._crew.pid_of(peer) == pid:
            kill(pid)  # One that closed its lanes is dead, or has no right to live.
            self._runner_ended(peer)

    def child_exited(self, name: str, incarnation: int, reason: str) -> None:  # noqa: ARG002
        """Of one with a run, what it said last is to be read first; then comes its lane's end."""
        if not self._pool.is_busy(name) or not self.shell.hears(self._crew.pid_of(name)):
            self._runner_ended(name, killed=reason == "killed")

    def _runner_ended(self, name: str, *, killed: bool = False) -> None:
        if name not in self._pool.runners:
            return
        record = flight_recorder.recorder_for(name).read()
        run = self._runs.get(self._pool.runners[name].run)
        began = run is None or run.killed_for is not None or has_begun(record, run)
        if run is not None and not began:
            self._release(run)
            self._chronicle.waits(run.submitted.run)
        self._perform(self._pool.runner_ended(name, self._now_s(), began=began, killed=killed))
        if run is not None and not began:
            self._mind_deadline(run)
        self._scripts.runner_ended(name)
        self._crew.forget(name)
        self._wake_at(self._now_s() + pool.PATIENCE_S)

    def _lost_run(self, run_id: str, runner: str) -> None:
        run = self._runs.get(run_id)
        if run is None:
            return  # It was answered; its runner died afterwards.
        record = flight_recorder.recorder_for(runner).read()
        run.deaths += 1
        self._release(run)
        self._judge(run, record, self._now_s(), DEATH_LOOKS)

    def _judge(self, run: Run, record: Record, died_s: float, looks: int) -> None:
        """Where nobody said why, the signal does; it is known a moment after the lane's end."""
        if self._runs.get(run.submitted.run) is not run:
            return  # Its last word was read after its end.
        killed_by = self.family.killed_by(run.runner_pid)
        if record.cause is None and run.killed_for is None and killed_by is None and looks:
            self.shell.later(DEATH_LOOK_S, lambda: self._judge(run, record, died_s, looks - 1))
            return
        end = obituary(run, record, died_s, killed_by or 0)
        if pool.may_run_again(death_of(run, record, end)):
            self._try_again(run, died_s)
        else:
            del self._runs[run.submitted.run]
            if warned := last_warning(run, end):
                self._announcer.warn(warned, run.name)
            self._chronicle.tell(run.gateway, end)

    def _try_again(self, run: Run, died_s: float) -> None:
        run.used_s += died_s - run.started_s
        run_id = run.submitted.run
        self.shell.log.warning(
            "run=%s script=%s runs again: its process died",
            *(run_id, run.name),
            extra={"execution": run_id},
        )
        self._chronicle.waits(run_id)
        self._perform(self._pool.returned(run_id, self._now_s()))
        self._mind_deadline(run)
