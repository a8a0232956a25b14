"""What becomes of settings that change while Loki runs: which keys differ, and when each holds."""

import copy
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from loki.messages.configuration import SettingEffect

Keys: TypeAlias = tuple[str, ...]
"""The tables and the key that lead to a value."""

BARE = re.compile(r"[A-Za-z0-9_-]+")
EFFECTS: Mapping[Keys, SettingEffect] = {}
"""By the start of a key; whatever is not here holds after a restart."""
MISSING = object()


@dataclass(frozen=True, slots=True)
class Change:
    """One key that has another value than before, or is new, or gone."""

    at: Keys
    effect: SettingEffect

    @property
    def key(self) -> str:
        return key_text(self.at)


def key_text(at: Keys) -> str:
    """As TOML has it: `security.principals."a.b".roles`."""
    return ".".join(
        key if BARE.fullmatch(key) else json.dumps(key, ensure_ascii=False) for key in at
    )


def leaves(table: Mapping[str, object], at: Keys = ()) -> Iterator[tuple[Keys, object]]:
    """Every value that is no table, and every empty table, by key."""
    for key in sorted(table):
        value, place = table[key], (*at, key)
        if isinstance(value, Mapping) and value:
            yield from leaves(value, place)
        else:
            yield place, value


def found_at(table: object, at: Keys) -> object:
    """The value there, or MISSING."""
    for key in at:
        if not isinstance(table, Mapping) or key not in table:
            return MISSING
        table = table[key]
    return table


def effect_of(at: Keys) -> SettingEffect:
    """When a change of that key holds."""
    starts = (at[:end] for end in range(len(at), 0, -1))
    return next((EFFECTS[start] for start in starts if start in EFFECTS), SettingEffect.RESTART)


def changes(old: Mapping[str, object], new: Mapping[str, object]) -> tuple[Change, ...]:
    """What differs, by key. A table that is empty is as one that is not there."""
    before, after = dict(_filled(old)), dict(_filled(new))
    return tuple(
        Change(at, effect_of(at))
        for at in sorted(before.keys() | after.keys())
        if before.get(at, MISSING) != after.get(at, MISSING)
    )


def merged(running: Mapping[str, object], wanted: Mapping[str, object]) -> dict[str, object]:
    """What holds without a restart: `running`, with all that may change meanwhile as `wanted`."""
    result = copy.deepcopy(dict(running))
    for start in EFFECTS:
        table = result
        for key in start[:-1]:
            table = table.setdefault(key, {})  # type: ignore[assignment]  # A table, by the models.
        value = found_at(wanted, start)
        if value is MISSING:
            table.pop(start[-1], None)
        else:
            table[start[-1]] = copy.deepcopy(value)
    return result


def _filled(table: Mapping[str, object]) -> Iterator[tuple[Keys, object]]:
    return ((at, value) for at, value in leaves(table) if value != {})
