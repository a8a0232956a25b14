"""Names that people choose, and the nearest known one to a mistyped one."""

import re
from collections.abc import Iterable
from difflib import get_close_matches

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
"""Of a tool, and of what is named like one."""


def suggest(name: str, known: Iterable[str]) -> str:
    """A half-sentence to put behind "unknown ...", or "" where nothing is near."""
    near = get_close_matches(name, list(known), n=1)
    return f"; did you mean '{near[0]}'?" if near else ""
