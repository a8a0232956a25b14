"""How runs are admitted, and how their ends are told."""

import pytest
from msgspec.structs import replace

from loki.core.run.execution import (
    CAUSE_OF_CODE,
    Admission,
    admit,
    budget_s,
    calls_failure,
    cpu_failure,
    ended_by_death,
    mentioned,
    new_id,
    time_failure,
    without_result,
)
from loki.errors import ErrorCode, InvalidArgument, LokiError
from loki.messages.execution import Cause, RunFinished, SubmitRun, Usage
from loki.messages.lua_module import LuaModule
from loki.messages.script import Limits, Origin, Parameter, Script, ValueType
from loki.messages.value import NIL, pack, unpack

DOUBLE = Script(
    name="double",
    source="return params.n * 2",
    chunk="double",
    parameters=(
        Parameter(name="n", type=ValueType.INTEGER),
        Parameter(name="by", type=ValueType.NUMBER, required=False, default=pack(2.0)),
    ),
    limits=Limits(max_execution_time_ms=60_000, max_memory_mb=64),
)
CEILING = Limits(max_execution_time_ms=10_000, max_memory_mb=256)


def submit(**given: int) -> SubmitRun:
    arguments = {name: pack(value) for name, value in given.items()}
    return SubmitRun(run="r1", script="double", arguments=arguments, principal="local")


def test_s_2_1_2_arguments_are_checked_and_completed() -> None:
    admission = admit(
        submit(n=3), DOUBLE, default_limits=Limits(), ceiling=CEILING, adhoc_permissions={}
    )
    assert {name: unpack(v) for name, v in admission.arguments.items()} == {"n": 3, "by": 2.0}


def test_a_missing_argument_is_refused() -> None:
    with pytest.raises(InvalidArgument):
        admit(submit(), DOUBLE, default_limits=Limits(), ceiling=CEILING, adhoc_permissions={})


def test_ids_of_later_executions_come_later_and_are_of_one_length() -> None:
    ids = [new_id(ns, "00ff") for ns in (0, 10**6, 1_795_827_010_000_000_000, 2**62)]
    assert ids == sorted(set(ids))
    assert {len(each) for each in ids} == {16}


def test_limits_stay_under_the_ceiling() -> None:
    admission = admit(
        submit(n=3), DOUBLE, default_limits=Limits(), ceiling=CEILING, adhoc_permissions={}
    )
    assert admission.limits.max_execution_time_ms == 10_000
    assert admission.limits.max_memory_mb == 64


def test_an_adhoc_script_gets_the_settings_permissions_and_limits_not_its_senders() -> None:
    sent = Script(
        name="adhoc",
        source="",
        chunk="adhoc",
        origin=Origin.ADHOC,
        permissions={"files": ("rw",)},
        limits=Limits(max_memory_mb=200),
    )
    admission = admit(
        SubmitRun(run="r1", adhoc=sent, arguments={"any": pack(1)}, principal="local"),
        sent,
        default_limits=Limits(max_memory_mb=7),
        ceiling=CEILING,
        adhoc_permissions={"gpio": ("4",)},
    )
    assert admission.script.permissions == {"gpio": ("4",)}
    assert admission.limits.max_memory_mb == 7
    assert set(admission.arguments) == {"any"}


@pytest.mark.parametrize(
    ("client_s", "expected"),
    [(None, (5.0, False)), (9.0, (5.0, False)), (0.25, (0.25, True)), (5.0, (5.0, False))],
)
def test_the_shorter_deadline_binds(client_s: float | None, expected: tuple[float, bool]) -> None:
    assert budget_s(Limits(max_execution_time_ms=5000), client_s) == expected


@pytest.mark.parametrize(
    ("used_s", "client_s", "expected"),
    [
        (2.0, None, (3.0, False)),
        (2.0, 4.0, (3.0, False)),
        (2.0, 1.0, (1.0, True)),
        (6.0, None, (0.0, False)),
    ],
)
def test_a_second_attempt_has_what_is_left(
    used_s: float, client_s: float | None, expected: tuple[float, bool]
) -> None:
    assert budget_s(Limits(max_execution_time_ms=5000), client_s, used_s) == expected


def test_an_end_whose_result_cannot_be_sent_keeps_its_cause_and_usage() -> None:
    error = LokiError("too long")
    usage = Usage(wall_ms=1.5)
    good = RunFinished(
        run="a", script="x", cause=Cause.FINISHED, value=pack(7), output="hi", usage=usage
    )
    told = without_result(good, error)
    assert told.failure is not None
    assert (told.cause, told.failure.code) == (Cause.SCRIPT_ERROR, ErrorCode.SCRIPT_ERROR)
    assert (told.value, told.output, told.output_truncated) == (NIL, "", True)
    assert told.usage == usage
    late = time_failure(DOUBLE, 0.1, False)
    bad = replace(good, cause=Cause.TIME, failure=late)
    assert without_result(bad, error) == replace(bad, value=NIL, output="", output_truncated=True)


def test_the_failure_says_whose_deadline_it_was() -> None:
    assert time_failure(DOUBLE, 0.1, False).code is ErrorCode.TIME_BUDGET
    assert "max_execution_time_ms" in time_failure(DOUBLE, 0.1, False).message
    assert time_failure(DOUBLE, 0.1, True).code is ErrorCode.CLIENT_DEADLINE


def test_s_5_3_1_the_failure_names_the_limit() -> None:
    cpu = cpu_failure(DOUBLE, 200)
    assert cpu.code is ErrorCode.CPU_BUDGET
    assert "200 ms" in cpu.message
    assert "max_cpu_time_ms" in cpu.message
    assert "its process" in cpu_failure(DOUBLE, 0).message
    calls = calls_failure(DOUBLE, 16)
    assert calls.code is ErrorCode.QUOTA
    assert calls.details == {"limit": "max_calls_in_flight", "allowed": "16"}
    assert "max_calls_in_flight" in calls.message


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("return fenrir:gpio_read(4)", ["fenrir"]),
        ("local f = fenrir ; hel . fs_read('a')", ["hel"]),
        ("return 'nothing'", []),
        ("fenrirs:x()", []),
    ],
)
def test_s_9_2_1_mentions_are_found_in_the_text(source: str, names: list[str]) -> None:
    modules = tuple(LuaModule(name=n, child=n, doc="", functions=()) for n in ("fenrir", "hel"))
    assert [m.name for m in mentioned(source, modules)] == names


def test_a_death_without_a_word_is_a_crash_that_may_be_tried_again() -> None:
    finished = ended_by_death("r1", "x", None, None, Usage())
    assert finished.cause is Cause.CRASHED
    assert finished.failure is not None
    assert finished.failure.code is ErrorCode.RUNNER_CRASHED
    assert finished.failure.retry_after_s is not None


def test_every_budget_code_has_its_cause() -> None:
    for code in ErrorCode:
        if code.value.endswith("_BUDGET"):
            assert code in CAUSE_OF_CODE


def test_an_adhoc_script_with_a_header_is_held_to_it_under_the_ceiling() -> None:
    sent = replace(DOUBLE, name="adhoc", origin=Origin.ADHOC, permissions={"files": ("rw",)})

    def admitted(**given: int) -> Admission:
        submitted = replace(submit(**given), adhoc=sent, declared=True)
        return admit(
            submitted, sent, default_limits=Limits(), ceiling=CEILING, adhoc_permissions={}
        )

    admission = admitted(n=3)
    assert admission.limits == Limits(max_execution_time_ms=10_000, max_memory_mb=64)
    assert admission.script.permissions == {}
    assert {name: unpack(value) for name, value in admission.arguments.items()} == {
        "n": 3,
        "by": 2.0,
    }
    with pytest.raises(InvalidArgument, match="requires this argument"):
        admitted()
