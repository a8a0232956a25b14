"""Waiting for stored values to change, as scripts call for it."""

from collections.abc import Sequence
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
from loki.messages.restore import CheckRestore, ConfirmRestore
from loki.messages.value import pack
from tests.unit.children.hel_actor.calling import Start, run
from tests.unit.children.hel_actor.restoring import ask, backup_of, send


def asked(bench: Any, prefix: str = "", **options: int) -> "Future[StoredWatched]":
    """A call that is under way, in Hel and in the database's thread."""
    request = WatchStored(prefix=prefix, options=WatchOptions(**options))
    answer: Future[StoredWatched] = bench.hel.calls()[WatchStored](request, run())
    bench.shell.workers["database"].submit(lambda: None).result(20)
    return answer


def store(bench: Any, key: str) -> None:
    bench.call(SetStored(key=key, value=pack(1)), run())


def now(bench: Any) -> int:
    """The revision, as a script asks for it."""
    answer = asked(bench, timeout_ms=0)
    bench.shell.timers.pop().action()
    return answer.result(0).revision


def restore(bench: Any, archive: bytes) -> None:
    send(bench, archive)
    ask(bench, CheckRestore(id="r1"))
    ask(bench, ConfirmRestore(id="r1"))
    bench.close()


def require_all_reset(bench: Any, known: Sequence[int]) -> None:
    """Whoever remembers one of these revisions is told to read anew, however many changes came."""
    for number in range(4):
        for since in known:
            told = asked(bench, since=since).result(0)
            assert (told.reset, told.changes) == (True, ())
        store(bench, f"again {number}")
    since = now(bench)
    assert max(known) < 2**53 > since
    waiting = asked(bench, since=since)
    store(bench, "next")
    assert [each.key for each in waiting.result(0).changes] == ["next"]


def test_s_8_3_1_who_remembers_what_a_restore_undid_reads_anew(start: Start) -> None:
    bench = start()
    store(bench, "a")
    archive, known = backup_of(bench), [now(bench)]
    for _ in range(2):  # The second one is of the same backup, and of another future.
        for number in range(3):
            store(bench, f"lost {number}")
            known.append(now(bench))
        restore(bench, archive)
        bench = start()
        require_all_reset(bench, known)


def test_s_8_3_1_who_remembers_a_lost_database_reads_anew(start: Start) -> None:
    bench = start()
    known = [now(bench)]
    store(bench, "a")
    known.append(now(bench))
    bench.close()
    for path in bench.state_dir.glob("hel.sqlite*"):
        path.unlink()
    require_all_reset(start(), known)


def test_s_8_3_1_who_waits_while_the_database_is_removed_reads_anew(start: Start) -> None:
    bench = start()
    store(bench, "a")
    waiting, since = asked(bench), now(bench)
    for path in bench.state_dir.glob("hel.sqlite*"):
        path.unlink()
    with pytest.raises(IoError, match="removed or replaced"):
        store(bench, "b")
    store(bench, "b")
    assert waiting.result(0).reset
    require_all_reset(bench, [since])


def test_s_8_3_1_who_waits_is_told_before_the_writer_is_answered(start: Start) -> None:
    bench = start()
    waiting = asked(bench, "door/")
    store(bench, "window/1")
    assert not waiting.done()
    store(bench, "door/1")
    told = waiting.result(0)
    changed = StoredChanged(key="door/1", removed=False, revision=told.revision)
    assert told == StoredWatched(revision=told.revision, changes=(changed,), reset=False)


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
    revision = now(bench)
    bench.close()
    bench = start()
    waiting = asked(bench, since=revision)
    assert not waiting.done()
    before = asked(bench, since=revision - 1).result(0)
    assert before == StoredWatched(revision=revision, changes=(), reset=True)
    store(bench, "b")
    assert waiting.result(0).changes[0].key == "b"


def test_a_call_waits_no_longer_than_its_timeout(start: Start) -> None:
    bench = start()
    waiting = asked(bench, timeout_ms=1500)
    timer = bench.shell.timers.pop()
    assert timer.delay_s == 1.5
    timer.action()
    assert waiting.result(0) == StoredWatched(revision=now(bench), changes=(), reset=False)


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
