"""The catalogue: one order, one method name each, and pages that fit."""

from fnmatch import fnmatchcase

from hypothesis import given
from hypothesis import strategies as st

from loki.core.library.catalogue import PAGE_BYTES, Catalogue
from loki.messages.script import Origin, Script
from loki.v1_name import camel_case


def script(name: str, revision: str = "r1", source: str = "") -> Script:
    return Script(name=name, source=source, chunk=name, revision=revision, origin=Origin.REGISTERED)


def pages(catalogue: Catalogue, pattern: str, language: str, size: int) -> list[list[str]]:
    found: list[list[str]] = []
    after = ""
    while True:
        page, after = catalogue.page(pattern, language, size, after)
        found.append([each.name for each in page])
        if not after:
            return found


def test_s_3_1_4_pages_are_ordered_filtered_and_complete() -> None:
    names = [f"tool_{n:02}" for n in range(25)]
    catalogue = Catalogue(map(script, [*names[::-1], "led", "read_sensor"]))
    assert pages(catalogue, "tool_*", "lua", 10) == [names[:10], names[10:20], names[20:]]
    assert catalogue.page("*", "python", 10, "") == ((), "")


def test_a_page_that_is_full_at_the_last_match_is_the_last() -> None:
    catalogue = Catalogue(map(script, ["a1", "a2", "b"]))
    assert pages(catalogue, "a*", "", 2) == [["a1", "a2"]]


def test_a_page_is_shorter_where_its_scripts_are_long() -> None:
    long = "x" * (PAGE_BYTES // 3)
    catalogue = Catalogue(script(f"s{n}", source=long) for n in range(5))
    assert pages(catalogue, "*", "", 100) == [["s0", "s1"], ["s2", "s3"], ["s4"]]


def test_a_script_that_is_longer_than_a_page_is_one() -> None:
    catalogue = Catalogue([script("a", source="x" * (PAGE_BYTES + 1)), script("b")])
    assert pages(catalogue, "*", "", 100) == [["a"], ["b"]]


def test_they_are_counted_for_who_may_see_them() -> None:
    catalogue = Catalogue(map(script, ["average", "led", "read_sensor"]))
    assert catalogue.count() == 3
    assert catalogue.count(("led", "a*")) == 2
    assert catalogue.count(("none",)) == 0


def test_methods_are_found_by_their_names_whatever_the_spelling() -> None:
    catalogue = Catalogue([script("read_sensor")])
    assert catalogue.named_like("ReadSensor") == "read_sensor"
    catalogue.drop("read_sensor")
    assert catalogue.named_like("ReadSensor") == ""


NAMES = ["a", "b_c", "b_d", "e"]
changes = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(["put", "drop"])), max_size=30)


@given(changes)
def test_it_is_what_a_new_one_of_the_same_scripts_would_be(steps: list[tuple[str, str]]) -> None:
    catalogue, model = Catalogue(), dict[str, Script]()
    for number, (name, step) in enumerate(steps):
        if step == "put":
            model[name] = script(name, f"r{number}")
            catalogue.put(model[name])
        else:
            model.pop(name, None)
            catalogue.drop(name)
    assert catalogue.scripts == model
    assert pages(catalogue, "b*", "", 1) == (
        [[n] for n in sorted(model) if fnmatchcase(n, "b*")] or [[]]
    )
    for name in NAMES:
        assert catalogue.named_like(camel_case(name)) == (name if name in model else "")


def test_a_list_is_of_those_that_the_caller_may_see_and_tells_of_no_other() -> None:
    catalogue = Catalogue(map(script, ["average", "pump", "sensor_a", "sensor_b", "x"]))
    among = ("sensor_*", "average")
    first, after = catalogue.page("*", "", 2, "", among)
    assert ([each.name for each in first], after) == (["average", "sensor_a"], "sensor_a")
    last, after = catalogue.page("*", "", 2, after, among)
    assert ([each.name for each in last], after) == (["sensor_b"], "")
    assert catalogue.page("p*", "", 2, "", among) == ((), "")
