"""What every test stands on: required tools that may be missing, and no process left behind."""

import ctypes
import os
import select
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

PR_SET_CHILD_SUBREAPER = 36  # Source: prctl(2)
DEATH_TIMEOUT_S = 10.0
NEEDS = "needs "

Need = Callable[..., None]

# A busy machine is no reason to fail: no test is timed.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def need() -> Need:
    """`need("node", "REASON")` skips the test when that is not installed.

    `here` tells it for what is no program on the PATH. What LOKI_REQUIRE lists (comma between)
    must be there: its absence fails the test.
    """
    required = {name.strip() for name in os.environ.get("LOKI_REQUIRE", "").split(",")}

    def need(what: str, reason: str, *, here: bool | None = None) -> None:
        if shutil.which(what) if here is None else here:
            return
        if what in required:
            pytest.fail(f"LOKI_REQUIRE demands {what}: {reason}")
        pytest.skip(f"{NEEDS}{what}: {reason}")

    return need


def pytest_make_parametrize_id(val: object) -> str | None:
    """Tests are named alike in every process that collects them: gzip puts the time into bytes."""
    return f"{len(val)} bytes" if isinstance(val, bytes) else None


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Iterator[None]:
    """The last line but one says how many tests did not run for want of something."""
    yield
    missing: Counter[str] = Counter()
    for report in terminalreporter.getreports("skipped"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
        what, colon, _ = reason.removeprefix(f"Skipped: {NEEDS}").partition(":")
        if colon and reason.startswith(f"Skipped: {NEEDS}"):
            missing[what] += 1
    if missing:
        counts = ", ".join(f"{what} ({count})" for what, count in sorted(missing.items()))
        terminalreporter.write_line(
            f"tests that did NOT run: {missing.total()}, for want of {counts}",
            yellow=True,
            bold=True,
        )


@pytest.fixture(scope="session", autouse=True)
def no_process_left() -> Iterator[None]:
    """Fails the run when a process that any test started, however indirectly, is still alive.

    As the subreaper this process inherits every orphan, so that nobody can hide by detaching.
    """
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    before = descendants(os.getpid())
    yield
    end = time.monotonic() + DEATH_TIMEOUT_S
    for pid in descendants(os.getpid()) - before:
        ended(pid, max(0.0, end - time.monotonic()))
    left = descendants(os.getpid()) - before
    assert not left, f"left behind: {[command_of(pid) for pid in left]}"


def descendants(ancestor: int) -> set[int]:
    """Every live process below one, by the parents that /proc tells; zombies do not count."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_bytes().rpartition(b")")[2].split()[:2]
        except OSError:
            continue
        if state != b"Z":
            parents[int(stat.parent.name)] = int(parent)
    found: set[int] = set()
    frontier = {ancestor}
    while frontier:
        frontier = {pid for pid, parent in parents.items() if parent in frontier} - found
        found |= frontier
    return found


def ended(pid: int, timeout_s: float) -> bool:
    """Whether the process, anybody's, is gone by then; a zombie is."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([pidfd], [], [], timeout_s)[0])
    finally:
        os.close(pidfd)


def command_of(pid: int) -> str:
    """For the error text."""
    try:
        line = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        line = "?"
    return f"{pid}: {line}"
