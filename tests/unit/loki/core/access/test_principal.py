"""What a principal may do with which scripts: tables."""

import pytest

from loki.core.access.principal import (
    LOCAL,
    OutOfReach,
    Principal,
    may_follow,
    may_hear,
    may_run,
    may_see,
    require_name,
    require_overview,
    require_seen,
    unseen,
    without_guess,
)
from loki.core.library.catalogue import Catalogue
from loki.core.library.library import check_addition
from loki.errors import ErrorCode, LokiError, PermissionRefused
from loki.messages.access import NO_QUOTA, ClientRole
from loki.messages.envelope import Failure
from loki.messages.event import (
    BudgetWarned,
    ChildChanged,
    ConfigRejected,
    Fact,
    ScriptChange,
    ScriptChanged,
)
from loki.messages.history import Execution, ExecutionState
from loki.messages.lifecycle import ChildState
from loki.messages.script import Origin, Script

VIEW, EXECUTE, REGISTER = ClientRole.VIEW, ClientRole.EXECUTE, ClientRole.REGISTER
READER = Principal("reader", frozenset({VIEW}), ("sensor_*", "average"))
RUNNER = Principal("runner", frozenset({VIEW, EXECUTE}), ("sensor_?",))
BLIND = Principal("blind", frozenset({EXECUTE}))
NOBODY = Principal("nobody", frozenset(ClientRole), ())


@pytest.mark.parametrize(
    ("principal", "script", "sees", "runs"),
    [
        (LOCAL, "anything", True, True),
        (READER, "sensor_a", True, False),
        (READER, "average", True, False),
        (READER, "averages", False, False),
        (READER, "Sensor_a", False, False),
        (READER, "my_sensor_a", False, False),
        (RUNNER, "sensor_1", True, True),
        (RUNNER, "sensor_12", False, False),
        (BLIND, "sensor_1", False, True),
        (NOBODY, "sensor_1", False, False),
        (NOBODY, "", False, False),
    ],
)
def test_roles_hold_for_scripts_of_matching_names(
    principal: Principal, script: str, sees: bool, runs: bool
) -> None:
    assert (may_see(principal, script), may_run(principal, script)) == (sees, runs)


@pytest.mark.parametrize(
    ("scripts", "script", "revision", "follows"),
    [
        (("a*",), "average", "1", True),
        (("b*",), "average", "1", False),
        (("a*",), "adhoc", "1", True),
        (("a*",), "adhoc", "", False),
        (("adhoc",), "adhoc", "", False),
        (("*",), "adhoc", "", True),
    ],
)
def test_globs_do_not_reach_the_executions_of_source_that_came_along(
    scripts: tuple[str, ...], script: str, revision: str, follows: bool
) -> None:
    execution = Execution(
        id="x",
        script=script,
        revision=revision,
        principal="root",
        state=ExecutionState.FINISHED,
        submitted_ns=1,
    )
    assert may_follow(Principal("p", frozenset({VIEW}), scripts), execution) is follows
    assert not may_follow(Principal("p", frozenset({EXECUTE}), scripts), execution)


def test_what_may_not_be_seen_is_not_there() -> None:
    require_seen(READER, "average")
    with pytest.raises(OutOfReach, match="there is no script 'other'") as raised:
        require_seen(READER, "other")
    assert (raised.value.principal, raised.value.script) == ("reader", "other")
    assert Failure.of(raised.value) == Failure.of(unseen("other"))


def test_a_missing_role_is_named() -> None:
    with pytest.raises(PermissionRefused, match="'reader' needs the role 'register'") as raised:
        READER.require(REGISTER)
    assert raised.value.code is ErrorCode.ROLE
    assert raised.value.details == {"principal": "reader", "role": "register"}


def test_a_name_to_register_must_match_whether_it_is_taken_or_not() -> None:
    require_name(READER, "sensor_new")
    with pytest.raises(PermissionRefused, match=r"'sensor_\*', 'average' only, and not 'pump'"):
        require_name(READER, "pump")


def test_local_has_every_role_but_fault_and_no_quota() -> None:
    assert LOCAL.roles == set(ClientRole) - {ClientRole.FAULT}
    assert LOCAL.quota == NO_QUOTA


@pytest.mark.parametrize(
    ("principal", "message"),
    [
        (READER, "there is no script 'pumq'"),
        (LOCAL, "there is no script 'pumq'; did you mean 'pump'?"),
    ],
)
def test_no_guess_names_what_may_not_be_seen(principal: Principal, message: str) -> None:
    guess = Failure(
        code=ErrorCode.SCRIPT_NOT_FOUND,
        message="there is no script 'pumq'; did you mean 'pump'?",
        details={"script": "pumq"},
    )
    assert without_guess(principal, guess).message == message
    other = Failure(
        code=ErrorCode.SCRIPT_NOT_FOUND, message="x", details={"script": "a", "revision": "2"}
    )
    assert without_guess(principal, other) is other


@pytest.mark.parametrize(
    ("globs", "names"),
    [(("pump_*",), False), (("pump_*", "Pump*"), True), (("*",), True)],
)
def test_a_method_name_that_is_taken_does_not_tell_by_what(
    globs: tuple[str, ...], names: bool
) -> None:
    caller = Principal("reg", frozenset({VIEW, REGISTER}), globs)
    catalogue = Catalogue()
    catalogue.put(Script(name="PumpX", source="", chunk="", revision="1", origin=Origin.REGISTERED))
    new = Script(name="pump_x", source="", chunk="", revision="2", origin=Origin.REGISTERED)
    with pytest.raises(LokiError) as raised:
        check_addition(catalogue, new, "")
    told = without_guess(caller, Failure.of(raised.value))
    assert told.code is ErrorCode.SCRIPT_EXISTS
    assert told.details["script"] == "pump_x"
    assert ("PumpX" in f"{told.message} {told.details}") is names


def test_a_script_that_exists_is_told_of_as_it_is() -> None:
    exists = Failure(code=ErrorCode.SCRIPT_EXISTS, message="x", details={"script": "sensor_a"})
    assert without_guess(READER, exists) is exists


def test_what_all_scripts_keep_is_listed_for_who_sees_all_or_may_read_it() -> None:
    require_overview(LOCAL)
    require_overview(Principal("all", frozenset({VIEW})))
    require_overview(Principal("some", frozenset({VIEW, ClientRole.DATA}), ("sensor_*",)))
    with pytest.raises(PermissionRefused, match="'data'"):
        require_overview(READER)


def changed(name: str) -> ScriptChanged:
    return ScriptChanged(name=name, revision="1", change=ScriptChange.ADDED, origin=Origin.FILE)


def warned(name: str) -> BudgetWarned:
    return BudgetWarned(run="r", script=name, limit="max_memory_mb", used=8, allowed=10)


REJECTED = ConfigRejected(file="tools.toml", problem="tools[2] 'secret_pump': x")


@pytest.mark.parametrize(
    ("fact", "hears"),
    [
        (changed("sensor_a"), True),
        (changed("pump"), False),
        (warned("average"), True),
        (warned("pump"), False),
        (REJECTED, False),
        (ChildChanged(child="hel", state=ChildState.UP), True),
    ],
)
def test_events_tell_of_scripts_that_may_be_seen(fact: Fact, hears: bool) -> None:
    assert may_hear(READER, fact) is hears
    assert may_hear(LOCAL, fact)
