"""Changes keys in the text of a settings' file, and leaves all else as people wrote it."""

import json
import re
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

import tomli
import tomlkit
from tomlkit.exceptions import TOMLKitError

from loki.core.settings.change import MISSING, Keys, changes, key_text
from loki.errors import ErrorCode, InvalidArgument, LokiError

MOST_DEPTH = 32
STRANGE = re.compile("[\\x00\\ud800-\\udfff]")
"""What no path may have, and what is no character."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One key and its new value; MISSING takes it out of the file."""

    at: Keys
    value: object

    @property
    def key(self) -> str:
        return key_text(self.at)


def read_key(key: str) -> Keys:
    """The tables and the key that a dotted TOML key names. Raises: InvalidArgument."""
    found = _only_leaf(key, 0)
    if found is None or found != _only_leaf(key, 1):
        raise InvalidArgument(
            f"{key[:80]!r} is no key as in TOML, such as queue.max_length or "
            'security.principals."a.b".roles',
            details={"field": key[:80]},
        )
    return found


def _only_leaf(key: str, value: int) -> Keys | None:
    """Where `value` stands if it is given to that key, and nothing else; None where it is not."""
    if len(key.splitlines()) != 1:
        return None
    try:
        table: Any = tomli.loads(f"{key} = {value}")
    except (tomli.TOMLDecodeError, RecursionError):
        return None
    at: Keys = ()
    while isinstance(table, dict) and len(table) == 1:
        ((name, table),) = table.items()
        at = (*at, name)
    return at if table == value and 0 < len(at) <= MOST_DEPTH else None


def read_value(key: str, text: str) -> object:
    """A value that came as JSON. Raises: InvalidArgument."""
    try:
        value: object = json.loads(text, parse_constant=_refused)
    except (ValueError, RecursionError) as error:
        raise InvalidArgument(
            f"{key}: its value is no JSON: {error}", details={"field": key}
        ) from error
    if flaw := _flaw(value):
        raise InvalidArgument(f"{key}: {flaw}", details={"field": key})
    return value


def _refused(word: str) -> object:
    raise ValueError(f"JSON knows no {word}")


def _flaw(value: object, depth: int = 0) -> str:
    """Why no setting has that value; "" where one may."""
    if depth > MOST_DEPTH:
        return f"its value is nested more than {MOST_DEPTH} deep"
    match value:
        case None:
            return "settings have no null; to have the default again, take the key away"
        case str():
            return "its value has characters that no text has" if STRANGE.search(value) else ""
        case dict():
            inner: Iterable[object] = (*value, *value.values())
        case list():
            inner = value
        case _:
            return ""
    return next(filter(None, (_flaw(each, depth + 1) for each in inner)), "")


def edited(text: str, edits: Sequence[Edit], *, as_json: bool) -> str:
    """The text with these changes. Raises: LokiError (CONFIGURATION) where it cannot take them."""
    if as_json:
        return json.dumps(_applied(json.loads(text or "{}"), edits), indent=2) + "\n"
    try:
        document = tomlkit.parse(text)
        for edit in edits:
            _apply(document, edit)
        result = tomlkit.dumps(document)
        lost = changes(_applied(tomli.loads(text), edits), tomli.loads(result))
    except (TOMLKitError, tomli.TOMLDecodeError) as error:
        raise _beyond(str(error)) from error
    if lost:
        raise _beyond(f"{lost[0].key} is written in an unusual way")
    return result


def _beyond(why: str) -> LokiError:
    return LokiError(
        f"the settings' file cannot be changed from here ({why}): change it by hand",
        code=ErrorCode.CONFIGURATION,
    )


def _applied(data: dict[str, Any], edits: Sequence[Edit]) -> dict[str, Any]:
    for edit in edits:
        _apply(data, edit)
    return data


def _apply(table: MutableMapping[str, Any], edit: Edit) -> None:
    """Raises: LokiError (CONFIGURATION)."""
    for key in edit.at[:-1]:
        if key not in table:
            if edit.value is MISSING:
                return
            table[key] = {}
        table = table[key]
        if not isinstance(table, Mapping):
            raise _beyond(f"{edit.key}: '{key}' is no table there")
    if edit.value is not MISSING:
        table[edit.at[-1]] = edit.value
    elif edit.at[-1] in table:
        del table[edit.at[-1]]
