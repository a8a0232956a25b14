"""What is told of a damaged chunk, and that all but its rows are served as before."""

import errno
import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hel_actor import plain_file
from hel_actor.plain_file import NotPlain
from hel_actor.series.damage import MAX_REASON, DamagedChunk, is_lasting, reason, told
from hel_actor.series.query import Queries
from hel_actor.series.reading import Reading
from hel_actor.series.series import Chunk, Span

from loki.errors import ErrorCode, IoError
from tests.unit.children.hel_actor.series_world import ALL, World, answer


@pytest.mark.parametrize(
    ("error", "lasting", "text"),
    [
        (FileNotFoundError(errno.ENOENT, "No such file", "/host/x"), True, "is missing"),
        (OSError(errno.EIO, "Input/output error"), True, "failed: Input/output error"),
        (OSError(errno.EMFILE, "Too many open files"), False, "failed: Too many open files"),
        (NotPlain("0", "is a FIFO, not a plain file"), True, "is a FIFO, not a plain file"),
        (ValueError("no\n match. Stored: b'x'"), True, "is damaged: no match"),
        (RuntimeError("x" * 999), True, f"is damaged: {'x' * MAX_REASON}"),
    ],
)
def test_reasons_are_short_and_have_no_paths(error: Exception, lasting: bool, text: str) -> None:
    assert (is_lasting(error), reason(error)) == (lasting, text)


def test_it_is_told_which_rows_are_lost_and_what_to_do() -> None:
    found = DamagedChunk(7, "series/tool/t/value/c/5", "is missing")
    error = told("tool/t", Chunk(7, 1_767_225_600_000_000_000, 1_767_225_600_000_001_000), found)
    assert error.code is ErrorCode.DATA_LOSS
    assert error.message == (
        "rows of 'tool/t' from 2026-01-01T00:00:00Z to 2026-01-01T00:00:00.000001Z cannot be read: "
        "series/tool/t/value/c/5 is missing (chunk 7); read before and after these times, or put a "
        "backup back (`loki restore`); `loki doctor --deep` finds all such files"
    )
    assert error.details == {
        "series": "tool/t",
        "chunk": "7",
        "file": "series/tool/t/value/c/5",
        "from": "2026-01-01T00:00:00Z",
        "to": "2026-01-01T00:00:00.000001Z",
    }


def removed(file: Path) -> None:
    file.unlink()


def flipped(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 3] ^= 1
    file.write_bytes(content)


def emptied(file: Path) -> None:
    file.write_bytes(b"")


def folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def fifo(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


@pytest.mark.parametrize("harm", [removed, flipped, emptied, folder, fifo])
@pytest.mark.parametrize("array", ["time", "value", "quality"])
def test_s_8_5_3_a_damaged_chunk_costs_its_own_rows_only(
    world: World,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    harm: Callable[[Path], None],
    array: str,
) -> None:
    world.append(range(0, 200_000, 1000))  # In ns, and chunks have 16 rows.
    world.checkpoint()
    harm(tmp_path / f"series/tool/t/{array}/c/3")
    caplog.clear()
    for _ in range(3):
        with pytest.raises(IoError) as lost:
            world.times(Span(0, 100_000))
        assert lost.value.code is ErrorCode.DATA_LOSS
    assert lost.value.details["file"] == f"series/tool/t/{array}/c/3"
    assert (lost.value.details["series"], lost.value.details["chunk"]) == ("tool/t", "3")
    assert lost.value.details["from"] == "1970-01-01T00:00:00.000048Z"
    assert lost.value.details["to"] == "1970-01-01T00:00:00.000063Z"
    assert [r.getMessage() for r in caplog.records if r.levelno == logging.ERROR] == [
        str(lost.value)
    ]
    assert world.times(Span(0, 48_000)) == list(range(0, 48_000, 1000))
    assert world.times(Span(64_000, 10**9)) == list(range(64_000, 200_000, 1000))
    world.append(range(200_000, 300_000, 1000))
    assert world.checkpoint() >= 96
    assert world.times(Span(64_000, 10**9)) == list(range(64_000, 300_000, 1000))


def test_arrays_that_a_query_does_not_need_may_be_damaged(world: World, tmp_path: Path) -> None:
    world.append(range(50))
    world.checkpoint()
    emptied(tmp_path / "series/tool/t/quality/c/0")
    assert len(world.aggregate(ALL, "mean", None)) == 1


def test_an_error_that_passes_is_no_loss(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.append(range(50))
    world.checkpoint()

    def exhausted(path: Path) -> int:
        raise OSError(errno.EMFILE, "Too many open files", str(path))

    with monkeypatch.context() as patched:
        patched.setattr(plain_file, "opened", exhausted)
        with pytest.raises(IoError, match=r"'t' cannot be read: failed: Too many") as refused:
            answer(Queries(world.store).read("tool", "t", Reading(ALL)))
    assert refused.value.code is ErrorCode.IO
    assert str(tmp_path) not in refused.value.message
    assert world.times() == list(range(50))
