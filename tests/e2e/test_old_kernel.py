"""Where the kernel refuses walls, Loki serves without them and says which, and why."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from loki.actors.runner import kernel

TIMEOUT_S = 60.0


def test_a_wall_that_cannot_stand_is_told_and_tools_run(need: Callable[..., None]) -> None:
    need("seccomp filter", "it plays the kernel", here=kernel.machine() in kernel.SECCOMP_NUMBER)
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("old_kernel.py"))],
        cwd="/",
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "value": 1,
        "missing": {
            "root directory": "Operation not permitted",
            "capabilities": "Operation not permitted",
            "landlock": "Function not implemented",
            "system calls": "Function not implemented",
        },
    }
