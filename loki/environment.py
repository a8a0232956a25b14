"""Settings that environment variables give, and what becomes of those of the file."""

import copy
from collections.abc import Mapping

import tomli

from loki.tool.problem import Place

PREFIX = "LOKI_"
NOT_SETTINGS = frozenset(
    f"{PREFIX}{word}"  # Of the client, and of the tests.
    for word in ("SERVER", "TLS_CA", "TLS_CERT", "TLS_KEY", "TOKEN_FILE", "REQUIRE")
)


def from_environment(variables: Mapping[str, str]) -> dict[Place, tuple[str, object]]:
    """Place of a setting -> (variable, value): LOKI_QUEUE__MAX_LENGTH is queue.max_length."""
    found: dict[Place, tuple[str, object]] = {}
    for name, text in sorted(variables.items()):
        if name.startswith(PREFIX) and name not in NOT_SETTINGS:
            place = tuple(name.removeprefix(PREFIX).lower().split("__"))
            found[place] = (name, _value(text))
    return found


def overlaid(data: Mapping[str, object], values: Mapping[Place, object]) -> dict[str, object]:
    """`data` with the values at these places; `data` itself stays as it is."""
    result = copy.deepcopy(dict(data))
    for place, value in values.items():
        table = result
        for key in place[:-1]:
            inner = table.setdefault(str(key), {})
            if not isinstance(inner, dict):
                break  # The validation tells what is wrong with it.
            table = inner
        else:
            table[str(place[-1])] = value
    return result


def _value(text: str) -> object:
    """As TOML would read it; what it cannot read is a string."""
    try:
        return tomli.loads(f"value = {text}")["value"]
    except tomli.TOMLDecodeError:
        return text
