"""How a restored state takes the place of the one that there is: wholly or not at all.

Theory of operation. What was sent is unpacked and verified in a folder that nobody believes, beside
the state. One rename gives that folder the name that decides: from then on the restored state is
the one that counts. Hel ends, and whenever it starts it first brings to an end what was decided,
before it opens anything. Each step is one rename, and which one is next can be seen from what is
there: a part whose new version still waits has not been replaced yet. So a kill between any two
steps changes nothing about the end, and there is no moment at which old and new data are used
together. The log of SQLite goes aside before its database: with another one it would spoil it.
"""

import os
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

import msgspec

from hel_actor import plain_file
from hel_actor.backup.snapshot import DATABASE, FILES, SERIES
from hel_actor.storage import Disk, Storage
from loki.errors import IoError

UNDECIDED = ".restore.partial"
DECIDED = ".restore"
NEW, OLD, PLAN = "new", "old", "plan.json"
PARTS = (DATABASE, FILES, SERIES)
SIDECARS = {DATABASE: (f"{DATABASE}-wal", f"{DATABASE}-shm")}
ASIDE = "before-restore-"
TIME = "%Y%m%dT%H%M%S.%fZ"


class Plan(msgspec.Struct, frozen=True):
    """What was decided: of which restore, and where the old state is kept."""

    id: str
    aside: str  # A name beneath the state directory.


@dataclass(frozen=True, slots=True)
class Rename:
    source: str
    target: str


@dataclass(frozen=True, slots=True)
class Remove:
    folder: str


Step: TypeAlias = Rename | Remove


def aside_of(time: datetime) -> str:
    """Where the old state is kept of a restore at that time, UTC: a name."""
    return f"{ASIDE}{time:{TIME}}"


def time_of(aside: str) -> datetime | None:
    """When a restore was that kept this, UTC; None where somebody else chose the name."""
    try:
        return datetime.strptime(aside, f"{ASIDE}{TIME}").replace(tzinfo=UTC)
    except ValueError:
        return None


def next_step(there: Collection[str], aside: str) -> Step | None:
    """What comes next, by which of `places` are there; None when nothing is left to do."""
    if UNDECIDED in there:
        return Remove(UNDECIDED)
    if DECIDED not in there:
        return None
    for part in PARTS:
        if f"{DECIDED}/{NEW}/{part}" not in there:
            continue
        for name in (*SIDECARS.get(part, ()), part):
            if name in there:
                return Rename(name, f"{DECIDED}/{OLD}/{name}")
        return Rename(f"{DECIDED}/{NEW}/{part}", part)
    if f"{DECIDED}/{OLD}" in there:
        return Rename(f"{DECIDED}/{OLD}", aside)
    return Rename(DECIDED, UNDECIDED)


def places() -> tuple[str, ...]:
    """All that `next_step` looks at, relative to the state directory."""
    names = [name for part in PARTS for name in (*SIDECARS.get(part, ()), part)]
    new = [f"{DECIDED}/{NEW}/{part}" for part in PARTS]
    return (UNDECIDED, DECIDED, f"{DECIDED}/{OLD}", *names, *new)


def decide(state: Path, plan: Plan, storage: Storage | None = None) -> None:
    """Let what was verified in the undecided folder count from now on. Raises: OSError."""
    disk = storage or Disk()
    folder = state / UNDECIDED
    disk.make_directory(folder / OLD)
    disk.write(folder / PLAN, msgspec.json.encode(plan))
    disk.sync_directory(folder)
    disk.rename(folder, state / DECIDED)
    disk.sync_directory(state)


def finish(state: Path, storage: Storage | None = None) -> Plan | None:
    """Bring to an end what was decided, if anything was; what was not is removed.

    Raises: IoError when the disk refuses; the next try goes on where this one was.
    """
    disk = storage or Disk()
    try:
        plan = decided(state)
        while (step := next_step(_there(state), plan.aside if plan else "")) is not None:
            _perform(step, state, disk)
    except (OSError, msgspec.MsgspecError) as error:
        raise IoError(
            f"the restored backup in {state / DECIDED} cannot take the place of the data: {error}"
        ) from error
    return plan


def _perform(step: Step, state: Path, disk: Storage) -> None:
    match step:
        case Rename(source, target):
            disk.rename(state / source, state / target)
            for folder in {(state / target).parent, (state / source).parent}:
                disk.sync_directory(folder)
        case Remove(name):
            disk.remove_tree(state / name)


def decided(state: Path) -> Plan | None:
    """What was decided and is not done. Raises: OSError; MsgspecError."""
    folder = state / DECIDED
    if not os.path.lexists(folder):
        return None
    content = plain_file.read(folder / PLAN, plain_file.DESCRIPTION_BYTES)
    return msgspec.json.decode(content, type=Plan)


def _there(state: Path) -> frozenset[str]:
    return frozenset(place for place in places() if os.path.lexists(state / place))
