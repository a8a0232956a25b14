"""Hel's role: every function, its permission, and what heartbeats and stops need."""

import subprocess
import sys
from concurrent.futures import Future
from threading import Event
from typing import Any

import pytest
from hel_actor.messages import (
    CreateDirectory,
    DeleteEntry,
    GetCached,
    GetStored,
    InvalidateAllCached,
    InvalidateCached,
    ListDirectory,
    ListStored,
    ReadFile,
    RemoveStored,
    SetCached,
    SetStored,
    WriteFile,
)
from hel_actor.namespace import ADHOC

from loki.child import Run
from loki.errors import (
    ErrorCode,
    InvalidArgument,
    IoError,
    PermissionRefused,
    ResourceLimitExceeded,
)
from loki.messages.envelope import Done, Message
from loki.messages.value import NIL, pack, unpack
from tests.unit.children.hel_actor.calling import Start, run, text


@pytest.mark.parametrize("kind", [SetStored, SetCached])
def test_max_value_kb_counts_packed_bytes(start: Start, kind: type[Message]) -> None:
    bench = start(max_value_kb=1)
    fits = pack(b"x" * 1021)
    assert len(bytes(fits)) == 1024
    assert bench.call(kind(key="k", value=fits), run()) == Done()
    with pytest.raises(ResourceLimitExceeded, match="max_value_kb"):
        bench.call(kind(key="k", value=pack(b"x" * 1022)), run())


@pytest.mark.parametrize("kind", [GetStored, RemoveStored, GetCached, InvalidateCached])
def test_keys_are_checked_everywhere(start: Start, kind: type[Message]) -> None:
    bench = start()
    for key in ("", "k" * 1025):
        with pytest.raises(InvalidArgument, match="key"):
            bench.call(kind(key=key), run())


# Namespaces.


def everything_of(bench: Any, who: Run) -> tuple[Any, ...]:
    return (
        bench.call(ListDirectory(path="."), who).names,
        bench.call(ListStored(), who).keys,
        bench.call(GetCached(key="k"), who).value,
    )


def leave_traces(bench: Any, who: Run) -> None:
    bench.call(WriteFile(path="f", content=text("x")), who)
    bench.call(SetStored(key="k", value=pack(1)), who)
    bench.call(SetCached(key="k", value=pack(1)), who)


def test_s_8_3_1_scripts_have_data_of_their_own(start: Start) -> None:
    bench = start()
    leave_traces(bench, run("one"))
    assert everything_of(bench, run("two")) == ((), (), NIL)
    assert everything_of(bench, run("one")) == (("f",), ("k",), pack(1))


def test_ad_hoc_scripts_share_one_namespace_that_no_tool_has(start: Start) -> None:
    bench = start()
    leave_traces(bench, run("adhoc", declared_in=""))
    assert everything_of(bench, run("other", declared_in="")) == (("f",), ("k",), pack(1))
    for tool in ("adhoc", "other"):
        assert everything_of(bench, run(tool)) == ((), (), NIL)
    assert (bench.state_dir / "files" / ADHOC / "f").is_file()


# Permissions.

READS = (ReadFile(path="f"), ListDirectory(path="."))
WRITES = (
    WriteFile(path="f", content=text("x")),
    DeleteEntry(path="f"),
    CreateDirectory(path="d"),
)
STORES = (
    GetStored(key="k"),
    SetStored(key="k", value=pack(1)),
    RemoveStored(key="k"),
    ListStored(),
    GetCached(key="k"),
    SetCached(key="k", value=pack(1)),
    InvalidateCached(key="k"),
    InvalidateAllCached(),
)


def refused(bench: Any, request: Message, who: Run) -> PermissionRefused:
    with pytest.raises(PermissionRefused) as error:
        bench.call(request, who)
    assert error.value.code is ErrorCode.SCRIPT_PERMISSION
    return error.value


def test_each_call_needs_its_permission_and_the_refusal_says_which(start: Start) -> None:
    bench = start()
    for requests, toml in (
        (READS, 'files = "r"'),
        (WRITES, 'files = "rw"'),
        (STORES, "storage = true"),
    ):
        for request in requests:
            error = refused(bench, request, run(other=("*",)))
            assert error.details["allow_with"] == toml
            assert "tools.toml" in error.message


def test_reading_is_not_writing_and_files_are_not_storage(start: Start) -> None:
    bench = start()
    reader = run(files=("r",))
    assert bench.call(ListDirectory(path="."), reader).names == ()
    for request in WRITES:
        assert refused(bench, request, reader).details["allow_with"] == 'files = "rw"'
    for request in STORES:
        refused(bench, request, run(files=("rw",)))
    for request in READS + WRITES:
        refused(bench, request, run(storage=("*",)))


# Life.


def test_a_slow_disk_holds_up_neither_the_cache_nor_the_other_store(start: Start) -> None:
    bench = start()
    go, busy = Event(), Event()
    bench.shell.workers["database"].submit(lambda: (busy.set(), go.wait(20)))
    assert busy.wait(20)  # What was asked before that could take the next change along.
    promise = bench.hel.calls()[SetStored](SetStored(key="k", value=pack(1)), run())
    assert isinstance(promise, Future)
    bench.call(SetCached(key="k", value=pack(1)), run())
    bench.call(WriteFile(path="f", content=text("x")), run())
    assert not promise.done()
    go.set()
    assert promise.result(20) == Done()


def test_what_waits_is_done_before_the_end(start: Start) -> None:
    bench = start()
    go = Event()
    for worker in bench.shell.workers.values():
        worker.submit(go.wait, 20)
    calls = bench.hel.calls()
    promises = [
        calls[SetStored](SetStored(key="k", value=pack(7)), run()),
        calls[WriteFile](WriteFile(path="f", content=text("last")), run()),
    ]
    ended: list[bool] = []
    bench.hel.finish(5.0, lambda: ended.append(True))
    assert not ended
    go.set()
    assert [promise.result(20) for promise in promises] == [Done(), Done()]
    bench.close()
    assert not (bench.state_dir / "hel.sqlite-wal").exists()
    again = start()
    assert unpack(again.call(GetStored(key="k"), run()).value) == 7
    assert unpack(again.call(ReadFile(path="f"), run()).content) == "last"


def test_the_end_waits_no_longer_than_its_grace(start: Start) -> None:
    bench = start()
    go = Event()
    bench.shell.workers["files"].submit(go.wait, 20)
    ended: list[bool] = []
    bench.hel.finish(5.0, lambda: ended.append(True))
    bench.shell.clock.advance(4.9)
    bench.shell.timers[-1].action()
    assert not ended
    bench.shell.clock.advance(0.1)
    bench.shell.timers[-1].action()
    assert ended
    go.set()


def test_the_process_of_hel_needs_no_pydantic() -> None:
    program = "import sys, hel_actor.actor; sys.exit('pydantic' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_hel_looks_after_a_database_that_is_in_trouble(start: Start) -> None:
    bench = start()
    assert bench.hel.trouble == ""
    database = bench.state_dir / "hel.sqlite"
    bench.call(ListStored(), run())
    for promise in bench.shell.minded:  # What looks at the database by itself is done.
        promise.result(20)
    for file in bench.state_dir.glob("hel.sqlite*"):
        file.unlink()
    database.mkdir()
    for _ in range(2):
        with pytest.raises(IoError):
            bench.call(ListStored(), run())
    assert "cannot be opened" in bench.hel.trouble
    database.rmdir()
    bench.shell.clock.advance(2.0)
    assert bench.hel.trouble, "the ping that asks is what has it mended"
    bench.shell.workers["database"].submit(lambda: None).result(20)
    assert bench.hel.trouble == ""


def test_a_sound_hel_does_not_wake_up_by_itself(start: Start) -> None:
    bench = start()
    bench.hel.started()
    bench.call(ListStored(), run())
    assert bench.hel.trouble == ""
    assert not bench.shell.timers
