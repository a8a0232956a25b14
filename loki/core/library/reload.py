"""What becomes of the tools of files when the files were read again."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from loki.messages.event import ConfigRejected, ScriptChange, ScriptChanged
from loki.messages.script import Script
from loki.v1_name import camel_case

MOST_NAMES = 10


@dataclass(frozen=True, slots=True)
class Reading:
    """What all files say at one moment."""

    scripts: tuple[Script, ...]
    broken: frozenset[str] = frozenset()  # Names of entries that are there, and not good.
    unread: frozenset[str] = frozenset()  # Files of which nobody knows what they say.
    rejected: tuple[ConfigRejected, ...] = ()  # Each thing that is wrong.


def after(held: Mapping[str, Script], reading: Reading) -> dict[str, Script]:
    """The tools of files from now on: what is not good stays as it was, what is gone goes.

    A good entry takes the name, or method name, of one that only stays.
    """
    good = {script.name: script for script in reading.scripts}
    methods = {camel_case(name) for name in good}
    stay = {
        name: script
        for name, script in held.items()
        if (name in reading.broken or script.declared_in in reading.unread)
        and camel_case(name) not in methods
    }
    return {**stay, **good}


@dataclass(frozen=True, slots=True)
class Difference:
    """Between two libraries."""

    changed: tuple[Script, ...]  # New ones too.
    removed: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.changed or self.removed)


def difference(old: Mapping[str, Script], new: Mapping[str, Script]) -> Difference:
    """What whoever knows the old one needs to hear, by name."""
    return Difference(
        changed=tuple(new[name] for name in sorted(new) if new[name] != old.get(name)),
        removed=tuple(sorted(old.keys() - new.keys())),
    )


def summary(facts: Sequence[ScriptChanged]) -> str:
    """One line for the log."""
    counts = Counter(fact.change for fact in facts)
    said = ", ".join(f"{counts[change]} {change.value}" for change in ScriptChange)
    names = ", ".join(fact.name for fact in facts[:MOST_NAMES])
    return f"files changed: {said} ({names}{', ...' if len(facts) > MOST_NAMES else ''})"
