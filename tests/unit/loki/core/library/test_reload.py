"""What becomes of tools when their files were read again."""

import pytest

from loki.core.library.reload import MOST_NAMES, Difference, Reading, after, difference, summary
from loki.messages.event import ScriptChange, ScriptChanged
from loki.messages.script import Origin, Script


def script(name: str, revision: str = "r1", declared_in: str = "a.toml", text: str = "") -> Script:
    return Script(
        name=name,
        source="",
        chunk=name,
        revision=revision,
        declared_in=declared_in,
        description=text,
    )


def by_name(*scripts: Script) -> dict[str, Script]:
    return {each.name: each for each in scripts}


A, B, C = script("a"), script("b"), script("c", declared_in="c.lua")
NEW_A = script("a", "r2")


@pytest.mark.parametrize(
    ("reading", "expected"),
    [
        (Reading((A, B, C)), by_name(A, B, C)),
        (Reading((NEW_A, B, C)), by_name(NEW_A, B, C)),
        (Reading((A, C)), by_name(A, C)),
        (Reading((B, C), broken=frozenset("a")), by_name(A, B, C)),
        (Reading((B, C), broken=frozenset("z")), by_name(B, C)),  # It never was good.
        (Reading((C,), unread=frozenset({"a.toml"})), by_name(A, B, C)),
        (Reading((A, B), unread=frozenset({"c.lua"})), by_name(A, B, C)),
        (Reading((A, B)), by_name(A, B)),
        (Reading((NEW_A,), broken=frozenset("ab")), by_name(NEW_A, B)),  # A second entry is bad.
        (
            Reading((script("b", "r9", "b.lua"), C), unread=frozenset({"a.toml"})),
            by_name(A, script("b", "r9", "b.lua"), C),
        ),
        (Reading((script("A"), B, C), broken=frozenset("a")), by_name(script("A"), B, C)),
        (Reading(()), {}),
    ],
)
def test_s_2_4_1_what_is_good_is_taken_and_what_is_bad_stays(
    reading: Reading, expected: dict[str, Script]
) -> None:
    assert after(by_name(A, B, C), reading) == expected


def test_what_differs_is_told_also_where_only_the_words_do() -> None:
    described = script("b", text="words")
    found = difference(by_name(A, B, C), by_name(A, described, script("d")))
    assert found == Difference(changed=(described, script("d")), removed=("c",))
    assert found
    assert not difference(by_name(A), by_name(script("a")))


def test_a_line_for_the_log_names_some() -> None:
    facts = [
        ScriptChanged(name=f"t{n}", revision="r", change=change, origin=Origin.FILE)
        for n, change in enumerate([ScriptChange.ADDED] * MOST_NAMES + [ScriptChange.REMOVED])
    ]
    said = summary(facts)
    assert f"{MOST_NAMES} added, 0 changed, 1 removed (t0, t1," in said
    assert said.endswith("t9, ...)")
    assert summary(facts[:1]).endswith("(t0)")
