"""Attributes of a series as the database has them: an object as JSON, unless a disk garbled it."""

import json

from hel_actor.series.series import Attribute
from loki.messages.value import sound

KINDS = {bool, int, float, str}


def read(stored: object) -> dict[str, Attribute] | None:
    """What is stored, which is NULL for none; None where it is damaged."""
    if stored is None:
        return {}
    try:
        found = json.loads(stored) if isinstance(stored, str) else None
    except (ValueError, RecursionError):
        return None
    is_plain = isinstance(found, dict) and KINDS.issuperset(map(type, found.values()))
    return found if is_plain and sound(found) else None


def text(stored: str | None) -> str:
    """As JSON, for files and lists; where it is damaged, as of a series that has none."""
    return stored if stored is not None and read(stored) is not None else "{}"
