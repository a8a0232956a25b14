"""`key=value` words of a command line as typed arguments of a script."""

import base64
import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NoReturn, TypeAlias

Argument: TypeAlias = (
    "bool | int | float | str | bytes | list[Argument] | dict[str, Argument] | None"
)

BASE64 = "base64:"
SHOWN = 40


def read_arguments(pairs: Iterable[str], types: Mapping[str, str]) -> dict[str, Argument]:
    """Arguments by name. `types` are the declared ones; a name without one is guessed: JSON,
    else a string.

    Raises: ValueError that names the parameter and says what was expected.
    """
    arguments: dict[str, Argument] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise ValueError(f"argument {pair!r}: write it as KEY=VALUE")
        if name in arguments:
            raise ValueError(f"argument '{name}': given twice")
        try:
            arguments[name] = read_argument(text, types.get(name, "any"))
        except ValueError as error:
            raise ValueError(f"argument '{name}': {error}") from None
    return arguments


def read_argument(text: str, type_: str) -> Argument:
    """One value; `@file` is the content of a file, and `@@text` is `@text`.

    Raises: ValueError.
    """
    if text.startswith("@@"):
        return parse(text[1:], type_)
    if not text.startswith("@"):
        return parse(text, type_)
    content = _content(Path(text[1:]))
    if type_ == "bytes":
        return content
    try:
        return parse(content.decode(), type_)
    except UnicodeDecodeError:
        raise ValueError(f"{text[1:]} is not UTF-8 text") from None


def parse(text: str, type_: str) -> Argument:
    """Raises: ValueError that says what was expected."""
    match type_:
        case "string":
            return text
        case "integer":
            return _integer(text)
        case "number":
            return _number(text)
        case "boolean":
            return _boolean(text)
        case "bytes":
            return _bytes(text)
        case "object" | "array":
            return _nested(text, type_)
        case _:
            return _guess(text)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        _refuse("a whole number", text)


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        _refuse("a number", text)
    return number if math.isfinite(number) else _refuse("a finite number", text)


def _boolean(text: str) -> bool:
    if text.strip().lower() not in ("true", "false"):
        _refuse("true or false", text)
    return text.strip().lower() == "true"


def _bytes(text: str) -> bytes:
    if not text.startswith(BASE64):
        _refuse("bytes as base64:... or @file", text)
    try:
        return base64.b64decode(text.removeprefix(BASE64), validate=True)
    except ValueError:
        _refuse("base64", text)


def _nested(text: str, type_: str) -> Argument:
    try:
        value = _json(text)
    except ValueError as error:
        raise ValueError(f"expected an {type_} as JSON: {error}") from None
    if not isinstance(value, dict if type_ == "object" else list):
        _refuse(f"an {type_} as JSON", text)
    return value


def _guess(text: str) -> Argument:
    try:
        return _json(text)
    except ValueError:
        return text


def _json(text: str) -> Argument:
    try:
        value: Argument = json.loads(text, parse_constant=_not_finite, parse_float=_finite)
    except RecursionError:
        raise ValueError("nested too deep") from None
    return value


def _finite(text: str) -> float:
    """JSON has no infinity, but for numbers that are too large for a float."""
    number = float(text)
    return number if math.isfinite(number) else _not_finite(text)


def _not_finite(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no finite number")


def _refuse(expected: str, text: str) -> NoReturn:
    shown = text if len(text) <= SHOWN else text[:SHOWN] + "…"
    raise ValueError(f"expected {expected}, got {shown!r}")
