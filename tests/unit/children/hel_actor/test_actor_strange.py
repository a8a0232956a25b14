"""Something else in the place of one of Hel's files: it is told, and holds up nobody else."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hel_actor.messages import (
    AppendSamples,
    GetStored,
    ListStored,
    ReadSeries,
    SetStored,
    WriteFile,
)

from loki.errors import ErrorCode, IoError
from loki.messages.envelope import Done
from loki.messages.value import pack
from tests.unit.children.hel_actor.calling import Start, run, text
from tests.unit.children.hel_actor.looking import looked
from tests.unit.children.hel_actor.restoring import SMALL, TIMES, WHO, fill
from tests.unit.children.hel_actor.strange import STRANGE, fifo

Strange = Callable[[Path], None]
OTHER = run("other", files=("rw",), storage=("*",), series=("*",))


@pytest.fixture
def state(start: Start) -> Path:
    """Of a Hel that has ended, with values, files and a series."""
    bench = start(**SMALL)
    fill(bench)
    bench.close()
    path: Path = bench.state_dir
    return path


def serves(bench: Any) -> None:
    """Another script."""
    assert bench.call(SetStored(key="k", value=pack(1)), OTHER) == Done()
    assert bench.call(WriteFile(path="f", content=text("x")), OTHER) == Done()
    bench.call(AppendSamples(name="t", values=TIMES, times=TIMES), OTHER)
    assert len(bench.call(ReadSeries(name="t"), OTHER).samples) == len(TIMES)


@pytest.mark.parametrize("strange", STRANGE)
@pytest.mark.parametrize(
    "name", ["zarr.json", ".zarr.json.partial", "../zarr.json", "time/c/.9.partial"]
)
def test_a_stranger_among_the_files_of_a_series_costs_nothing(
    start: Start, state: Path, strange: Strange, name: str
) -> None:
    strange(state / "series/tool/t" / name)
    bench = start(**SMALL)
    assert len(bench.call(ReadSeries(name="t"), WHO).samples) == len(TIMES)
    serves(bench)
    assert looked(bench) == ""


@pytest.mark.parametrize("strange", STRANGE)
def test_a_stranger_in_the_place_of_a_chunk_costs_its_rows(
    start: Start, state: Path, strange: Strange
) -> None:
    strange(state / "series/tool/t/value/c/1")
    bench = start(**SMALL)
    with pytest.raises(IoError) as lost:
        bench.call(ReadSeries(name="t"), WHO)
    assert lost.value.code is ErrorCode.DATA_LOSS
    serves(bench)


@pytest.mark.parametrize("strange", STRANGE)
@pytest.mark.parametrize("suffix", ["", "-wal", "-journal"])
def test_a_stranger_in_the_place_of_the_database_is_a_trouble_until_it_goes(
    start: Start, state: Path, strange: Strange, suffix: str
) -> None:
    path = state / f"hel.sqlite{suffix}"
    before = (state / "hel.sqlite").read_bytes()
    strange(path)
    bench = start()
    with pytest.raises(IoError, match="not a plain file"):
        bench.call(ListStored(), run())
    assert f"cannot be opened: {path.name} is a" in looked(bench)
    assert bench.call(WriteFile(path="f", content=text("x")), OTHER) == Done()
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    (state / "hel.sqlite").write_bytes(before)
    bench.shell.clock.advance(2.0)
    assert looked(bench) == ""
    assert bench.call(GetStored(key="k"), WHO).value == pack("old")


def test_a_plan_that_is_no_file_is_a_reason_and_no_wait(start: Start, state: Path) -> None:
    (state / ".restore").mkdir()
    fifo(state / ".restore/plan.json")
    with pytest.raises(IoError, match=r"plan\.json is a FIFO, not a plain file"):
        start()


@pytest.mark.parametrize("strange", STRANGE)
@pytest.mark.parametrize("name", [".restore.partial", ".backup", "hel.sqlite.copy"])
def test_leftovers_go_whatever_they_are(
    start: Start, state: Path, strange: Strange, name: str
) -> None:
    strange(state / name)
    bench = start()
    assert bench.call(GetStored(key="k"), WHO).value == pack("old")
    bench.close()
    assert not os.path.lexists(state / name)
