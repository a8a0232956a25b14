"""Adding, revising, removing and paging of scripts."""

import msgspec
import pytest

from loki.core.library import (
    LONGEST_PROBLEM,
    PAGE_BYTES,
    bounded,
    check_addition,
    check_removal,
    find,
    page_of,
    parts,
    published,
)
from loki.errors import ErrorCode, LokiError, ScriptNotFound
from loki.messages.event import ConfigRejected
from loki.messages.library import PublishScripts
from loki.messages.script import Origin, Script


def script(name: str, revision: str = "r1", origin: Origin = Origin.REGISTERED) -> Script:
    return Script(name=name, source="", chunk=name, revision=revision, origin=origin)


SCRIPTS = {
    "read_sensor": script("read_sensor"),
    "led": script("led", origin=Origin.FILE),
}


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
        check_addition(SCRIPTS, new, expected)
    assert caught.value.code is code


def test_s_3_1_6_the_expected_revision_may_be_replaced() -> None:
    check_addition(SCRIPTS, script("read_sensor", "r2"), "r1")
    check_addition(SCRIPTS, script("fresh"), "")


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


def test_s_3_1_4_pages_are_ordered_filtered_and_complete() -> None:
    scripts = {f"tool_{n:02}": script(f"tool_{n:02}") for n in range(25)} | SCRIPTS
    seen: list[str] = []
    after = ""
    while True:
        page, after = page_of(scripts, "tool_*", "lua", 10, after)
        seen += [s.name for s in page]
        if not after:
            break
    assert seen == [f"tool_{n:02}" for n in range(25)]
    assert page_of(scripts, "*", "python", 10, "") == ((), "")


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


def test_a_page_is_shorter_where_its_scripts_are_long() -> None:
    scripts = {f"s{n}": sourced(f"s{n}", PAGE_BYTES // 3) for n in range(5)}
    pages, after = [], ""
    while True:
        page, after = page_of(scripts, "*", "", 100, after)
        pages.append([s.name for s in page])
        if not after:
            break
    assert pages == [["s0", "s1"], ["s2", "s3"], ["s4"]]


def test_s_11_1_2_news_replace_add_and_remove() -> None:
    old = {name: script(name) for name in ("a", "b", "c")}
    fresh = script("a", "r2")
    news = PublishScripts(changed=(fresh, script("d")), removed=("b",))
    assert published(old, news) == {"a": fresh, "c": old["c"], "d": script("d")}
    whole = PublishScripts(changed=(fresh,), complete=True, others=("c",))
    assert published(old, whole) == {"a": fresh, "c": old["c"]}


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
