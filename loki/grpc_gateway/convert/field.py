"""Fields of requests whose types allow more than the API does: what is wrong is refused by name."""

from collections.abc import Mapping
from typing import TypeVar

from google.protobuf.message import Message as ProtoMessage

from loki.errors import InvalidArgument

V = TypeVar("V")

DEFAULT_PAGE = 100
LONGEST_PAGE = 1000


def refused(field: str, problem: str) -> InvalidArgument:
    """`problem` goes on after the field's name, and tells what is allowed."""
    return InvalidArgument(f"{field}{problem}", details={"field": field})


def time_ns(request: ProtoMessage, field: str) -> int | None:
    """A Timestamp in ns since 1970, from the year 1 to 9999; None where it is unset.

    Raises: InvalidArgument for one that is no time.
    """
    if not request.HasField(field):
        return None
    time = getattr(request, field)
    try:
        ns: int = time.ToNanoseconds()
    except ValueError as error:
        raise refused(
            field,
            f" is no time, with {time.seconds} seconds and {time.nanos} nanos since 1970: it is to "
            "be in the years 1 to 9999, with 0 to 999999999 nanos",
        ) from error
    return ns


def enum_of(request: ProtoMessage, field: str, known: Mapping[int, V]) -> V | None:
    """What the number of an enum stands for; None where it is unspecified.

    Raises: InvalidArgument for a number that is not `known`.
    """
    number = getattr(request, field)
    return _known(request, field, number, known) if number else None


def enums_of(request: ProtoMessage, field: str, known: Mapping[int, V]) -> frozenset[V]:
    """`enum_of` for a repeated field, where unspecified is not known either."""
    return frozenset(_known(request, field, number, known) for number in getattr(request, field))


def _known(request: ProtoMessage, field: str, number: int, known: Mapping[int, V]) -> V:
    if number in known:
        return known[number]
    enum = request.DESCRIPTOR.fields_by_name[field].enum_type
    names = [value.name for value in (enum.values if enum else ()) if value.number in known]
    raise refused(
        field, f" is {number}, which this server does not know; it knows {', '.join(names)}"
    )


def count_of(request: ProtoMessage, field: str) -> int:
    """A number of things. Raises: InvalidArgument for a negative one."""
    number: int = getattr(request, field)
    if number < 0:
        raise refused(field, f" {number} is negative; it is to be 0 or more")
    return number


def page_size(request: ProtoMessage) -> int:
    """How long a page may be. Raises: InvalidArgument for a negative one."""
    return min(count_of(request, "page_size") or DEFAULT_PAGE, LONGEST_PAGE)
