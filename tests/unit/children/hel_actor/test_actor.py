"""Hel's role: every function, its permission, and what heartbeats and stops need."""

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Future
from threading import Event
from typing import Any

import pytest
from hel_actor.actor import ADHOC
from hel_actor.messages import (
    AddToStored,
    AppendToFile,
    CreateDirectory,
    DeleteEntry,
    DescribeEntry,
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
    StoredNumber,
    SwapStored,
    ValueSwapped,
    WriteFile,
)

from loki.child import Run
from loki.errors import (
    ErrorCode,
    InvalidArgument,
    IoError,
    PermissionRefused,
    ResourceLimitExceeded,
)
from loki.messages.envelope import Done, Failure, Message
from loki.messages.value import NIL, Packed, ScriptValue, pack, unpack

Start = Callable[..., Any]
EVERYTHING = {"files": ("rw",), "storage": ("*",)}


def run(script: str = "tool", declared_in: str = "tools.toml", **permissions: Any) -> Run:
    return Run("r1", script, "local", 1, declared_in, permissions or EVERYTHING)


def text(content: str | bytes) -> Packed:
    return pack(content)


def test_s_8_2_1_text_comes_back_as_text_and_bytes_as_bytes(start: Start) -> None:
    bench = start()
    for content in ("", "grün\n", b"\xff\x00"):
        assert bench.call(WriteFile(path="f", content=text(content)), run()) == Done()
        assert unpack(bench.call(ReadFile(path="f"), run()).content) == content
    assert bench.call(DeleteEntry(path="f"), run()) == Done()
    with pytest.raises(IoError) as missing:
        bench.call(ReadFile(path="f"), run())
    assert missing.value.code is ErrorCode.NOT_FOUND


@pytest.mark.parametrize("content", [None, 5, 0.5, True, ["a"], {"a": "b"}])
def test_only_strings_can_be_written(start: Start, content: ScriptValue) -> None:
    bench = start()
    with pytest.raises(InvalidArgument, match="string"):
        bench.call(WriteFile(path="f", content=pack(content)), run())
    assert bench.call(ListDirectory(path="."), run()).names == ()


def test_s_8_2_2_directories(start: Start) -> None:
    bench = start()
    bench.call(CreateDirectory(path="notes/deep"), run())
    bench.call(WriteFile(path="notes/b", content=text("")), run())
    assert bench.call(ListDirectory(path="notes"), run()).names == ("b", "deep")


def test_max_file_kb_is_in_kib(start: Start) -> None:
    bench = start(max_file_kb=1)
    bench.call(WriteFile(path="f", content=text("x" * 1024)), run())
    with pytest.raises(ResourceLimitExceeded, match="max_file_kb"):
        bench.call(WriteFile(path="f", content=text("x" * 1025)), run())


VALUES = [
    None,
    True,
    9007199254740993,
    -(2**63),
    5.0,
    "text",
    b"\xff\x00",
    [],
    {},
    [1, [2.5, None], {"a": b"\x00"}],
]


@pytest.mark.parametrize("value", VALUES)
def test_s_8_3_1_values_survive_a_restart_to_the_bit(start: Start, value: ScriptValue) -> None:
    bench = start()
    assert bench.call(SetStored(key="k", value=pack(value)), run()) == Done()
    bench.close()
    assert bytes(start().call(GetStored(key="k"), run()).value) == bytes(pack(value))


def test_s_8_3_1_missing_keys_are_nil(start: Start) -> None:
    bench = start()
    assert bench.call(GetStored(key="k"), run()).value == NIL
    assert bench.call(RemoveStored(key="k"), run()).existed is False
    bench.call(SetStored(key="k", value=pack(1)), run())
    assert bench.call(RemoveStored(key="k"), run()).existed is True
    assert bench.call(GetStored(key="k"), run()).value == NIL


def test_s_8_3_1_keys_by_prefix(start: Start) -> None:
    bench = start()
    for key in ("b", "a/2", "a/1"):
        bench.call(SetStored(key=key, value=pack(0)), run())
    assert bench.call(ListStored(), run()).keys == ("a/1", "a/2", "b")
    assert bench.call(ListStored(prefix="a/"), run()).keys == ("a/1", "a/2")


def test_s_8_4_1_cached_values_are_answered_at_once_and_never_on_disk(start: Start) -> None:
    bench = start()
    assert bench.call(GetCached(key="k"), run()).value == NIL
    handlers = bench.hel.calls()
    assert handlers[SetCached](SetCached(key="k", value=pack("secret-canary")), run()) == Done()
    found = handlers[GetCached](GetCached(key="k"), run())
    assert not isinstance(found, Future)
    assert unpack(found.value) == "secret-canary"
    bench.close()
    again = start()
    assert again.call(GetCached(key="k"), run()).value == NIL
    again.close()
    kept = [path for path in bench.state_dir.rglob("*") if path.is_file()]
    assert kept
    assert not any(b"secret-canary" in path.read_bytes() for path in kept)


def test_s_8_4_2_ttl_is_in_milliseconds_and_swept_by_one_timer(start: Start) -> None:
    bench = start()
    bench.call(SetCached(key="endless", value=pack(1)), run())
    assert bench.shell.timers == []
    bench.call(SetCached(key="k", value=pack(1), ttl_ms=2500), run())
    bench.call(SetCached(key="other", value=pack(1), ttl_ms=9000), run())
    (timer,) = bench.shell.timers
    assert timer.delay_s == 2.5

    bench.shell.clock.advance(2.5)
    timer.action()
    assert len(bench.hel._cache) == 2
    assert [each.delay_s for each in bench.shell.timers] == [2.5, 6.5]
    bench.shell.clock.advance(6.5)
    bench.shell.timers[-1].action()
    assert len(bench.hel._cache) == 1
    assert len(bench.shell.timers) == 2


@pytest.mark.parametrize("ttl_ms", [0, -1])
def test_s_8_4_2_a_ttl_below_one_is_refused(start: Start, ttl_ms: int) -> None:
    bench = start()
    with pytest.raises(InvalidArgument, match="ttl_ms"):
        bench.call(SetCached(key="k", value=pack(1), ttl_ms=ttl_ms), run())
    assert bench.call(GetCached(key="k"), run()).value == NIL


def test_s_8_4_3_invalidation(start: Start) -> None:
    bench = start()
    for script in ("one", "two"):
        for key in "ab":
            bench.call(SetCached(key=key, value=pack(script)), run(script))
    bench.call(InvalidateCached(key="a"), run("one"))
    assert bench.call(GetCached(key="a"), run("one")).value == NIL
    assert bench.call(GetCached(key="b"), run("one")).value != NIL
    bench.call(InvalidateAllCached(), run("one"))
    assert bench.call(GetCached(key="b"), run("one")).value == NIL
    assert unpack(bench.call(GetCached(key="a"), run("two")).value) == "two"


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
    go = Event()
    bench.shell.workers["database"].submit(go.wait, 20)
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


def test_files_that_cannot_be_had_are_logged_and_the_rest_serves(
    start: Start, tmp_path: Any, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "files").write_bytes(b"in the way")
    bench = start()
    with pytest.raises(IoError):
        bench.call(ReadFile(path="f"), run())
    assert "scripts have no files" in caplog.text
    assert bench.call(SetStored(key="k", value=pack(1)), run()) == Done()


def test_the_process_of_hel_needs_no_pydantic() -> None:
    program = "import sys, hel_actor.actor; sys.exit('pydantic' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_s_8_3_1_numbers_are_counted_and_what_is_none_is_refused(start: Start) -> None:
    bench = start()
    assert bench.call(AddToStored(key="n"), run()) == StoredNumber(number=1)
    assert bench.call(AddToStored(key="n", by=41), run()) == StoredNumber(number=42)
    bench.call(SetStored(key="n", value=pack("many")), run())
    refused = bench.call(AddToStored(key="n"), run())
    assert isinstance(refused, Failure)
    assert refused.code is ErrorCode.ARGUMENT_INVALID
    assert refused.message == "cannot add 1 to 'n': what is stored there is no integer"
    assert unpack(bench.call(GetStored(key="n"), run()).value) == "many"


def test_s_8_3_1_a_swap_needs_what_it_expects_and_the_permission(start: Start) -> None:
    bench = start()
    first = SwapStored(key="k", value=pack(1))
    assert bench.call(first, run()) == ValueSwapped(swapped=True)
    assert bench.call(first, run()) == ValueSwapped(swapped=False)
    with pytest.raises(PermissionRefused):
        bench.call(first, run(files=("rw",)))
    with pytest.raises(ResourceLimitExceeded):
        bench.call(SwapStored(key="k", value=pack("x" * 100_000)), run())


def test_s_8_2_1_appending_and_describing(start: Start) -> None:
    bench = start()
    for line in ("one\n", "two\n"):
        assert bench.call(AppendToFile(path="log", content=text(line)), run()) == Done()
    entry = unpack(bench.call(DescribeEntry(path="log"), run()).entry)
    assert isinstance(entry, dict)
    assert (entry["type"], entry["size_bytes"]) == ("file", 8)
    folder = unpack(bench.call(DescribeEntry(path="."), run()).entry)
    assert isinstance(folder, dict)
    assert (folder["type"], folder["size_bytes"]) == ("directory", 0)
    with pytest.raises(PermissionRefused):
        bench.call(AppendToFile(path="log", content=text("")), run(files=("r",)))
