"""What descriptions say, whatever somebody made of them."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hel_actor.series.description import Description, parsed, read

from tests.unit.children.hel_actor.strange import STRANGE


def document(**attributes: object) -> bytes:
    return json.dumps({"attributes": attributes}).encode()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (document(loki_series="m", loki_dropped_chunks=3), Description("m", 3)),
        (document(loki_series="m"), Description("m", None)),
        (document(loki_dropped_chunks=3), Description(None, 3)),
        (document(loki_series="m", loki_dropped_chunks=-1), Description("m", None)),
        (document(loki_series="m", loki_dropped_chunks="x"), Description("m", None)),
        (b'{"attributes": {"loki_dropped_chunks": 1e999}}', Description()),
        (b'{"attributes": []}', Description()),
        (b"[]", Description()),
        (b"", Description()),
        (b"\xff", Description()),
        (b"[" * 60_000, Description()),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_only_what_is_right_is_believed(content: bytes, expected: Description) -> None:
    assert parsed(content) == expected


@pytest.mark.parametrize("strange", STRANGE)
def test_what_is_no_file_says_nothing(tmp_path: Path, strange: Callable[[Path], None]) -> None:
    strange(tmp_path / "zarr.json")
    assert read(tmp_path) == Description()


def test_a_huge_one_says_nothing_and_none_is_none(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read(tmp_path)
    (tmp_path / "zarr.json").write_bytes(document(loki_series="m") + b" " * 70_000)
    assert read(tmp_path) == Description()
