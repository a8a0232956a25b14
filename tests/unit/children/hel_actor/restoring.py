"""A Hel with something to keep, backups of it, and restores as the gateway asks for them."""

from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from hel_actor.messages import (
    AppendSamples,
    DeleteEntry,
    GetStored,
    ReadFile,
    ReadSeries,
    SetStored,
    WriteFile,
)

from loki.errors import IoError
from loki.messages.backup import BeginBackup, EndBackup, ReadBackup
from loki.messages.envelope import Done, Message
from loki.messages.restore import BeginRestore, WriteRestore
from loki.messages.value import NIL, pack
from tests.unit.children.hel_actor.calling import run, text

WHO = run(files=("rw",), storage=("*",), series=("*",))
SMALL = {"series_chunk_rows": 16, "series_late_s": 1}
TIMES = tuple(1_699_000_000.0 + n for n in range(60))


def ask(bench: Any, request: Message) -> Any:
    answer = bench.hel.services()[type(request)](request)
    return answer.result(timeout=20) if isinstance(answer, Future) else answer


def backup_of(bench: Any) -> bytes:
    ask(bench, BeginBackup(id="b", reader="gateway", version="9.9"))
    whole, last = b"", False
    while not last:
        piece = ask(bench, ReadBackup(id="b", offset=len(whole)))
        whole, last = whole + piece.data, piece.last
    ask(bench, EndBackup(id="b"))
    return whole


def send(bench: Any, archive: bytes, id_: str = "r1") -> None:
    ask(bench, BeginRestore(id=id_, writer="gateway"))
    for offset in range(0, len(archive), 5000):
        data = archive[offset : offset + 5000]
        assert ask(bench, WriteRestore(id=id_, offset=offset, data=data)) == Done()


def fill(bench: Any) -> None:
    bench.call(SetStored(key="k", value=pack("old")), WHO)
    bench.call(WriteFile(path="a", content=text("old")), WHO)
    bench.call(AppendSamples(name="t", values=TIMES, times=TIMES), WHO)
    assert len(bench.call(ReadSeries(name="t"), WHO).samples) == 60


def change(bench: Any) -> None:
    bench.call(SetStored(key="k", value=pack("new")), WHO)
    bench.call(SetStored(key="more", value=pack("new")), WHO)
    bench.call(WriteFile(path="b", content=text("new")), WHO)
    bench.call(DeleteEntry(path="a"), WHO)
    later = tuple(time + 100 for time in TIMES)
    bench.call(AppendSamples(name="t", values=later, times=later), WHO)
    bench.call(ReadSeries(name="t"), WHO)


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def require_old(bench: Any) -> None:
    assert bench.call(GetStored(key="k"), WHO).value == pack("old")
    assert bench.call(GetStored(key="more"), WHO).value == NIL
    assert bench.call(ReadFile(path="a"), WHO).content == text("old")
    with pytest.raises(IoError, match="does not exist"):
        bench.call(ReadFile(path="b"), WHO)
    assert tuple(each.time for each in bench.call(ReadSeries(name="t"), WHO).samples) == TIMES


def require_new(bench: Any) -> None:
    assert bench.call(GetStored(key="k"), WHO).value == pack("new")
    assert bench.call(ReadFile(path="b"), WHO).content == text("new")
    assert len(bench.call(ReadSeries(name="t"), WHO).samples) == 120
