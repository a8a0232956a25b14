"""What becomes of settings that change while Loki runs: which keys differ, and when each holds."""

import copy
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from loki.messages.configuration import SettingEffect

Keys: TypeAlias = tuple[str, ...]
"""The tables and the key that lead to a value."""

BARE = re.compile(r"[A-Za-z0-9_-]+")
ANY = "*"
EFFECTS: Mapping[Keys, SettingEffect] = {
    ("tools",): SettingEffect.NOW,
    ("script_storage_path",): SettingEffect.NOW,
    ("resource_limits",): SettingEffect.NEXT_RUN,
    ("resource_limits", "ceiling", "max_memory_mb"): SettingEffect.RESTART,
    ("queue",): SettingEffect.NOW,
    ("supervision", "intensity"): SettingEffect.NOW,
    ("supervision", "period_s"): SettingEffect.NOW,
    ("children_config", ANY): SettingEffect.NOW,
    ("children_config", ANY, "enabled"): SettingEffect.RESTART,
    ("children_config", ANY, "address"): SettingEffect.RESTART,
    ("children_config", ANY, "missed_heartbeats"): SettingEffect.RESTART,
    ("security", "anonymous_loopback"): SettingEffect.NOW,
    ("security", "quotas"): SettingEffect.NOW,
    ("security", "principals"): SettingEffect.NOW,
    ("security", "default_permissions"): SettingEffect.NEXT_RUN,
    ("security", "adhoc_permissions"): SettingEffect.NEXT_RUN,
}
"""By the start of a key, the longest of which counts; ANY is any key there.

What is not here holds after a restart: addresses, the set of children, what guards every
connection, and what runners are made with.
"""
MISSING = object()
MOST_TOLD = 20


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
    matching = [pattern for pattern in EFFECTS if _leads_to(pattern, at)]
    return EFFECTS[max(matching, key=len)] if matching else SettingEffect.RESTART


def _leads_to(pattern: Keys, at: Keys) -> bool:
    return len(pattern) <= len(at) and all(
        wanted in (ANY, key) for wanted, key in zip(pattern, at, strict=False)
    )


def changes(old: Mapping[str, object], new: Mapping[str, object]) -> tuple[Change, ...]:
    """What differs, by key. A table that is empty is as one that is not there."""
    before, after = dict(_filled(old)), dict(_filled(new))
    return tuple(
        Change(at, effect_of(at))
        for at in sorted(before.keys() | after.keys())
        if before.get(at, MISSING) != after.get(at, MISSING)
    )


def merged(
    running: Mapping[str, object], wanted: Mapping[str, object], back: Collection[str] = ()
) -> dict[str, object]:
    """What holds without a restart: `wanted`, but for what waits for one, and the tables `back`."""
    result = copy.deepcopy(dict(wanted))
    for change in changes(running, wanted):
        if change.effect is SettingEffect.RESTART:
            _put(result, change.at, found_at(running, change.at))
    for table in back:
        _put(result, (table,), found_at(running, (table,)))
    return result


def _put(table: dict[str, object], at: Keys, value: object) -> None:
    """MISSING takes the key away."""
    *around, key = at
    for name in around:
        table = table.setdefault(name, {})  # type: ignore[assignment]  # A table, by the models.
    if value is MISSING:
        table.pop(key, None)
    else:
        table[key] = copy.deepcopy(value)


def summary(*, changed: Sequence[str], restarted: Sequence[str], waiting: Sequence[str]) -> str:
    """One line for people."""
    parts = (
        (changed, "changed"),
        (restarted, "restarted"),
        (waiting, "waiting for the next start"),
    )
    told = "; ".join(f"{', '.join(names)} {what}" for names, what in parts if names)
    return told or "all of the file holds"


def few(names: Sequence[str]) -> tuple[str, ...]:
    """As many as people read, the last of which then says how many more there are."""
    if len(names) <= MOST_TOLD:
        return tuple(names)
    return (*names[: MOST_TOLD - 1], f"and {len(names) - MOST_TOLD + 1} more")


def _filled(table: Mapping[str, object]) -> Iterator[tuple[Keys, object]]:
    return ((at, value) for at, value in leaves(table) if value != {})
