"""What scripts wait for: each request goes to who serves it, its answer back to the script."""

import time
from collections.abc import Callable
from typing import TypeAlias

import msgspec

from loki.actors.door.door import Door
from loki.actors.door.role import Shell
from loki.actors.library.module import ModuleStock
from loki.actors.runner.activity import Activity, Current, Waiting
from loki.core.run import budget, engine, execution, patience
from loki.core.run.engine import Step
from loki.errors import ErrorCode, InvalidArgument
from loki.messages.call import CallOpened, OpenCall
from loki.messages.dispatch import RunnerConfig
from loki.messages.envelope import Failure
from loki.messages.lua_module import LuaFunction
from loki.messages.module import CompiledModule
from loki.messages.value import ScriptValue, pack

OPEN_TIMEOUT_S = 10.0
DISPATCHER = "dispatcher"

_encode = msgspec.msgpack.Encoder().encode

Opened: TypeAlias = Callable[[Waiting, "CallOpened | Failure"], None]


class Steps:
    """Serves the requests of one run after the other."""

    def __init__(
        self,
        shell: Shell,
        settings: RunnerConfig,
        *,
        go_on: Callable[[Waiting, ScriptValue], None],
        fail: Callable[[Waiting, Failure], None],
        opened: Opened,
        provide: Callable[[Waiting, CompiledModule], None],
    ) -> None:
        """The script of a waiting `go_on` or `fail` may have ended meanwhile."""
        self._shell = shell
        self._functions: dict[tuple[str, str], tuple[str, LuaFunction]] = {
            (module.name, function.name): (module.child, function)
            for module in settings.modules
            for function in module.functions
        }
        self._disabled = frozenset(settings.disabled)
        self._go_on = go_on
        self._fail = fail
        self._opened = opened
        self._provide = provide
        self._modules = ModuleStock(shell)

    def see_to(self, run: Current, waiting: Waiting, step: Step) -> None:
        """Answer later, in another turn: a script that asks for ever must not nest our calls."""
        activity = waiting.activity
        match step:
            case engine.Call(module, function, arguments):
                self._call(run, waiting, module, function, arguments)
            case engine.CallTool(tool, arguments):
                self._call_tool(run, waiting, tool, arguments)
            case engine.Require(name):
                self._require(waiting, name)
            case engine.Sleep(duration_s):
                self._sleep(waiting, duration_s)
            case engine.AskBudget():
                left = budget.left(run.uses_of(activity, time.monotonic()))
                self._shell.later(0, lambda: self._go_on(waiting, left))
            case _:
                if not (activity.caller and isinstance(step, engine.Progress)):  # Not the run's.
                    run.outlet.show(activity.script.name, step)
                run.outlet.when_read(lambda: self._go_on(waiting, None))

    def _sleep(self, waiting: Waiting, duration_s: float) -> None:
        """One that lasts beyond the time budget needs no timer: that ends it."""
        if time.monotonic() + duration_s < waiting.activity.deadline_s:
            self._after(waiting.activity, duration_s, lambda: self._go_on(waiting, None))

    def _after(self, activity: Activity, delay_s: float, action: Callable[[], None]) -> None:
        """Do it then, unless the script has ended."""

        def due() -> None:
            activity.timers.discard(timer)
            action()

        timer = self._shell.later(delay_s, due)
        activity.timers.add(timer)

    def _require(self, waiting: Waiting, name: str) -> None:
        def loaded(module: CompiledModule | Failure) -> None:
            if isinstance(module, Failure):
                self._fail(waiting, module)
            else:
                self._provide(waiting, module)

        activity = waiting.activity
        self._modules.load(name, loaded, timeout_s=left_s(activity), run=activity.id)

    def _may_call(self, waiting: Waiting) -> bool:
        """If not, the script is told so."""
        activity = waiting.activity
        if activity.may_call():
            return True
        allowed = activity.limits.max_calls_in_flight
        self._fail_later(waiting, execution.calls_failure(activity.script, allowed))
        return False

    def _fail_later(self, waiting: Waiting, failure: Failure) -> None:
        self._shell.later(0, lambda: self._fail(waiting, failure))

    def _call(
        self,
        run: Current,
        waiting: Waiting,
        module: str,
        function: str,
        arguments: dict[str, ScriptValue],
    ) -> None:
        if not self._may_call(waiting):
            return
        run.api_calls += 1
        if module in self._disabled:
            why = f"{module} is switched off in the settings"
            self._fail_later(waiting, Failure(code=ErrorCode.CHILD_DISABLED, message=why))
            return
        child, declared = self._functions[module, function]
        body = _encode({"type": declared.request, **arguments})
        waiting.activity.calls_in_flight += 1
        self._ask(waiting, child, body, time.monotonic())

    def _ask(self, waiting: Waiting, child: str, body: bytes, since_s: float) -> None:
        """Ask a child, or see what to do without it: it has not got what it was asked."""
        activity = waiting.activity
        assert isinstance(self._shell, Door)  # noqa: S101
        asked = self._shell.call(
            child,
            body,
            lambda reply: self._answered(waiting, reply),
            timeout_s=left_s(activity),
            run=activity.id,
        )
        if asked:
            return
        patience_ms = activity.script.wait_for_child_ms
        again_s = patience.next_look_s(time.monotonic() - since_s, patience_ms)
        if again_s is None:
            failure = patience.child_down(child, patience_ms)
            self._shell.later(0, lambda: self._answered(waiting, failure))
        else:
            self._after(activity, again_s, lambda: self._ask(waiting, child, body, since_s))

    def _answered(self, waiting: Waiting, reply: msgspec.Raw | Failure) -> None:
        waiting.activity.calls_in_flight -= 1
        if isinstance(reply, Failure):
            self._fail(waiting, reply)
        else:
            self._go_on(waiting, execution.value_of(reply))

    def _call_tool(
        self, run: Current, waiting: Waiting, tool: str, arguments: dict[str, ScriptValue]
    ) -> None:
        if not self._may_call(waiting):
            return
        run.api_calls += 1
        activity = waiting.activity
        try:
            packed = {name: pack(value) for name, value in arguments.items()}
        except InvalidArgument as error:
            self._fail_later(waiting, Failure.of(error))
            return
        activity.calls_in_flight += 1
        self._shell.request(
            DISPATCHER,
            OpenCall(run=activity.id, tool=tool, arguments=packed),
            lambda reply: self._opened(waiting, reply),
            timeout_s=OPEN_TIMEOUT_S,
            run=activity.id,
        )


def left_s(activity: Activity) -> float:
    """Until its time is up; never nothing, which would be no limit."""
    return max(0.001, activity.deadline_s - time.monotonic())
