"""Waiting for stored values to change, as scripts call for it."""

from concurrent.futures import Future
from typing import Any

import pytest
from hel_actor.messages import (
    ChangeStored,
    RemoveStored,
    SetStored,
    StoredChange,
    WatchStored,
)
from hel_actor.watch_messages import StoredChanged, StoredWatched, WatchOptions

from loki.errors import InvalidArgument, IoError, PermissionRefused
from loki.messages.envelope import Message
from loki.messages.value import pack
from tests.unit.children.hel_actor.calling import Start, run


def asked(bench: Any, prefix: str = "", **options: int) -> "Future[StoredWatched]":
    """A call that is under way, in Hel and in the database's thread."""
    request = WatchStored(prefix=prefix, options=WatchOptions(**options))
    answer: Future[StoredWatched] = bench.hel.calls()[WatchStored](request, run())
    bench.shell.workers["database"].submit(lambda: None).result(20)
    return answer


def store(bench: Any, key: str) -> None:
    bench.call(SetStored(key=key, value=pack(1)), run())


def test_s_8_3_1_who_waits_is_told_before_the_writer_is_answered(start: Start) -> None:
    bench = start()
    waiting = asked(bench, "door/")
    store(bench, "window/1")
    assert not waiting.done()
    store(bench, "door/1")
    changed = StoredChanged(key="door/1", removed=False, revision=2)
    assert waiting.result(0) == StoredWatched(revision=2, changes=(changed,), reset=False)


def test_s_8_3_1_nothing_is_missed_between_two_calls(start: Start) -> None:
    bench = start()
    since = asked(bench, timeout_ms=0)
    bench.shell.timers.pop().action()
    revision = since.result(0).revision
    store(bench, "a")
    bench.call(RemoveStored(key="a"), run())
    bench.call(RemoveStored(key="a"), run())
    changes = (StoredChange(op="set", key="b", value=pack(1)), StoredChange(op="cas", key="b"))
    assert not bench.call(ChangeStored(changes=changes), run()).done
    told = asked(bench, since=revision).result(0)
    assert [(each.key, each.removed) for each in told.changes] == [("a", False), ("a", True)]
    assert told.revision == revision + 2


def test_s_8_3_1_a_revision_outlives_a_restart_if_nothing_happened(start: Start) -> None:
    bench = start()
    store(bench, "a")
    bench.close()
    bench = start()
    waiting = asked(bench, since=1)
    assert not waiting.done()
    assert asked(bench, since=0).result(0) == StoredWatched(revision=1, changes=(), reset=True)
    store(bench, "b")
    assert waiting.result(0).changes[0].key == "b"


def test_a_call_waits_no_longer_than_its_timeout(start: Start) -> None:
    bench = start()
    waiting = asked(bench, timeout_ms=1500)
    timer = bench.shell.timers.pop()
    assert timer.delay_s == 1.5
    timer.action()
    assert waiting.result(0) == StoredWatched(revision=0, changes=(), reset=False)


def test_a_call_ends_with_its_run_and_leaves_no_timer(start: Start) -> None:
    bench = start()
    waiting = [asked(bench), asked(bench, timeout_ms=60_000)]
    timer = bench.shell.timers.pop()
    bench.hel.release(run())
    assert all(each.result(0).changes == () for each in waiting)
    assert timer.action() is None
    store(bench, "a")


def test_timers_of_calls_that_were_answered_do_not_pile_up(start: Start) -> None:
    bench = start()
    for number in range(5):
        answered = asked(bench, timeout_ms=60_000)
        store(bench, f"{number}")
        assert answered.done()
    asked(bench)
    assert [timer.cancelled for timer in bench.shell.timers if timer.delay_s == 60] == [True] * 5


def test_waiting_needs_the_permission_and_sensible_options(start: Start) -> None:
    bench = start()
    with pytest.raises(PermissionRefused):
        bench.call(WatchStored(), run(files=("rw",)))
    for wrong in (-1, 10**10):
        with pytest.raises(InvalidArgument, match="timeout_ms"):
            bench.call(WatchStored(options=WatchOptions(timeout_ms=wrong)), run())


def test_without_a_database_nobody_waits(start: Start, tmp_path: Any) -> None:
    (tmp_path / "state" / "hel.sqlite").mkdir(parents=True)
    request: Message = WatchStored()
    with pytest.raises(IoError):
        start().call(request, run())
