"""Registered scripts read, compared and listed."""

from collections.abc import Callable

import msgspec
import pytest

from loki.core.library.registry import (
    Registered,
    changes,
    no_keeper,
    opened,
    packed,
    revisions_of,
    stand_ins,
    unpacked,
)
from loki.errors import ErrorCode, ScriptNotFound
from loki.messages.event import ScriptChange
from loki.messages.registry import RevisionsRead, ScriptRevision, StoredScript
from loki.messages.script import Limits, Origin, Script


def script(name: str, revision: str = "r1", origin: Origin = Origin.REGISTERED) -> Script:
    return Script(name=name, source="return 1", chunk=name, revision=revision, origin=origin)


def with_key(content: bytes, key: str, value: object) -> bytes:
    return msgspec.msgpack.encode(msgspec.msgpack.decode(content) | {key: value})


def test_what_is_packed_is_the_same_when_it_is_unpacked() -> None:
    given = msgspec.structs.replace(script("a"), limits=Limits(max_memory_mb=3), permissions={})
    assert unpacked(packed(given)) == given


@pytest.mark.parametrize(
    "spoil",
    [
        lambda _content: b"",
        lambda _content: b"garbled",
        lambda content: content[:-3],
        lambda content: with_key(content, "origin", "an origin of later"),
        lambda content: with_key(content, "name", "another"),
        lambda content: with_key(content, "revision", "r9"),
        lambda content: content.replace(b"return 1", b"return \xff"),
        lambda _content: b"\x91" * 5000,
    ],
    ids=["empty", "garbled", "cut", "newer", "name", "revision", "utf-8", "deep"],
)
def test_a_bad_row_is_named_and_the_others_are_read(spoil: Callable[[bytes], bytes]) -> None:
    good, bad = packed(script("good")), packed(script("bad"))
    bad = StoredScript(name="bad", revision="r1", content=spoil(bad.content))
    now = opened((bad, good))
    assert now == Registered({"good": script("good")}, {"bad": "r1"})
    with pytest.raises(ScriptNotFound, match="'bad', revision r1, cannot be read") as caught:
        unpacked(bad)
    assert caught.value.details == {"script": "bad", "revision": "r1"}
    assert stand_ins(now)["bad"].revision == "r1"


def test_a_newer_loki_may_have_added_a_key() -> None:
    stored = packed(script("a"))
    more = StoredScript(name="a", revision="r1", content=with_key(stored.content, "color", 3))
    assert unpacked(more) == script("a")


def test_what_the_keeper_has_follows_each_change() -> None:
    now = Registered({"a": script("a")}, {"b": "r7"})
    assert [now.revision_of(name) for name in "abc"] == ["r1", "r7", ""]
    later = now.added(script("b", "r8"))
    assert (later.revision_of("b"), later.unreadable) == ("r8", {})
    assert later.without("a") == Registered({"b": script("b", "r8")})
    assert now.without("b") == Registered({"a": script("a")})
    assert now == Registered({"a": script("a")}, {"b": "r7"})


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ((), (), []),
        ((), ("b1", "a1"), [("a", ScriptChange.ADDED, "1"), ("b", ScriptChange.ADDED, "1")]),
        (("a1",), (), [("a", ScriptChange.REMOVED, "1")]),
        (("a1",), ("a1",), []),
        (("a1",), ("a2",), [("a", ScriptChange.CHANGED, "2")]),
    ],
)
def test_only_what_changed_is_told(
    old: tuple[str, ...], new: tuple[str, ...], told: list[object]
) -> None:
    before, after = ({n[0]: script(n[0], n[1]) for n in each} for each in (old, new))
    assert [(c.name, c.change, c.revision) for c in changes(before, after)] == told


def revision(name: str, *, current: bool) -> ScriptRevision:
    return ScriptRevision(revision=name, principal="ann", registered_ns=1, current=current)


def test_a_file_comes_first_and_what_it_hides_is_not_current() -> None:
    kept = RevisionsRead(revisions=(revision("r2", current=True),), next_page="7")
    for held in (None, script("a")):
        assert revisions_of(held, kept, first=True) == kept
    of_file = script("a", "f1", Origin.FILE)
    first = revisions_of(of_file, kept, first=True)
    assert [(r.revision, r.current) for r in first.revisions] == [("f1", True), ("r2", False)]
    later = revisions_of(of_file, kept, first=False)
    assert [(r.revision, r.current) for r in later.revisions] == [("r2", False)]
    assert first.next_page == later.next_page == "7"


def test_without_a_keeper_the_folder_is_the_remedy() -> None:
    error = no_keeper("/srv/scripts")
    assert error.code is ErrorCode.CHILD_DISABLED
    assert "/srv/scripts" in error.message
