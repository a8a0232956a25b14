"""Places of errors in the sources of a run."""

from loki.lua.place import NOWHERE, Place, Sources, line_in


def test_the_line_that_a_message_begins_with() -> None:
    assert line_in("a[.lua:12: x", "a[.lua") == 12
    assert line_in("b.lua:12: x", "a.lua") == 0


def test_a_place_is_in_a_source_that_was_loaded() -> None:
    sources = Sources("s.lua", "one")
    sources.add("lib/m.lua", "two")
    assert sources.place_in("lib/m.lua:3: oh") == Place("lib/m.lua", 3, "two")
    assert sources.place_in("other.lua:3: oh") == NOWHERE
    trace = '[string "x"]:9: in main chunk\ns.lua:4: in main chunk'
    assert sources.place_of("oh", trace) == Place("s.lua", 4, "one")
    assert sources.place_of("lib/m.lua:3: oh", trace) == Place("lib/m.lua", 3, "two")
    assert sources.place_of("oh", "") == NOWHERE
