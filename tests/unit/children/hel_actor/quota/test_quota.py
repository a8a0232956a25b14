"""The limit of a namespace over all that it keeps: who sets it, what counts, and what is said."""

import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hel_actor.messages import (
    AddToStored,
    AppendSamples,
    AppendToFile,
    CreateDirectory,
    DeleteEntry,
    GetStored,
    RemoveStored,
    SetStored,
    SwapStored,
    WriteFile,
)
from hel_actor.quota.quota import account_of, in_blocks

from loki.child import Run
from loki.core.run.manifest import UPLOADED
from loki.errors import ErrorCode, LokiError
from loki.messages.envelope import Done, Message
from loki.messages.value import pack, unpack
from tests.unit.children.hel_actor.calling import Start

MB = 1024 * 1024
ALL = {"files": ("rw",), "storage": ("*",), "series": ("*",)}


def run(max_disk_mb: int = 0, script: str = "tool", declared_in: str = "tools.toml") -> Run:
    return Run("r1", script, "local", 1, declared_in, ALL, max_disk_mb=max_disk_mb)


def refusal(call: Callable[[], object]) -> LokiError:
    with pytest.raises(LokiError) as refused:
        call()
    assert refused.value.code is ErrorCode.DISK_BUDGET
    return refused.value


@pytest.mark.parametrize(
    ("tool_mb", "quota_mb", "declared_in", "limit_bytes", "raised_by"),
    [
        (5, 256, "tools.toml", 5 * MB, "[tools.limits] max_disk_mb"),
        (500, 256, "tools.toml", 500 * MB, "[tools.limits] max_disk_mb"),
        (5, 256, UPLOADED, 5 * MB, "max_disk_mb in the limits of its registration"),
        (5, 0, "a.lua", 5 * MB, "[limits] max_disk_mb in a `--- loki:` header at its top"),
        (0, 256, "tools.toml", 256 * MB, "[children_config.hel] quota_mb"),
        (0, 0, "tools.toml", 0, "[children_config.hel] quota_mb"),
    ],
)
def test_s_5_2_4_the_tools_own_limit_holds_else_that_of_all(
    tool_mb: int, quota_mb: int, declared_in: str, limit_bytes: int, raised_by: str
) -> None:
    account = account_of(run(tool_mb, declared_in=declared_in), quota_mb)
    assert (account.limit_bytes, account.raised_by) == (limit_bytes, raised_by)


def test_s_5_2_4_what_several_tools_share_has_the_limit_of_all(start: Start) -> None:
    bench = start(quota_mb=2, max_file_kb=2048)
    one, two = (
        Run("r1", name, "local", 1, "a.toml", ALL | {"share": ("data",)}, max_disk_mb=1)
        for name in ("one", "two")
    )
    bench.call(write("a", 3 * MB // 2), one)
    error = refusal(lambda: bench.call(write("b", MB), two))
    assert error.message == (
        "what is shared as 'data' keeps 1572864 bytes and asks for 1048576 more, but may keep "
        "2097152 in all; delete something, or raise [children_config.hel] quota_mb, which is 2"
    )


@pytest.mark.parametrize(("size", "taken"), [(0, 0), (1, 4096), (4096, 4096), (4097, 8192)])
def test_files_take_whole_blocks(size: int, taken: int) -> None:
    assert in_blocks(size) == taken


def write(path: str, size_bytes: int) -> WriteFile:
    return WriteFile(path=path, content=pack("x" * size_bytes))


def test_s_5_2_4_all_of_the_limit_may_be_used_and_no_byte_more(start: Start) -> None:
    bench, tool = start(max_file_kb=2048), run(1)
    assert bench.call(write("a", MB), tool) == Done()
    for more in (
        AppendToFile(path="a", content=pack("x")),
        write("b", 1),
        CreateDirectory(path="d"),
        SetStored(key="k", value=pack(1)),
        SwapStored(key="k", value=pack(1)),
        AddToStored(key="k"),
        AppendSamples(name="t", values=(1.0,), times=(0.0,)),
    ):
        refusal(lambda request=more: bench.call(request, tool))  # type: ignore[misc]
    assert bench.call(write("b", 1), run(1, "another")) == Done()


def test_s_5_2_4_the_refusal_says_what_there_is_and_what_to_change(start: Start) -> None:
    bench = start(max_value_kb=512)
    bench.call(write("a", 700_000), run(1))
    error = refusal(lambda: bench.call(SetStored(key="k", value=pack(b"x" * 400_000)), run(1)))
    asked = 1 + 400_000 + 5 + 64  # The key, the value with its head, the row.
    assert error.message == (
        f"'tool' keeps 700416 bytes and asks for {asked} more, but may keep 1048576 in all; "
        "delete something, or raise [tools.limits] max_disk_mb, which is 1"
    )
    assert error.details == {
        "limit": "max_disk_mb",
        "used": "700416",
        "asked": str(asked),
        "allowed": "1048576",
    }


def test_s_5_2_4_beyond_the_limit_what_makes_things_smaller_works(start: Start) -> None:
    bench, tight = start(), run(1)
    bench.call(write("big", MB), run())
    bench.call(write("small", 10_000), run())
    for key in ("k", "n"):
        bench.call(SetStored(key=key, value=pack("x" * 1000)), run())
    for smaller in (
        write("small", 9_000),  # No fewer blocks, but no more either.
        write("small", 100),
        SetStored(key="k", value=pack(1)),
        SwapStored(key="k", expected=pack(1)),
        RemoveStored(key="n"),
        DeleteEntry(path="small"),
    ):
        bench.call(smaller, tight)
    refusal(lambda: bench.call(write("small", 1), tight))
    bench.call(DeleteEntry(path="big"), tight)
    assert bench.call(write("small", MB), tight) == Done()


def test_s_5_2_4_what_is_refused_leaves_everything_as_it_was(start: Start) -> None:
    bench, tool = start(max_value_kb=2000), run(1)
    bench.call(SetStored(key="k", value=pack("before")), tool)
    refusal(lambda: bench.call(SetStored(key="k", value=pack("x" * MB)), tool))
    assert unpack(bench.call(GetStored(key="k"), tool).value) == "before"
    refusal(lambda: bench.call(write("a", MB), tool))
    assert bench.call(write("a", MB - 4096), tool) == Done()


def test_without_any_limit_there_is_none(start: Start) -> None:
    bench = start(quota_mb=0, max_file_kb=8192)
    for number in range(3):
        bench.call(write(f"f{number}", 8 * MB), run())


SUMS = (
    "SELECT ifnull(sum(length(key) + length(value) + 64), 0) FROM keyvalue",
    "SELECT count(*) * 32 FROM series_row",
    "SELECT ifnull(sum(size_bytes), 0) FROM series_chunk",
)


def taken(state_dir: Path) -> int:
    """Counted from the disk, by other means than Hel's."""
    files = list((state_dir / "files" / "tool").rglob("*"))
    blocks = sum(1 if each.is_dir() else -(-each.stat().st_size // 4096) for each in files)
    with closing(sqlite3.connect(state_dir / "hel.sqlite")) as database:
        sums = [database.execute(query).fetchone()[0] for query in SUMS]
    return blocks * 4096 + sum(sums)


def some_change(chance: random.Random) -> Message:
    key, path = f"k{chance.randrange(6)}", f"{chance.choice(['', 'd/', 'd/e/'])}f"
    size = chance.choice([10, 5_000, 200_000, 400_000])
    text = pack("x" * size)
    rows = chance.randrange(1, 60)
    times = tuple(1e9 + chance.randrange(10_000) for _ in range(rows))
    return chance.choice(
        [
            lambda: SetStored(key=key, value=text),
            lambda: SwapStored(key=key, expected=pack(None), value=text),
            lambda: AddToStored(key="n"),
            lambda: RemoveStored(key=key),
            lambda: WriteFile(path=path, content=text),
            lambda: AppendToFile(path=path, content=text),
            lambda: DeleteEntry(path=chance.choice([path, "d", "d/e"])),
            lambda: CreateDirectory(path="d/e"),
            lambda: AppendSamples(name=key, values=times, times=times),
        ]
    )()


@pytest.mark.parametrize("seed", range(3))
def test_s_5_2_4_the_count_is_that_of_a_recount_whatever_happened(start: Start, seed: int) -> None:
    chance = random.Random(seed)
    limits = [run(1)] * 20 + [run()]
    settings: dict[str, Any] = {
        "series_chunk_rows": 16,
        "series_keep_rows": 64,
        "max_value_kb": 512,
    }
    bench, refusals = start(**settings), 0
    for step in range(150):
        try:
            bench.call(some_change(chance), chance.choice(limits))
        except LokiError as error:
            refusals += error.code is ErrorCode.DISK_BUDGET
        bench.shell.workers["series"].submit(lambda: None).result(20)
        bench.shell.workers["database"].submit(lambda: None).result(20)
        assert bench.hel.ledger.used_bytes("tool") == taken(bench.state_dir)
        if step % 50 == 49:
            bench.close()
            bench = start(**settings)
    assert refusals
