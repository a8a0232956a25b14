"""Where people write what a script may do, and how much it may use."""

import re

SUFFIX = ".lua"
"""Of a script that may bring its manifest along, in its header."""
UPLOADED = "its registration"
"""What `Script.declared_in` says of a script that no file declares; "" is ad-hoc source."""


_HEADER = re.compile(r"^---[ \t]*loki:", re.MULTILINE)


def may_have_header(source: str) -> bool:
    """Whether it is worth looking for one; cheap, and never wrong about a source without."""
    return _HEADER.search(source) is not None


def place_of(script: str, declared_in: str) -> str:
    """The table that holds its permissions, for messages."""
    if not declared_in:
        return "[security.adhoc_permissions] of the settings"
    if declared_in == UPLOADED:
        return f"the permissions in {UPLOADED}"
    if declared_in.endswith(SUFFIX):
        return f"[permissions] in the header of {declared_in}"
    return f"[tools.permissions] of '{script}' in {declared_in}"


def limit_place(declared_in: str, limit: str) -> str:
    """Where the script that was declared there sets one of its limits, for messages."""
    if declared_in == UPLOADED:
        return f"{limit} in the limits of {UPLOADED}"
    if not declared_in or declared_in.endswith(SUFFIX):
        return f"[limits] {limit} in a `--- loki:` header at its top"
    return f"[tools.limits] {limit}"
