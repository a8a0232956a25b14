"""Adding, revising, removing and paging of scripts."""

import msgspec
import pytest

from loki.core.library.catalogue import Catalogue
from loki.core.library.library import (
    LONGEST_PROBLEM,
    bounded,
    check_addition,
    check_removal,
    clashes,
    effective,
    find,
    gone,
    interface_parts,
    parts,
)
from loki.errors import ErrorCode, LokiError, ScriptNotFound
from loki.messages.event import ConfigRejected
from loki.messages.interface import Interface, PublishInterfaces
from loki.messages.library import PublishScripts
from loki.messages.script import Origin, Script, ValueType


def script(name: str, revision: str = "r1", origin: Origin = Origin.REGISTERED) -> Script:
    return Script(name=name, source="", chunk=name, revision=revision, origin=origin)


SCRIPTS = {
    "read_sensor": script("read_sensor"),
    "led": script("led", origin=Origin.FILE),
}
CATALOGUE = Catalogue(SCRIPTS.values())


def test_an_unknown_script_is_answered_with_the_nearest_name() -> None:
    with pytest.raises(ScriptNotFound, match="did you mean 'read_sensor'"):
        find(SCRIPTS, "read_sensr")


def test_another_revision_than_the_present_one_is_not_found() -> None:
    assert find(SCRIPTS, "led", "r1").name == "led"
    with pytest.raises(ScriptNotFound, match="has revision r1, not r0"):
        find(SCRIPTS, "led", "r0")


@pytest.mark.parametrize(
    ("new", "expected", "code"),
    [
        (script("read_sensor", "r2"), "", ErrorCode.SCRIPT_EXISTS),
        (script("read_sensor", "r2"), "r0", ErrorCode.REVISION_CONFLICT),
        (script("led", "r2"), "r1", ErrorCode.SCRIPT_EXISTS),
        (script("ReadSensor"), "", ErrorCode.SCRIPT_EXISTS),
        (script("fresh"), "r1", ErrorCode.SCRIPT_NOT_FOUND),
    ],
)
def test_s_3_1_5_additions_that_clash_are_refused(
    new: Script, expected: str, code: ErrorCode
) -> None:
    with pytest.raises(LokiError) as caught:
        check_addition(CATALOGUE, new, expected)
    assert caught.value.code is code


@pytest.mark.parametrize("expected", ["", "r0"])
def test_who_registers_what_a_file_has_is_told_where_to_change_it(expected: str) -> None:
    with pytest.raises(LokiError, match=r"comes from .*; change it there"):
        check_addition(CATALOGUE, script("led", "r2"), expected)


def test_s_3_1_6_the_expected_revision_may_be_replaced() -> None:
    check_addition(CATALOGUE, script("read_sensor", "r2"), "r1")
    check_addition(CATALOGUE, script("fresh"), "")


@pytest.mark.parametrize(
    ("name", "expected", "code"),
    [
        ("gone", "", ErrorCode.SCRIPT_NOT_FOUND),
        ("read_sensor", "r0", ErrorCode.REVISION_CONFLICT),
        ("led", "", ErrorCode.SCRIPT_EXISTS),
    ],
)
def test_s_3_1_6_removals_that_clash_are_refused(name: str, expected: str, code: ErrorCode) -> None:
    with pytest.raises(LokiError) as caught:
        check_removal(SCRIPTS, name, expected)
    assert caught.value.code is code


def sourced(name: str, size: int) -> Script:
    return Script(name=name, source="x" * size, chunk=name, revision=name)


def test_a_library_is_published_in_parts_that_fit() -> None:
    """All of a script counts: its source may be the least of it."""
    a, b, c = sourced("a", 5000), sourced("b", 4000), sourced("c", 20_000)
    described = msgspec.structs.replace(sourced("d", 1), description="d" * 9000)
    everything = [a, b, c, described]
    assert parts(everything, {"b": b"1" * 3000}, 10_000) == [(a,), (b,), (c,), (described,)]
    assert parts([a, b], {}, 10_000) == [(a, b)]
    assert parts([], {}, 10) == [()]


def test_s_11_1_2_news_remove_what_they_say_and_a_whole_library_what_it_does_not() -> None:
    old = {name: script(name) for name in ("a", "b", "c")}
    assert gone(old, PublishScripts(changed=(script("d"),), removed=("b", "x"))) == {"b"}
    whole = PublishScripts(changed=(script("a", "r2"),), complete=True, others=("c",))
    assert gone(old, whole) == {"b"}


@pytest.mark.parametrize("count", [0, 1, 3])
def test_few_rejections_are_told_as_they_are(count: int) -> None:
    rejected = [ConfigRejected(file="f", problem=str(n)) for n in range(count)]
    assert bounded(rejected, 3) == rejected


def test_of_many_rejections_the_rest_is_counted() -> None:
    rejected = [ConfigRejected(file="f", problem=str(n)) for n in range(10)]
    first, second, more = bounded(rejected, 3)
    assert [first, second] == rejected[:2]
    assert more == ConfigRejected(file="f", problem="and 8 problems more; see the log")


def test_a_long_problem_is_cut() -> None:
    (told,) = bounded([ConfigRejected(file="f", problem="x" * (LONGEST_PROBLEM + 1))], 3)
    assert told.problem == "x" * LONGEST_PROBLEM


def test_a_file_hides_what_is_registered_under_its_name_or_its_method_name() -> None:
    files = {"readSensor": script("readSensor", "f", Origin.FILE)}
    registered = {name: script(name) for name in ("read_sensor", "readSensor", "led")}
    assert effective(files, registered) == {**files, "led": registered["led"]}
    same, other = clashes(files, registered)
    assert "script 'readSensor' is hidden by that of" in same.problem
    assert "script 'read_sensor' is hidden by 'readSensor' of" in other.problem


def seen(name: str, description: str = "") -> Interface:
    return Interface(
        name=name,
        revision="r1",
        description=description,
        parameters=(),
        return_type=ValueType.VOID,
        numbers=(),
    )


def test_interfaces_are_published_in_parts_and_the_last_one_is_the_whole() -> None:
    all_three = tuple(seen(name, "d" * 600) for name in "abc")
    news = PublishInterfaces(changed=all_three, removed=("x",), complete=True, others=("w",))
    *first, last = interface_parts(news, 1000)
    assert [part.changed for part in (*first, last)] == [(each,) for each in all_three]
    assert not any(part.complete or part.removed for part in first)
    assert (last.complete, last.removed, last.others) == (True, ("x",), ("w", "a", "b"))
    assert interface_parts(PublishInterfaces(removed=("x",)), 1000) == [
        PublishInterfaces(removed=("x",))
    ]
