"""The contents of chunks, read beside a Hel that runs and after its end."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hel_actor.config import HelConfig
from hel_actor.doctor import observation, verification
from hel_actor.doctor.doctor import examine
from hel_actor.doctor.verification import verify
from hel_actor.messages import AppendSamples, TrimSeries
from hel_actor.system.history import Bounds

from loki.child import Finding, Need
from tests.unit.children.hel_actor.calling import Start
from tests.unit.children.hel_actor.restoring import SMALL, TIMES, WHO, files, fill

BOUNDS = Bounds(10, 20, 30)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hel_actor.doctor.doctor.PAUSE_S", 0.0)


@pytest.fixture
def bench(start: Start) -> Any:
    """With three chunks of 16 rows."""
    bench = start(**SMALL)
    fill(bench)
    settled(bench)
    return bench


def settled(bench: Any) -> None:
    for name in ("series", "database") * 5:
        bench.shell.workers[name].submit(lambda: None).result(timeout=20)


def examined(state: Path, told: list[str] | None = None) -> list[Finding]:
    """What a deep look finds in series; it changes nothing."""
    config = HelConfig().model_dump(mode="json") | {"state_dir": str(state)}
    before = files(state)
    tell = (told if told is not None else []).append
    found = examine(msgspec.msgpack.encode(config), True, tell)
    assert files(state) == before
    return [each for each in found if each.subject.startswith("series")]


def chunk(state: Path, path: str) -> Path:
    return state / "series/tool/t" / path


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def swap(state: Path) -> None:
    """Two whole chunks of the same length change places, and all their arrays with them."""
    for name in ("time", "value", "quality"):
        one, other = chunk(state, f"{name}/c/0"), chunk(state, f"{name}/c/1")
        content = one.read_bytes()
        shutil.copyfile(other, one)
        other.write_bytes(content)


def test_contents_that_are_whole_are_counted(bench: Any) -> None:
    told: list[str] = []
    text = examined(bench.state_dir, told)[-1].text
    assert text == "the contents of 3 of 3 chunks are as written"
    assert told == ["series/tool/t: 0 of 3 chunks"]
    bench.close()
    assert examined(bench.state_dir)[-1].text == text


def test_each_damaged_chunk_is_told_with_its_times(bench: Any) -> None:
    flip(chunk(bench.state_dir, "value/c/0"))
    flip(chunk(bench.state_dir, "time/c/2"))
    first, second, last = [e for e in examined(bench.state_dir) if e.text != "1 of them"]
    assert (first.need, first.subject) == (Need.PERSON, "series/tool/t")
    assert first.text.startswith("value/c/0 is damaged: ")
    assert first.text.endswith("(chunk 0, rows from 2023-11-03T08:26:40Z to 2023-11-03T08:26:55Z)")
    assert "loki restore" in first.remedy
    assert second.text.startswith("time/c/2 is damaged: ")
    assert last.text == "the contents of 1 of 3 chunks are as written"


def test_chunks_that_changed_places_are_found_by_their_times(bench: Any) -> None:
    bench.close()
    sizes = {
        sum(chunk(bench.state_dir, f"{name}/c/{n}").stat().st_size for name in observation.ARRAYS)
        for n in (0, 1)
    }
    swap(bench.state_dir)
    found = [e.text for e in examined(bench.state_dir) if e.need is Need.PERSON]
    if len(sizes) == 1:  # Else their lengths tell it.
        assert [text[:38] for text in found] == [
            "time/c/0 has the times of other rows (",
            "time/c/1 has the times of other rows (",
        ]
    assert found


def test_descriptions_that_somebody_edited_hide_no_damage(bench: Any) -> None:
    bench.close()
    flip(chunk(bench.state_dir, "value/c/1"))
    for file in bench.state_dir.glob("series/tool/t/*/zarr.json"):
        file.write_bytes(file.read_bytes().replace(b"crc32c", b"crc32d"))
    texts = [e.text for e in examined(bench.state_dir) if e.need is Need.PERSON]
    assert [text[:21] for text in texts] == ["value/c/1 is damaged:"]


def test_a_chunk_that_is_forgotten_meanwhile_is_not_told(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The files of the others have other numbers then."""
    flip(chunk(bench.state_dir, "value/c/0"))
    looks: list[object] = []
    real: Callable[..., verification.Verified] = verification.verify

    def look(*given: Any) -> verification.Verified:
        found = real(*given)
        if not looks:
            bench.call(TrimSeries(name="t", before=TIMES[20]), WHO)
        looks.append(found)
        return found

    monkeypatch.setattr(verification, "verify", look)
    config = HelConfig().model_dump(mode="json") | {"state_dir": str(bench.state_dir)}
    found = examine(msgspec.msgpack.encode(config), True, lambda _: None)
    assert [e for e in found if e.need is Need.PERSON] == []
    assert len(looks) == 2
    assert verify(bench.state_dir, BOUNDS, lambda _: None).checked == 2


def test_other_chunks_are_not_read_again(bench: Any) -> None:
    flip(chunk(bench.state_dir, "value/c/1"))
    found = verify(bench.state_dir, BOUNDS, lambda _: None)
    again = verify(bench.state_dir, BOUNDS, lambda _: None, found.damaged)
    assert (found.checked, again.checked) == (3, 1)
    assert again.damaged == found.damaged


def test_without_zarr_it_is_told_that_contents_were_not_read(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verification, "is_possible", lambda: False)
    last = examined(bench.state_dir)[-1]
    assert (last.need, last.text) == (Need.PERSON, "contents cannot be read without zarr")


def test_rows_that_come_meanwhile_are_no_damage(bench: Any) -> None:
    more = tuple(time + 100 for time in TIMES)
    bench.call(AppendSamples(name="t", values=more, times=more), WHO)
    assert [e for e in examined_beside(bench) if e.need is not Need.NOBODY] == []


def examined_beside(bench: Any) -> list[Finding]:
    """While rows become files."""
    config = HelConfig().model_dump(mode="json") | {"state_dir": str(bench.state_dir)}
    return list(examine(msgspec.msgpack.encode(config), True, lambda _: None))
