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
    holder: int = 0


def findings(facts: FolderFacts) -> Iterator[Finding]:
    subject = facts.path
    if not facts.exists:
        yield Finding(Need.NOBODY, subject, "is not there yet; Loki makes it at its first start")
        return
    if not facts.is_folder:
        remedy = "move it away, or choose another state_dir"
        yield Finding(Need.PERSON, subject, "is no folder", remedy)
        return
    state = f"served by process {facts.holder}" if facts.holder else "no Loki serves it"
    yield Finding(Need.NOBODY, subject, f"{state}, {facts.free_bytes / 1e6:.0f} MB of disk free")
    if facts.owner != facts.user:
        text = f"belongs to user {facts.owner}, and you are user {facts.user}"
        yield Finding(Need.PERSON, subject, text, "run Loki and this as its owner, or change that")
    if facts.mode & PRIVATE:
        text = f"others may look into it (mode {facts.mode:04o})"
        yield Finding(Need.PERSON, subject, text, f"chmod 700 {facts.path}")
    if facts.free_bytes < LITTLE_BYTES:
        text = f"only {facts.free_bytes / 1e6:.0f} MB of disk are free"
        yield Finding(Need.PERSON, subject, text, "make room: what scripts keep may be refused")


def worst(found: Iterable[Finding]) -> int:
    """The exit code: 0 where all is well, 1 where anything is not."""
    return int(any(not each.need.is_well for each in found))
