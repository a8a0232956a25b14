"""Settings as others may see them: without what their keys, or a URL, say is a secret."""

import re
from collections.abc import Mapping

from loki.tool.problem import HIDDEN, SECRET

ELSEWHERE = re.compile(r"_(file|env|path)$", re.IGNORECASE)
"""Such a key tells where a secret is, not what it is."""
USER_INFO = re.compile(r"(?<=://)[^/?#\s]*@")


def redacted(value: object, key: str = "") -> object:
    """`value`, which stands at `key`, as JSON has it; nothing of a secret, nor of what is in it.

    What is empty, or no string, number, list or table, tells nothing and stays.
    """
    if SECRET.search(key) and not ELSEWHERE.search(key):
        return HIDDEN if value not in ("", None, [], {}) and not isinstance(value, bool) else value
    if isinstance(value, Mapping):
        return {str(name): redacted(inner, str(name)) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [redacted(inner) for inner in value]
    if isinstance(value, str):
        return USER_INFO.sub(f"{HIDDEN}@", value)
    return value
