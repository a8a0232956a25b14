"""A backup put back while no Hel runs."""

import io
import tarfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hel_actor.backup import swap
from hel_actor.backup.upkeep import restore

from loki.child import BackupContents
from loki.clock import FakeClock
from loki.errors import LokiError
from tests.unit.children.hel_actor.calling import Start
from tests.unit.children.hel_actor.restoring import (
    SMALL,
    backup_of,
    change,
    fill,
    require_new,
    require_old,
)


@pytest.fixture
def archive(start: Start) -> bytes:
    """Of a state that was changed since, and that nobody uses now."""
    bench = start(**SMALL)
    fill(bench)
    found = backup_of(bench)
    change(bench)
    bench.close()
    return found


def put_back(state: Path, archive: bytes, agreed: Any) -> str:
    config = msgspec.msgpack.encode({"state_dir": str(state), "max_file_kb": 1})
    return restore(config, io.BytesIO(archive), agreed, FakeClock(now_ns=10**18))


def test_it_is_there_and_the_old_data_is_aside(
    start: Start, archive: bytes, tmp_path: Path
) -> None:
    told: list[BackupContents] = []
    aside = put_back(tmp_path / "state", archive, told.append)
    assert [each.version for each in told] == ["9.9"]
    assert aside == "before-restore-20010909T014640.000000Z"
    assert (tmp_path / "state" / aside / "files/tool/b").read_bytes() == b"new"
    require_old(start(**SMALL))


def test_what_nobody_agrees_to_changes_nothing(
    start: Start, archive: bytes, tmp_path: Path
) -> None:
    def refuse(_: BackupContents) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        put_back(tmp_path / "state", archive, refuse)
    assert not (tmp_path / "state" / swap.UNDECIDED).exists()
    require_new(start(**SMALL))


def test_what_is_not_sound_changes_nothing(start: Start, archive: bytes, tmp_path: Path) -> None:
    with pytest.raises(LokiError, match="nothing was changed"):
        put_back(tmp_path / "state", archive[:-100], lambda _: None)
    assert not (tmp_path / "state" / swap.UNDECIDED).exists()
    require_new(start(**SMALL))


def test_a_device_that_never_ran_gets_it_too(archive: bytes, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    put_back(tmp_path / "other", archive, lambda _: None)
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar:
            if member.isfile() and member.name.startswith("files/"):
                assert (tmp_path / "other" / member.name).stat().st_size == member.size
    assert (tmp_path / "other/hel.sqlite").exists()
