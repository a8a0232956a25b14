"""What is told of the last changes, for every revision that somebody may name."""

from hel_actor.value.ring import MOST, Change, News, Ring
from hypothesis import given
from hypothesis import strategies as st


def test_s_8_3_1_what_came_after_a_revision_is_told_in_order() -> None:
    ring = Ring(5)
    ring.add([("a", False), ("b", True)], 7)
    ring.add([("a/1", False)], 8)
    a, b, a1 = Change(6, "a", False), Change(7, "b", True), Change(8, "a/1", False)
    assert ring.since(5, "") == News(8, (a, b, a1))
    assert ring.since(6, "") == News(8, (b, a1))
    assert ring.since(5, "a") == News(8, (a, a1))
    assert ring.since(8, "") == News(8)


def test_what_is_too_long_ago_or_never_was_is_a_reset() -> None:
    ring = Ring(5)
    assert ring.since(5, "") == News(5)
    for revision in (0, 4, 6, 2**60):
        assert ring.since(revision, "") == News(5, is_reset=True)
    ring.add([(f"{n}", False) for n in range(MOST + 2)], 5 + MOST + 2)
    assert ring.since(6, "").is_reset
    assert len(ring.since(7, "").changes) == MOST
    assert ring.since(7, "").changes[0] == Change(8, "2", False)


def test_revisions_that_do_not_follow_forget_everything() -> None:
    ring = Ring(5)
    ring.add([("a", False)], 6)
    ring.add([], 3)  # An older file was restored.
    assert ring.since(5, "").is_reset
    assert ring.since(3, "") == News(3)
    ring.add([("b", False)], 9)
    assert ring.since(3, "").is_reset
    assert ring.since(8, "") == News(9, (Change(9, "b", False),))


@given(st.lists(st.lists(st.sampled_from("ab"), max_size=300), max_size=12), st.data())
def test_s_8_3_1_no_change_is_missed_however_it_is_asked_for(
    commits: list[list[str]], data: st.DataObject
) -> None:
    ring, everything, heard, since = Ring(0), [], [], 0
    for commit in commits:
        everything += commit
        ring.add([(key, False) for key in commit], len(everything))
        if data.draw(st.booleans()):
            news = ring.since(since, "")
            if news.is_reset:
                assert len(everything) - since > MOST
                heard = everything[: news.revision]
            heard += [each.key for each in news.changes]
            since = news.revision
            assert heard == everything
