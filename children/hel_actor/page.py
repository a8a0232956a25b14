"""Pages of long lists: no answer may be longer than a message."""

from collections.abc import Sequence
from typing import TypeVar

from loki.errors import InvalidArgument, ResourceLimitExceeded

T = TypeVar("T", bound=Sequence[str])


def wanted(limit: int | None, most: int) -> int:
    """How many to read for a caller who wants `limit`, or all: then one too many tells so.

    Raises: InvalidArgument for a limit that is none of 1 to `most`.
    """
    if limit is None:
        return most + 1
    if not 1 <= limit <= most:
        raise InvalidArgument(
            f"limit is {limit}; 1 to {most} are allowed", details={"field": "limit"}
        )
    return limit


def whole(found: T, most: int, what: str) -> T:
    """What was found. Raises: ResourceLimitExceeded where it is one too many."""
    if len(found) > most:
        raise ResourceLimitExceeded(
            f"there are more than {most} {what}; ask for pages: {{limit = {most}}}, and then the "
            "same with after = the last one of the page before"
        )
    return found
