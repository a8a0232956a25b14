"""Where people write what a script may do."""

SUFFIX = ".lua"
"""Of a script that may bring its manifest along, in its header."""


def place_of(script: str, declared_in: str) -> str:
    """The table that holds its permissions, for messages; `declared_in` is "" for ad-hoc source."""
    if not declared_in:
        return "[security.adhoc_permissions] of the settings"
    if declared_in.endswith(SUFFIX):
        return f"[permissions] in the header of {declared_in}"
    return f"[tools.permissions] of '{script}' in {declared_in}"
