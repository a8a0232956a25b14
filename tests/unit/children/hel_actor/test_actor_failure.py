"""A whole Hel while the calls below it fail, one at a time; all of them with LOKI_FAULT_STEP=1."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Need
from tests.faulty_disk import FaultyDisk, How, Kind

STEP = int(os.environ.get("LOKI_FAULT_STEP", "20"))
ROOT = Path(__file__).parents[4]
CALLS = 300  # At least so many are made.


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory, need: Need) -> FaultyDisk:
    need("cc", "a C compiler makes the disk that fails")
    return FaultyDisk.build(tmp_path_factory.mktemp("disk"))


@pytest.mark.timeout(120 + 1200 // STEP)
@pytest.mark.parametrize(
    ("kinds", "how", "code", "calls"),
    [
        (Kind.ALL, How.BEFORE, errno.EIO, CALLS),
        (Kind.ALL, How.AFTER, errno.EIO, CALLS),
        (Kind.WRITE, How.HALF, errno.ENOSPC, CALLS // 4),
        (Kind.SYNC, How.BEFORE, errno.EIO, CALLS // 4),
    ],
    ids=["nothing done", "answer lost", "half written", "not synced"],
)
def test_s_8_3_2_every_store_is_whole_whichever_call_fails(
    disk: FaultyDisk, kinds: Kind, how: How, code: int, calls: int
) -> None:
    module = "tests.unit.children.hel_actor.syscall_loop"
    numbers = [str(int(each)) for each in (kinds, how, code, STEP)]
    done = subprocess.run(
        [sys.executable, "-m", module, *numbers],
        cwd=ROOT,
        env=os.environ | disk.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert int(done.stdout) > calls
