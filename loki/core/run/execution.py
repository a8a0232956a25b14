"""Pure parts of a run's life: its budget, how it is admitted, and how its end is told."""

import re
from dataclasses import dataclass

import msgspec

from loki.core.run.argument import bind
from loki.core.run.limit import clamp
from loki.core.run.manifest import limit_place
from loki.errors import ErrorCode, LokiError
from loki.messages.envelope import Failure
from loki.messages.execution import Cause, RunFinished, SubmitRun, Usage
from loki.messages.lua_module import LuaModule
from loki.messages.script import Limits, Origin, Permissions, Script
from loki.messages.value import NIL, Packed, ScriptValue, pack, unpack

CAUSE_OF_CODE = {
    ErrorCode.SCRIPT_ERROR: Cause.SCRIPT_ERROR,
    ErrorCode.RETURN_TYPE_MISMATCH: Cause.SCRIPT_ERROR,
    ErrorCode.TIME_BUDGET: Cause.TIME,
    ErrorCode.CLIENT_DEADLINE: Cause.TIME,
    ErrorCode.CPU_BUDGET: Cause.CPU,
    ErrorCode.MEMORY_BUDGET: Cause.MEMORY,
    ErrorCode.OUTPUT_BUDGET: Cause.OUTPUT,
    ErrorCode.DISK_BUDGET: Cause.DISK,
    ErrorCode.CANCELLED: Cause.CANCELLED,
    ErrorCode.RUNNER_CRASHED: Cause.CRASHED,
}


@dataclass(frozen=True, slots=True)
class Admission:
    """A run that may start as soon as a runner is free."""

    script: Script
    arguments: dict[str, Packed]
    limits: Limits


def new_id(now_ns: int, chance: str) -> str:
    """An execution's name. It begins with its time: an index of them grows at its end only."""
    return f"{now_ns // 10**6:012x}{chance}"


def admit(
    submitted: SubmitRun,
    script: Script,
    *,
    default_limits: Limits,
    ceiling: Limits,
    adhoc_permissions: Permissions,
) -> Admission:
    """Raises: InvalidArgument that names the argument."""
    limits, declared = script.limits, True
    if script.origin is Origin.ADHOC:
        declared = submitted.declared
        limits = limits if declared else default_limits
        script = as_adhoc(script, adhoc_permissions, submitted.run)
    given = {name: unpack(value) for name, value in submitted.arguments.items()}
    bound = bind(script, given) if declared else given
    arguments = {name: pack(value) for name, value in bound.items()}
    return Admission(script, arguments, clamp(limits, ceiling))


def as_adhoc(script: Script, permissions: Permissions, run: str) -> Script:
    """An ad-hoc script may do what the settings say, not what its sender says."""
    changed: Script = msgspec.structs.replace(
        script, permissions=permissions, declared_in="", revision=f"adhoc-{run}"
    )
    return changed


def mentioned(source: str, modules: tuple[LuaModule, ...]) -> tuple[LuaModule, ...]:
    """Which children a script's text names: a hint whom to tell of its run, and no more."""
    return tuple(m for m in modules if re.search(rf"\b{re.escape(m.name)}\s*[:.]", source))


def refused(
    run: str, script: str, error: LokiError, retry_after_s: float | None = None
) -> RunFinished:
    """The end of a run that never began."""
    return RunFinished(
        run=run, script=script, cause=Cause.REFUSED, failure=Failure.of(error, retry_after_s)
    )


def budget_s(
    limits: Limits, client_left_s: float | None, used_s: float = 0.0
) -> tuple[float, bool]:
    """Seconds of wall time that a run gets, and whether its client's deadline is what binds.

    `used_s` is what it used already, at a runner that died.
    """
    own_s = max(0.0, limits.max_execution_time_ms / 1000 - used_s)
    if client_left_s is not None and client_left_s < own_s:
        return client_left_s, True
    return own_s, False


def time_failure(script: Script, budget: float, deadline_is_clients: bool) -> Failure:
    """`budget` in seconds."""
    if deadline_is_clients:
        return Failure(
            code=ErrorCode.CLIENT_DEADLINE,
            message=(
                f"'{script.name}' was ended by its caller's deadline after {budget * 1000:.0f} ms"
            ),
        )
    return Failure(
        code=ErrorCode.TIME_BUDGET,
        message=(
            f"'{script.name}' used up its {budget * 1000:.0f} ms of wall time; "
            f"{limit_place(script.declared_in, 'max_execution_time_ms')} raises it"
        ),
    )


def cpu_failure(script: Script, allowed_ms: int) -> Failure:
    """0 is a script without such a limit, whose process had used too much for any."""
    used = f"its {allowed_ms} ms of CPU time" if allowed_ms else "the CPU time of its process"
    return Failure(
        code=ErrorCode.CPU_BUDGET,
        message=(
            f"'{script.name}' used up {used}; "
            f"{limit_place(script.declared_in, 'max_cpu_time_ms')} sets how much it has"
        ),
    )


def output_failure(script: Script, limits: Limits) -> Failure:
    """Of a run whose scripts printed more, together, than it may."""
    return Failure(
        code=ErrorCode.OUTPUT_BUDGET,
        message=(
            f"'{script.name}' and what it called printed more than {limits.max_output_kb} KiB; "
            f"{limit_place(script.declared_in, 'max_output_kb')} sets how much it may"
        ),
    )


def calls_failure(script: Script, allowed: int) -> Failure:
    """The refusal of one call too many at once, which the script may catch."""
    return Failure(
        code=ErrorCode.QUOTA,
        message=(
            f"'{script.name}' waits for {allowed} calls already, and no more may be in flight; "
            f"{limit_place(script.declared_in, 'max_calls_in_flight')} raises it"
        ),
        details={"limit": "max_calls_in_flight", "allowed": str(allowed)},
    )


def without_result(finished: RunFinished, error: LokiError) -> RunFinished:
    """What is told of a run whose value and output cannot be sent, for `error`."""
    failure = finished.failure or Failure(
        code=ErrorCode.SCRIPT_ERROR,
        message=f"result: value and output are too long: {error.message}",
    )
    cause = CAUSE_OF_CODE[failure.code] if finished.cause is Cause.FINISHED else finished.cause
    short: RunFinished = msgspec.structs.replace(
        finished, cause=cause, failure=failure, value=NIL, output="", output_truncated=True
    )
    return short


def ended_by_death(
    run: str, script: str, cause: Cause | None, failure: Failure | None, usage: Usage
) -> RunFinished:
    """What is said for a runner that did not say it itself."""
    crash = Failure(
        code=ErrorCode.RUNNER_CRASHED,
        message=f"the process that ran '{script}' ended in the middle of it",
        retry_after_s=0.1,
    )
    return RunFinished(
        run=run,
        script=script,
        cause=cause or Cause.CRASHED,
        failure=failure or crash,
        usage=usage,
    )


_replies: msgspec.msgpack.Decoder[dict[str, ScriptValue]] = msgspec.msgpack.Decoder()


def value_of(reply: msgspec.Raw) -> ScriptValue:
    """A child's reply in Lua: its one field, a table of several, nothing for none."""
    fields = _replies.decode(reply)
    del fields["type"]
    if not fields:
        return None
    return next(iter(fields.values())) if len(fields) == 1 else fields
