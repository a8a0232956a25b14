"""Who waits for changes of which namespace, and when the promise is kept."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from hel_actor.value import watchers as module
from hel_actor.value.ring import Change, News
from hel_actor.value.watchers import Watcher, Watchers


def begun(watchers: Watchers, prefix: str = "", since: int | None = None) -> Watcher:
    watcher = Watcher("tool", prefix, since)
    watchers.begin(watcher)
    return watcher


def test_s_8_3_1_all_who_wait_for_a_key_are_woken_by_its_change() -> None:
    watchers = Watchers()
    watchers.tell({"tool": 3}, ())
    all_keys, doors, windows = (begun(watchers, each) for each in ("", "door/", "window/"))
    watchers.tell(
        {"tool": 4, "another": 1}, [("another", "window/1", False), ("tool", "door/1", False)]
    )
    news = News(4, (Change(4, "door/1", False),))
    assert all_keys.promise.result(0) == doors.promise.result(0) == news
    assert not windows.promise.done()
    watchers.end(windows)
    assert windows.promise.result(0) == News(4)


def test_s_8_3_1_what_happened_between_two_calls_is_told_at_once() -> None:
    watchers = Watchers()
    first = begun(watchers)
    watchers.tell({"tool": 1}, [("tool", "a", False)])
    since = first.promise.result(0).revision
    watchers.tell({"tool": 3}, [("tool", "b", False), ("tool", "a", True)])
    second = begun(watchers, since=since).promise.result(0)
    assert second == News(3, (Change(2, "b", False), Change(3, "a", True)))
    assert not begun(watchers, since=3).promise.done()


def test_before_a_restart_only_what_did_not_change_needs_no_reset() -> None:
    watchers = Watchers()
    watchers.tell({"tool": 7}, ())
    assert begun(watchers, since=6).promise.result(0) == News(7, is_reset=True)
    assert begun(watchers, since=8).promise.result(0) == News(7, is_reset=True)
    assert not begun(watchers, since=7).promise.done()


def test_an_older_file_resets_those_who_wait() -> None:
    watchers = Watchers()
    watchers.tell({"tool": 7}, ())
    waiting = begun(watchers)
    watchers.count_from(0, {"tool": 2})
    assert waiting.promise.result(0) == News(2, is_reset=True)


def test_revisions_of_another_epoch_are_a_reset() -> None:
    watchers = Watchers()
    watchers.count_from(1000, {})
    watchers.tell({"tool": 7}, ())
    waiting, quiet = begun(watchers), Watcher("quiet", "", None)
    watchers.begin(quiet)
    watchers.count_from(2000, {"tool": 4})
    assert waiting.promise.result(0) == News(2004, is_reset=True)
    assert quiet.promise.result(0) == News(2000, is_reset=True)
    watchers.tell({"tool": 7}, [("tool", each, False) for each in "abc"])
    assert begun(watchers, since=1007).promise.result(0) == News(2007, is_reset=True)
    assert begun(watchers, since=7).promise.result(0) == News(2007, is_reset=True)
    changes = begun(watchers, since=2004).promise.result(0).changes
    assert [each.revision for each in changes] == [2005, 2006, 2007]


def test_who_did_not_change_need_not_be_named() -> None:
    watchers = Watchers()
    watchers.count_from(0, {"tool": 7})
    watchers.tell({"another": 1}, ())
    assert not begun(watchers, since=7).promise.done()


def test_who_ended_before_it_began_is_told_when_it_begins() -> None:
    watchers = Watchers()
    watcher = Watcher("tool", "", None)
    watchers.end(watcher)
    assert not watcher.promise.done()
    watchers.begin(watcher)
    assert watcher.promise.result(0) == News(0)
    watchers.end(watcher)


def test_only_so_many_namespaces_are_remembered_and_none_that_somebody_waits_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MAX_RINGS", 2)
    watchers = Watchers()
    waiting = begun(watchers)
    for namespace in "abc":
        watcher = Watcher(namespace, "", None)
        watchers.begin(watcher)
        watchers.end(watcher)
    watchers.tell(dict.fromkeys(("tool", *"abc"), 1), [("tool", "k", False), ("c", "k", False)])
    assert waiting.promise.result(0).changes
    missed, known = Watcher("a", "", 0), Watcher("c", "", 0)
    watchers.begin(known)
    watchers.begin(missed)
    assert known.promise.result(0).changes
    assert missed.promise.result(0).is_reset


def test_many_watchers_and_a_busy_writer_miss_nothing() -> None:
    watchers, commits = Watchers(), 400

    def follow(_: int) -> list[int]:
        heard: list[int] = []
        since = 0
        while since < commits:
            watcher = Watcher("tool", "", since)
            watchers.begin(watcher)
            news = watcher.promise.result(20)
            heard += [each.revision for each in news.changes]
            since = news.revision
        return heard

    with ThreadPoolExecutor(8) as threads:
        watchers.begin(Watcher("tool", "", 0))
        following = [threads.submit(follow, n) for n in range(8)]
        for revision in range(1, commits + 1):
            watchers.tell({"tool": revision}, [("tool", "k", False)])
        assert all(each.result(20) == list(range(1, commits + 1)) for each in following)
