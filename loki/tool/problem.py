"""What is wrong with people's input: one line each, with place, key, value and remedy."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import starmap
from typing import Any, TypeAlias, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from loki.core.name import suggest

Place: TypeAlias = tuple[str | int, ...]
"""Keys and zero-based list positions that lead to a value."""

SHOWN = 60
HIDDEN = "(hidden)"
MISSING = object()
SECRET = re.compile(r"password|passphrase|secret|token|credential|api_?key", re.IGNORECASE)
MESSAGES: dict[str, str] = {
    "missing": "is required",
    "string_type": "must be a string",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_parsing_size": "is far too large",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "dict_type": "must be a table",
    "model_type": "must be a table",
    "model_attributes_type": "must be a table",
    "path_type": "must be a path",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "greater_than": "must be more than {gt}",
    "less_than": "must be less than {lt}",
    "finite_number": "must be finite",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters",
    "too_long": "must have at most {max_length} entries",
}


class Table(BaseModel):
    """A TOML table: frozen, exact about types, and no key is passed over in silence."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


@dataclass(frozen=True, slots=True)
class Problem:
    """One rule that one value breaks."""

    where: str  # File and line, or the environment variable.
    entry: str  # "tools[2] 'average'", or "".
    key: str
    value: str  # As TOML, shortened; "" where there is none.
    text: str  # What is allowed instead.

    def __str__(self) -> str:
        return ": ".join(part for part in (self.where, self.say()) if part)

    def say(self) -> str:
        """All but its place."""
        key = " = ".join(part for part in (self.key, self.value) if part)
        return ": ".join(part for part in (self.entry, key, self.text) if part)


@dataclass(frozen=True, slots=True)
class Breach:
    """One broken rule inside a table that pydantic is looking at."""

    at: Place  # Starts at that table.
    value: object
    text: str


def broken(*breaches: Breach) -> PydanticCustomError:
    """What a validator of ours raises; pydantic adds the place of its table."""
    return PydanticCustomError("breach", "breach", {"breaches": breaches})


def problems_of(
    error: ValidationError,
    model: type[BaseModel],
    where: Callable[[Place], str],
    entry: str = "",
    *,
    at: Place = (),
) -> tuple[Problem, ...]:
    """Every rule that pydantic found broken in the table at `at`.

    `where` tells the file and line of a place.
    """
    return tuple(
        Problem(where(place), entry, key_of(place), show(breach), breach.text)
        for details in error.errors(include_url=False)
        for breach in _breaches(details, model)
        for place in ((*at, *breach.at),)
    )


def key_of(place: Place) -> str:
    """As people write it; positions count from 1: `parameters[2].type`."""
    parts = (f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in place)
    return "".join(parts).removeprefix(".")


def show(breach: Breach) -> str:
    """The start of the value as TOML, unless its key says that it is a secret."""
    if breach.value is MISSING:
        return ""
    names = (part for part in breach.at if isinstance(part, str))
    text = HIDDEN if any(map(SECRET.search, names)) else _toml(breach.value)
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"


def _breaches(details: ErrorDetails, model: type[BaseModel]) -> Iterator[Breach]:
    place: Place = details["loc"]
    context = details.get("ctx", {})
    match details["type"]:
        case "breach":
            for breach in context["breaches"]:
                yield Breach((*place, *breach.at), breach.value, breach.text)
        case "extra_forbidden":
            known = _known(model, place[:-1])
            allowed = f" (known: {', '.join(known)})" if known else ""
            hint = suggest(str(place[-1]), known)
            yield Breach(place, details["input"], f"unknown key{hint}{allowed}")
        case "missing":
            yield Breach(place, MISSING, MESSAGES["missing"])
        case "literal_error":
            yield Breach(place, details["input"], _one_of(details["input"], context["expected"]))
        case kind:
            text = details["msg"].removeprefix("Value error, ")
            if kind in MESSAGES:
                text = MESSAGES[kind].format_map(context)
            yield Breach(place, details["input"], text)


def _one_of(value: object, expected: str) -> str:
    hint = suggest(str(value), re.findall(r"'(.*?)'", expected))
    return f"must be one of {expected}{hint}"


def _known(annotation: Any, place: Place) -> list[str]:
    """The keys of the table at `place`, for a hint."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if not place:
            return list(annotation.model_fields)
        field = annotation.model_fields.get(str(place[0]))
        return _known(field.annotation, place[1:]) if field else []
    if get_origin(annotation) in (list, tuple, dict):
        return _known(get_args(annotation)[-1], place[1:])
    return next((keys for arg in get_args(annotation) if (keys := _known(arg, place))), [])


def _toml(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return '"' + value[: SHOWN + 1].replace("\n", "\\n").replace('"', '\\"') + '"'
        case dict():
            return "{ " + ", ".join(starmap(_pair, value.items())) + " }" if value else "{}"
        case list() | tuple():
            return "[" + ", ".join(map(_toml, value)) + "]"
        case _:
            return str(value)


def _pair(key: object, item: object) -> str:
    return f"{key} = {HIDDEN if SECRET.search(str(key)) else _toml(item)}"
