"""Which number a parameter has in its tool's typed request: given once, and never to another.

A client that holds an old schema sends what it knows under the numbers of that schema. So a number
belongs for ever to one key, a parameter's name and type, of one typed service; it returns with a
parameter that returns, also after the tool was away, unless so many tools went that all they had is
forgotten. Names with one CamelCase form are one service.
"""

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import TypeAlias

from loki.errors import ResourceLimitExceeded
from loki.messages.field_number import FieldNumber
from loki.messages.interface import Interface
from loki.messages.script import Script, ValueType
from loki.v1_name import camel_case

LAST = 18_999
"""The greatest number that is given; so many keys a service may ever have had.

Protobuf keeps 19000 to 19999 to itself, and those below are enough for 296 revisions that each
rename all 64 parameters. Without a bound, what is never forgotten would fill memory and disk.
Earlier versions had none, so a database may have greater numbers: they hold.
Source: protobuf language guide, "Assigning Field Numbers".
"""

MOST = 250_000
"""A registration may bring the numbers of all services together to so many: some 70 MiB of memory.

It is 25 parameters of ten thousand scripts each. Those of scripts that are gone make room first.
"""

Key: TypeAlias = tuple[str, ValueType]


@dataclass(slots=True)
class Numbers:
    """Of one service."""

    by_key: dict[Key, int] = field(default_factory=dict)
    taken: set[int] = field(default_factory=set)
    greatest: int = 0  # None is ever given back: the first free one follows it.

    def enter(self, key: Key, number: int) -> bool:
        """Whether it was free: what is there already stays, and no number is entered twice."""
        if key in self.by_key or number in self.taken:
            return False
        self.by_key[key] = number
        self.taken.add(number)
        self.greatest = max(self.greatest, number)
        return True


Ledger: TypeAlias = dict[str, Numbers]
"""By service: a tool's name in CamelCase."""

_NONE = Numbers()  # Of services that have none; nobody enters any.


def missing(
    ledger: Mapping[str, Numbers], scripts: Iterable[Script], last: int = LAST
) -> tuple[FieldNumber, ...]:
    """The numbers that these scripts need and that nobody has yet; none of one that has no room."""
    new: dict[str, dict[Key, int]] = {}
    for script in scripts:
        service = camel_case(script.name)
        known, also = ledger.get(service, _NONE), new.setdefault(service, {})
        keys = [key for key in _without(known, script) if key not in also]
        first = known.greatest + len(also) + 1
        if first + len(keys) <= last + 1:
            also.update(zip(keys, count(first)))
    return tuple(
        FieldNumber(service=service, parameter=name, type=type_, number=number)
        for service, numbers in new.items()
        for (name, type_), number in numbers.items()
    )


def refusal(
    ledger: Mapping[str, Numbers], script: Script, last: int = LAST
) -> ResourceLimitExceeded | None:
    """Why this script can have no typed method; None where it can."""
    known = ledger.get(camel_case(script.name), _NONE)
    keys = _without(known, script)
    room = max(last - known.greatest, 0)
    if len(keys) <= room:
        return None
    name, type_ = keys[room]
    return ResourceLimitExceeded(
        f"script '{script.name}': no field number is left for the parameter '{name}' "
        f"({type_.value}). Its typed method has had {len(known.by_key)} parameters, of {last} at "
        "most, and keeps their numbers, for clients may have an old schema. Use names and types "
        "that it had, let one parameter of type object carry those that change, or give the "
        "script another name",
        details={"script": script.name, "parameter": name, "limit": str(last)},
    )


@dataclass(frozen=True, slots=True)
class Offer:
    """What clients can see of some scripts."""

    shown: tuple[Interface, ...]
    waiting: tuple[str, ...]  # Names of those for which numbers have yet to be given,
    refused: Mapping[str, ResourceLimitExceeded]  # and of those that get none, with the reason.


def offer(ledger: Mapping[str, Numbers], scripts: Iterable[Script], last: int = LAST) -> Offer:
    shown: list[Interface] = []
    waiting: list[str] = []
    refused: dict[str, ResourceLimitExceeded] = {}
    for script in scripts:
        if interface := interface_of(ledger, script):
            shown.append(interface)
        elif why := refusal(ledger, script, last):
            refused[script.name] = why
        else:
            waiting.append(script.name)
    return Offer(tuple(shown), tuple(waiting), refused)


def excess(count: int, new: int, most: int) -> int:
    """How many of `count` numbers must go before there are `new` ones; then some more, to last."""
    return count + new - most + most // 8 if new and count + new > most else 0


def spare(
    ledger: Mapping[str, Numbers], in_use: Container[str], wanted: int
) -> tuple[tuple[str, ...], int]:
    """Services that no script has, known for longest first, and how many numbers they have.

    No more of them than `wanted` numbers take, where there are that many.
    """
    found: list[str] = []
    count = 0
    for service, numbers in ledger.items():
        if count >= wanted:
            break
        if service not in in_use:
            found.append(service)
            count += len(numbers.by_key)
    return tuple(found), count


def crowded(ledger: Mapping[str, Numbers], script: Script, most: int) -> ResourceLimitExceeded:
    """What is said to who registers one more, where no number of a script that is gone is left."""
    largest = max(ledger, key=lambda service: len(ledger[service].by_key))
    return ResourceLimitExceeded(
        f"script '{script.name}': no field number is left for a new parameter. This device keeps "
        f"{most} at most, of all parameters that its scripts have had, and of those "
        f"{largest}Service has had {len(ledger[largest].by_key)}. Remove scripts that nobody "
        "needs, or use names and types that this one had",
        details={"script": script.name, "limit": str(most)},
    )


@dataclass(frozen=True, slots=True)
class Recorded:
    new: tuple[FieldNumber, ...]  # What the ledger did not have.
    refused: bool  # Whether it says otherwise about any.


def record(ledger: Ledger, given: Iterable[FieldNumber]) -> Recorded:
    """Enter these. What the ledger says already stays, and no number is entered twice."""
    new: list[FieldNumber] = []
    refused = False
    for each in given:
        numbers = ledger.setdefault(each.service, Numbers())
        key = each.parameter, each.type
        if numbers.enter(key, each.number):
            new.append(each)
        elif numbers.by_key.get(key) != each.number:
            refused = True
    return Recorded(tuple(new), refused)


def entries(ledger: Mapping[str, Numbers]) -> Iterator[FieldNumber]:
    """Nobody may change the ledger meanwhile."""
    for service, numbers in ledger.items():
        for (name, type_), number in numbers.by_key.items():
            yield FieldNumber(service=service, parameter=name, type=type_, number=number)


def interface_of(ledger: Mapping[str, Numbers], script: Script) -> Interface | None:
    """What clients see of it; None where a parameter has no number yet."""
    known = ledger.get(camel_case(script.name), _NONE).by_key
    numbers = tuple(known.get((p.name, p.type), 0) for p in script.parameters)
    if not all(numbers):
        return None
    return Interface(
        name=script.name,
        revision=script.revision,
        description=script.description,
        parameters=script.parameters,
        return_type=script.return_type,
        numbers=numbers,
    )


def _without(known: Numbers, script: Script) -> list[Key]:
    """Keys of the script that have no number yet, in their order."""
    keys = ((p.name, p.type) for p in script.parameters)
    return [key for key in keys if key not in known.by_key]
