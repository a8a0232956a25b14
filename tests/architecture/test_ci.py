"""What is tested on every change: asked of make itself, which says what it would run."""

import subprocess
from pathlib import Path

import pytest
import tomli

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


def test_no_test_is_left_out() -> None:
    """Which tests there are is pyproject's word, not that of the command."""
    _, _, arguments = recipe("test").partition(" -m pytest ")
    assert not [word for word in arguments.split() if word.startswith("tests")]
    settings = tomli.loads((ROOT / "pyproject.toml").read_text())
    assert settings["tool"]["pytest"]["ini_options"]["testpaths"] == ["tests"]
