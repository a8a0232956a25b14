"""A restored state takes the place of the old one wholly, whenever it is interrupted."""

import os
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hel_actor.backup import swap
from hel_actor.backup.swap import (
    DECIDED,
    OLD,
    PARTS,
    SIDECARS,
    UNDECIDED,
    Plan,
    Remove,
    Rename,
    Step,
    aside_of,
    next_step,
    places,
    time_of,
)
from hel_actor.storage import Disk

from loki.errors import IoError
from tests.unit.children.hel_actor.failing import FailingDisk, Failure
from tests.unit.children.hel_actor.strange import STRANGE

ASIDE = "before-restore-x"
NEW_PARTS = {f"{DECIDED}/new/{part}" for part in PARTS}
OLD_PARTS = {*PARTS, *(name for names in SIDECARS.values() for name in names)}
JUST_DECIDED = {DECIDED, f"{DECIDED}/{OLD}", *NEW_PARTS}


@pytest.mark.parametrize(
    ("there", "step"),
    [
        (set(), None),
        (OLD_PARTS, None),
        ({UNDECIDED, *OLD_PARTS}, Remove(UNDECIDED)),
        ({UNDECIDED, *JUST_DECIDED}, Remove(UNDECIDED)),
        ({*JUST_DECIDED, *OLD_PARTS}, Rename("hel.sqlite-wal", ".restore/old/hel.sqlite-wal")),
        ({*JUST_DECIDED, *PARTS}, Rename("hel.sqlite", ".restore/old/hel.sqlite")),
        ({*JUST_DECIDED, "files", "series"}, Rename(".restore/new/hel.sqlite", "hel.sqlite")),
        (
            JUST_DECIDED - {".restore/new/hel.sqlite"} | set(PARTS),
            Rename("files", ".restore/old/files"),
        ),
        ({DECIDED, f"{DECIDED}/{OLD}", *PARTS}, Rename(f"{DECIDED}/{OLD}", ASIDE)),
        ({DECIDED, *PARTS}, Rename(DECIDED, UNDECIDED)),
    ],
)
def test_what_is_next_shows_in_what_is_there(there: set[str], step: Step | None) -> None:
    assert next_step(there, ASIDE) == step


def subsets(names: Iterable[str]) -> Iterable[frozenset[str]]:
    found = [frozenset[str]()]
    for name in names:
        found += [each | {name} for each in found]
    return found


@pytest.mark.parametrize("before", subsets(sorted(OLD_PARTS)))
def test_whatever_was_there_all_of_the_new_is_there_at_the_end(before: frozenset[str]) -> None:
    """Also after a kill between any two steps: the next step depends on nothing else."""
    there = dict.fromkeys(JUST_DECIDED, "new") | dict.fromkeys(before, "old")
    steps = 0
    while (step := next_step(there, ASIDE)) is not None:
        steps += 1
        assert steps < 20
        if isinstance(step, Remove):
            there = {name: v for name, v in there.items() if not name.startswith(step.folder)}
            continue
        assert step.target not in there
        there = {
            step.target + name.removeprefix(step.source)
            if name == step.source or name.startswith(f"{step.source}/")
            else name: value
            for name, value in there.items()
        }
    kept = {name.partition("/")[2] for name in there if name.startswith(f"{ASIDE}/")}
    assert kept == before
    assert {name for name, value in there.items() if value == "new"} - {ASIDE} == set(PARTS)


def test_a_database_never_meets_the_log_of_another() -> None:
    there = set(JUST_DECIDED | OLD_PARTS)
    while isinstance(step := next_step(there, ASIDE), Rename):
        there = {step.target if name == step.source else name for name in there}
        if step.target == "hel.sqlite":
            assert not {"hel.sqlite-wal", "hel.sqlite-shm"} & there
            return
    raise AssertionError("the database was never replaced")


# The same on a disk.


def fill(folder: Path, what: str, *, sidecars: bool = False) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("hel.sqlite", *(SIDECARS["hel.sqlite"] if sidecars else ())):
        (folder / name).write_text(what)
    for name in ("files", "series"):
        (folder / name / "tool").mkdir(parents=True)
        (folder / name / "tool/a").write_text(what)


def content(folder: Path) -> dict[str, str]:
    names = ("hel.sqlite", *SIDECARS["hel.sqlite"], "files/tool/a", "series/tool/a")
    return {name: (folder / name).read_text() for name in names if (folder / name).exists()}


NEW = dict.fromkeys(("hel.sqlite", "files/tool/a", "series/tool/a"), "new")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    fill(tmp_path, "old", sidecars=True)
    fill(tmp_path / UNDECIDED / "new", "new")
    return tmp_path


def test_a_decided_state_is_there_and_the_old_one_is_aside(state: Path) -> None:
    old = content(state)
    swap.decide(state, Plan("r1", ASIDE))
    assert content(state) == old
    assert swap.finish(state) == Plan("r1", ASIDE)
    assert (content(state), content(state / ASIDE)) == (NEW, old)
    assert sorted(path.name for path in state.iterdir()) == [ASIDE, "files", "hel.sqlite", "series"]
    assert swap.finish(state) is None


def test_what_was_not_decided_is_removed(state: Path) -> None:
    old = content(state)
    assert swap.finish(state) is None
    assert content(state) == old
    assert not (state / UNDECIDED).exists()


def test_a_fresh_device_has_nothing_to_keep(tmp_path: Path) -> None:
    fill(tmp_path / UNDECIDED / "new", "new")
    swap.decide(tmp_path, Plan("r1", ASIDE))
    swap.finish(tmp_path)
    assert (content(tmp_path), content(tmp_path / ASIDE)) == (NEW, {})


@pytest.mark.parametrize("how", list(Failure))
def test_an_interruption_of_any_step_leaves_the_old_or_leads_to_the_new(
    tmp_path: Path, how: Failure
) -> None:
    fails_at, fired = 0, True
    ends = set()
    while fired:
        fails_at += 1
        state = tmp_path / str(fails_at)
        fill(state, "old", sidecars=True)
        fill(state / UNDECIDED / "new", "new")
        old = content(state)
        disk = FailingDisk(fails_at, how)
        try:
            swap.decide(state, Plan("r1", ASIDE), disk)
            swap.finish(state, disk)
        except (OSError, IoError):
            ends.add(_after_a_restart(state, old))
        fired = disk.fired
    assert fails_at > 25
    assert ends == {"old", "new"}


def _after_a_restart(state: Path, old: dict[str, str]) -> str:
    swap.finish(state)
    found = content(state)
    assert not {path.name for path in state.iterdir()} & {DECIDED, UNDECIDED}
    if found == old:
        assert not (state / ASIDE).exists()
        return "old"
    assert (found, content(state / ASIDE)) == (NEW, old)
    return "new"


def test_a_disk_that_refuses_is_named(state: Path) -> None:
    swap.decide(state, Plan("r1", ASIDE), Disk())
    with pytest.raises(IoError, match=r"restored backup in .*\.restore cannot take the place"):
        swap.finish(state, FailingDisk(1))
    (state / DECIDED / "plan.json").write_text("{")
    with pytest.raises(IoError, match="cannot take the place"):
        swap.finish(state)


@pytest.mark.parametrize("strange", STRANGE)
def test_a_plan_that_is_no_file_is_told_and_not_waited_for(
    state: Path, strange: Callable[[Path], None]
) -> None:
    swap.decide(state, Plan("r1", ASIDE), Disk())
    strange(state / DECIDED / "plan.json")
    with pytest.raises(IoError, match=r"place of the data: plan\.json is a .*, not a plain file"):
        swap.finish(state)


@pytest.mark.parametrize("strange", STRANGE)
def test_what_was_not_decided_is_removed_whatever_it_is(
    state: Path, strange: Callable[[Path], None]
) -> None:
    strange(state / UNDECIDED)
    assert swap.finish(state) is None
    assert not os.path.lexists(state / UNDECIDED)


def test_all_that_decides_is_looked_at() -> None:
    assert set(places()) == {UNDECIDED, *JUST_DECIDED, *OLD_PARTS}


def test_the_name_of_what_is_kept_tells_its_time() -> None:
    time = datetime(2026, 2, 3, 4, 5, 6, 70, UTC)
    assert aside_of(time) == "before-restore-20260203T040506.000070Z"
    assert time_of(aside_of(time)) == time
    assert time_of("before-restore-mine") is None
