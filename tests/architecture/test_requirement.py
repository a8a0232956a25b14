"""What a machine cannot have is skipped and counted, or fails where it is demanded."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).parents[1] / "conftest.py"
TESTS = """
import pytest

def test_that_runs(need):
    need("sh", "there is always one")

@pytest.mark.parametrize("n", range(2))
def test_of_a_program(need, n):
    need("no-such-program", "install it")

def test_of_something_else(need):
    need("a bus", "solder it", here=False)

@pytest.mark.skipif(True, reason="needs luck: try again")
def test_of_luck(): ...

@pytest.mark.skip(reason="not written yet")
def test_of_nothing(): ...
"""


def pytest_with(folder: Path, **environment: str) -> tuple[int, list[str]]:
    """The exit code and the lines of a test run that has our conftest."""
    shutil.copy(CONFTEST, folder)
    (folder / "test_needs.py").write_text(TESTS)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:cov", folder],
        cwd=folder,
        env={k: v for k, v in os.environ.items() if k != "LOKI_REQUIRE"} | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout.splitlines()


def test_the_end_tells_how_many_did_not_run_and_why(tmp_path: Path) -> None:
    code, lines = pytest_with(tmp_path)
    assert code == 0
    assert lines[-2] == (
        "tests that did NOT run: 4, for want of a bus (1), luck (1), no-such-program (2)"
    )
    assert "1 passed, 5 skipped" in lines[-1]


@pytest.mark.parametrize("demanded", ["no-such-program", "sh, no-such-program"])
def test_what_loki_require_lists_must_be_there(tmp_path: Path, demanded: str) -> None:
    code, lines = pytest_with(tmp_path, LOKI_REQUIRE=demanded)
    assert code == 1
    assert "2 failed, 1 passed, 3 skipped" in lines[-1]
    assert any("LOKI_REQUIRE demands no-such-program: install it" in line for line in lines)
    assert lines[-2] == "tests that did NOT run: 2, for want of a bus (1), luck (1)"
