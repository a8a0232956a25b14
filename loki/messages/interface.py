"""Library and Gateway about what clients see of scripts: everything but their sources."""

import msgspec

from loki.messages.envelope import Done, Request
from loki.messages.script import Parameter, ValueType


class Interface(msgspec.Struct, frozen=True, kw_only=True):
    """What clients see of one revision of a script."""

    name: str
    revision: str
    description: str
    parameters: tuple[Parameter, ...]
    return_type: ValueType
    numbers: tuple[int, ...]  # Field number of each parameter, in their order; 1 and up.


class PublishInterfaces(Request[Done]):
    """Library -> Gateway: these are new or changed, those are gone.

    `complete` marks a whole library: what it does not name is gone too.
    """

    changed: tuple[Interface, ...] = ()
    removed: tuple[str, ...] = ()
    complete: bool = False
    others: tuple[str, ...] = ()  # Of a whole library: names that earlier messages brought.


class SendInterfaces(Request[Done]):
    """Gateway -> Library: I am new here; publish everything to me."""
