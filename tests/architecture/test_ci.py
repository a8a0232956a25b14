"""What is tested on every change: asked of make itself, which says what it would run."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def recipe(target: str) -> str:
    command = ("make", "--dry-run", "--always-make", target)
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    ("target", "steps"),
    [
        ("check", ("ruff format --check", "ruff check", "mypy", "lint-imports")),
        ("test", ("-m pytest", "--cov-report=html", "--cov-report=xml")),
    ],
)
def test_s_1_2_7_every_change_is_linted_tested_and_its_coverage_reported(
    target: str, steps: tuple[str, ...]
) -> None:
    assert f"\nmake {target}\n" in (ROOT / ".ci/run").read_text() + "\n"
    planned = recipe(target)
    assert [step for step in steps if step not in planned] == []


def test_no_folder_of_tests_is_left_out() -> None:
    planned = recipe("test").split()
    folders = {f"tests/{f.name}" for f in (ROOT / "tests").iterdir() if any(f.rglob("test_*.py"))}
    assert folders - set(planned) == set()
