"""What follows from what the state directory looks like from outside."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from loki.messages.finding import Finding, Need

LITTLE_BYTES = 64 * 1024 * 1024
"""With less free disk Loki's own files soon do not fit."""
PRIVATE = 0o077


@dataclass(frozen=True, slots=True)
class FolderFacts:
    """The directory as the kernel tells of it; `holder` is the pid that serves it, or 0."""

    path: str
    exists: bool = True
    is_folder: bool = True
    owner: int = 0
    user: int = 0  # Who looks.
    mode: int = 0o700
    free_bytes: int = 0
    is_read_only: bool = False  # Its file system.
    holder: int = 0
    is_named: bool = True  # False for the default where no settings were given or found.


def findings(facts: FolderFacts) -> Iterator[Finding]:
    subject = facts.path
    if not facts.exists:
        yield _absent(facts)
        return
    if not facts.is_folder:
        remedy = "move it away, or choose another state_dir"
        yield Finding(Need.PERSON, subject, "is no folder", remedy)
        return
    yield _served(facts)
    if facts.is_read_only:
        remedy = "look why (dmesg), check the disk, mount it writable again; until then only read"
        text = "its file system is read-only: no change is taken, and no Loki can start"
        yield Finding(Need.PERSON, subject, text, remedy)
    if facts.owner != facts.user:
        text = f"belongs to user {facts.owner}, and you are user {facts.user}"
        yield Finding(Need.PERSON, subject, text, "run Loki and this as its owner, or change that")
    if facts.mode & PRIVATE:
        text = f"others may look into it (mode {facts.mode:04o})"
        yield Finding(Need.PERSON, subject, text, f"chmod 700 {facts.path}")


def _absent(facts: FolderFacts) -> Finding:
    text = "is not there yet; Loki makes it at its first start"
    if facts.is_named:
        return Finding(Need.NOBODY, facts.path, text)
    text = f"{text}. It is the default: no settings were given or found"
    remedy = "to look at another, name the settings that Loki runs with: --config FILE"
    return Finding(Need.HINT, facts.path, text, remedy)


def _served(facts: FolderFacts) -> Finding:
    """Who serves it and how much room there is, in one line."""
    state = f"served by process {facts.holder}" if facts.holder else "no Loki serves it"
    free = f"{facts.free_bytes / 1e6:.0f} MB of disk"
    if facts.free_bytes < LITTLE_BYTES:
        remedy = "make room: what scripts keep may be refused"
        return Finding(Need.PERSON, facts.path, f"{state}, only {free} are free", remedy)
    return Finding(Need.NOBODY, facts.path, f"{state}, {free} free")


def worst(found: Iterable[Finding]) -> int:
    """The exit code: 0 where all is well, 1 where anything is not."""
    return int(any(not each.need.is_well for each in found))
