"""The systemd unit: systemd itself says whether it is one, and what it leaves open."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGING = Path(__file__).parents[2] / "packaging"
MOST_EXPOSURE = "30"  # Tenths, of 100; systemd calls it OK up to 4.9 of 10.
ANALYZE = "systemd-analyze"


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """With a program that is there; the drop-ins where systemd looks for them."""
    text = (PACKAGING / "loki.service").read_text()
    path = tmp_path / "loki.service"
    path.write_text(text.replace("/opt/loki/bin/loki", sys.executable))
    return path


def analyze(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([ANALYZE, *words], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("hardware", [False, True])
def test_systemd_finds_nothing_wrong_with_the_unit(
    need: object, unit: Path, hardware: bool
) -> None:
    assert callable(need)
    need(ANALYZE, "checks the systemd unit")
    if hardware:
        shutil.copytree(PACKAGING / "loki.service.d", unit.parent / "loki.service.d")
    done = analyze("verify", "--man=no", str(unit))
    said = [line for line in done.stderr.splitlines() if "loki.service" in line]
    assert not said
    assert done.returncode == 0


def test_systemd_would_find_a_mistake(need: object, unit: Path) -> None:
    assert callable(need)
    need(ANALYZE, "checks the systemd unit")
    unit.write_text(unit.read_text().replace("WatchdogSec=10", "WatchdogSec=often"))
    assert "Failed to parse sec value" in analyze("verify", "--man=no", str(unit)).stderr


def test_the_unit_leaves_little_open(need: object, unit: Path) -> None:
    assert callable(need)
    need(ANALYZE, "checks the systemd unit")
    done = analyze("security", "--offline=yes", f"--threshold={MOST_EXPOSURE}", str(unit))
    assert done.returncode == 0, done.stdout


def test_the_unit_has_what_loki_relies_on() -> None:
    lines = (PACKAGING / "loki.service").read_text().splitlines()
    for line in (
        "Type=notify",
        "NotifyAccess=main",
        "KillMode=control-group",
        "Restart=on-failure",
        "RestrictNamespaces=user",  # Of runners.
        "SystemCallFilter=chroot",  # Of runners.
        "OOMPolicy=continue",
    ):
        assert line in lines
