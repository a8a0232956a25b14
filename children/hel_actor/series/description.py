"""What the description of a series' files says of them: whose they are, and where they begin.

Nothing here needs numpy or zarr, and no file that somebody put there instead holds it up.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from hel_actor import plain_file
from hel_actor.plain_file import NotPlain

T = TypeVar("T")

NAME = "zarr.json"
TIME, VALUE, QUALITY = "time", "value", "quality"
ARRAYS = (TIME, VALUE, QUALITY)
MARK, DROPPED = "loki_series", "loki_dropped_chunks"


@dataclass(frozen=True, slots=True)
class Description:
    """The series' mark and the first chunk that has files; None for what it does not say."""

    mark: str | None = None
    dropped: int | None = None


def read(group: Path) -> Description:
    """That of a group; what is no description of ours says nothing.

    Raises: FileNotFoundError where there is none; OSError.
    """
    try:
        return parsed(plain_file.read(group / NAME, plain_file.DESCRIPTION_BYTES))
    except NotPlain:
        return Description()


def parsed(content: bytes) -> Description:
    """What such a document says, whatever is in it."""
    try:
        attributes = json.loads(content)["attributes"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return Description()
    if not isinstance(attributes, Mapping):
        return Description()
    dropped = _said(attributes, DROPPED, int)
    if dropped is not None and dropped < 0:
        dropped = None
    return Description(_said(attributes, MARK, str), dropped)


def _said(attributes: Mapping[str, Any], key: str, as_: Callable[[Any], T]) -> T | None:
    try:
        return as_(attributes[key])
    except (ValueError, KeyError, TypeError, OverflowError):
        return None
