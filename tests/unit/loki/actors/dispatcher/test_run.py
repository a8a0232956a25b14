"""What is said of a run whose runner died, from the page that they shared."""

import dataclasses
from signal import SIGALRM, SIGKILL, SIGPROF, SIGSEGV, SIGXCPU

import pytest
from msgspec.structs import replace

from loki.actors.dispatcher.run import Run, death_of, has_begun, last_warning, obituary
from loki.actors.runner.flight_recorder import Record, RunPhase
from loki.core.run.execution import CAUSE_OF_CODE, Admission
from loki.core.runner.pool import Death
from loki.errors import ErrorCode
from loki.messages.envelope import Failure
from loki.messages.execution import Cause, SubmitRun
from loki.messages.script import Limits, Script

ID = "a" * 32


def run_of(killed_for: Failure | None = None, limits: Limits | None = None) -> Run:
    script = Script(name="x", source="", chunk="x")
    admission = Admission(script, {}, limits or Limits())
    submitted = SubmitRun(run=ID, principal="local")
    run = Run(submitted, admission, "gateway", None, budget_s=1.0, started_s=10.0)
    run.killed_for = killed_for
    return run


def page(phase: RunPhase = RunPhase.BEGUN, cause: Cause | None = None, run: str = ID) -> Record:
    return Record(phase, cause, run, 3.5, 0.0, 4096)


CANCELLED = Failure(code=ErrorCode.CANCELLED, message="")


@pytest.mark.parametrize(
    ("killed_for", "record", "died_at_s", "killed_by", "code"),
    [
        (None, page(), 10.5, 0, ErrorCode.RUNNER_CRASHED),
        (None, page(), 10.5, SIGSEGV, ErrorCode.RUNNER_CRASHED),
        (None, page(cause=Cause.TIME), 11.003, 0, ErrorCode.TIME_BUDGET),
        (None, page(), 11.02, SIGALRM, ErrorCode.TIME_BUDGET),
        (None, page(cause=Cause.CPU), 10.2, 0, ErrorCode.CPU_BUDGET),
        (None, page(cause=Cause.CPU), 11.2, 0, ErrorCode.CPU_BUDGET),
        (None, page(), 10.2, SIGPROF, ErrorCode.CPU_BUDGET),
        (None, page(), 11.2, SIGXCPU, ErrorCode.CPU_BUDGET),
        (CANCELLED, page(), 10.2, SIGKILL, ErrorCode.CANCELLED),
        (CANCELLED, page(), 11.2, SIGKILL, ErrorCode.CANCELLED),
        (CANCELLED, page(cause=Cause.TIME), 11.003, 0, ErrorCode.TIME_BUDGET),
    ],
)
def test_the_cause_of_death(
    killed_for: Failure | None, record: Record, died_at_s: float, killed_by: int, code: ErrorCode
) -> None:
    finished = obituary(run_of(killed_for), record, died_at_s, killed_by)
    assert finished.failure is not None
    assert finished.failure.code is code
    assert finished.cause is CAUSE_OF_CODE[code]
    assert finished.usage.cpu_ms == 3.5
    assert finished.usage.overshoot_ms == pytest.approx(max(0.0, died_at_s - 11.0) * 1000)
    assert finished.usage.peak_memory_bytes == 4096


CPU, TIME = "max_cpu_time_ms", "max_execution_time_ms"
LIMITED = Limits(max_cpu_time_ms=50, max_execution_time_ms=1000)


@pytest.mark.parametrize(
    ("limits", "record", "died_at_s", "killed_by", "cpu_ms", "told"),
    [
        (LIMITED, page(), 10.2, SIGPROF, 50, (CPU, 50, 50)),
        (LIMITED, page(), 11.02, SIGALRM, 3.5, (TIME, 1020, 1000)),
        (LIMITED, page(cause=Cause.CPU), 10.2, 0, 50, (CPU, 50, 50)),
        (LIMITED, page(), 10.2, SIGSEGV, 3.5, None),
        (Limits(), page(), 10.2, SIGPROF, 3.5, None),
    ],
)
def test_s_5_3_2_the_limit_that_ended_a_run_is_told_though_its_runner_could_not(
    limits: Limits,
    record: Record,
    died_at_s: float,
    killed_by: int,
    cpu_ms: float,
    told: tuple[str, float, float] | None,
) -> None:
    run = run_of(limits=limits)
    end = obituary(run, record, died_at_s, killed_by)
    assert end.usage.cpu_ms == cpu_ms
    assert end.usage.warnings == (told[:1] if told else ())
    warned = last_warning(run, end)
    found = None if warned is None else (warned.limit, round(warned.used), warned.allowed)
    assert found == told
    assert last_warning(run, end) is None


def test_s_5_3_2_a_limit_that_was_told_is_not_told_again() -> None:
    run = run_of(limits=LIMITED)
    assert run.is_news("max_memory_mb")
    assert run.is_news(CPU)
    end = obituary(run, page(), 10.2, SIGPROF)
    assert end.usage.warnings == ("max_memory_mb", CPU)
    assert last_warning(run, end) is None


@pytest.mark.parametrize(
    ("record", "begun"),
    [
        (page(RunPhase.ACCEPTED), False),
        (page(RunPhase.BEGUN), True),
        (page(RunPhase.ANSWERED), True),
        (page(RunPhase.ANSWERED, run="b" * 32), False),
    ],
)
def test_the_page_may_still_tell_of_the_run_before(record: Record, begun: bool) -> None:
    assert has_begun(record, run_of()) is begun


def test_what_the_watchdog_measured_counts() -> None:
    record = Record(RunPhase.BEGUN, Cause.CPU, ID, 204.0, 4.0, 4096)
    usage = obituary(run_of(), record, 10.5).usage
    assert (usage.cpu_ms, usage.overshoot_ms) == (204.0, 4.0)


@pytest.mark.parametrize(
    ("killed_for", "record", "died_at_s", "killed_by", "stopped"),
    [
        (None, page(), 10.5, SIGKILL, False),
        (None, page(), 10.5, SIGSEGV, False),
        (None, page(), 10.5, SIGXCPU, True),
        (None, page(), 11.0, SIGKILL, True),
        (None, page(cause=Cause.CPU), 10.5, 0, True),
        (CANCELLED, page(), 10.5, SIGKILL, True),
    ],
)
def test_only_an_unexplained_death_is_no_stop(
    killed_for: Failure | None, record: Record, died_at_s: float, killed_by: int, stopped: bool
) -> None:
    run = run_of(killed_for)
    end = obituary(run, record, died_at_s, killed_by)
    assert death_of(run, record, end).stopped is stopped


def test_a_death_tells_what_the_tool_declares_and_the_client_has_seen() -> None:
    run = run_of()
    script = replace(run.admission.script, idempotent=True)
    run.admission, run.deaths = Admission(script, {}, Limits()), 2
    seen = dataclasses.replace(page(), shown=True)
    end = obituary(run, seen, 10.5, SIGKILL)
    assert death_of(run, seen, end) == Death(deaths=2, idempotent=True, shown=True, stopped=False)
