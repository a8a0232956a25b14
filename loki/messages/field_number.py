"""Library and keeper about the field numbers of parameters, which are given once."""

import msgspec

from loki.messages.envelope import Done, Message, Request
from loki.messages.script import ValueType


class FieldNumber(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """No other parameter of that service, by name and type, has this number, now or later."""

    service: str  # A tool's name in CamelCase.
    parameter: str
    type: ValueType
    number: int  # 1 and up.


class NumbersRead(Message):
    numbers: tuple[FieldNumber, ...]  # By service, and of each by number.
    more: bool = False  # Whether there are others, which the next page begins with.


class ReadNumbers(Request[NumbersRead]):
    """Library -> keeper: all that there are, a page at a time.

    A page begins after the `number` of a `service`, and may end within one too: a service may have
    more than a message carries.
    """

    service: str = ""
    number: int = 0


class ForgetNumbers(Request[Done]):
    """Library -> keeper: no script of these services is there, and room is needed.

    Done means that their numbers may be given anew.
    """

    services: tuple[str, ...]


class KeepNumbers(Request[Done]):
    """Library -> keeper: these are given now.

    Done means that all of them are on the disk. REVISION_CONFLICT says that one is another's, or
    that a parameter has another one; then none was written.
    """

    numbers: tuple[FieldNumber, ...]
