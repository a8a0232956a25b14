"""Which number a parameter has in its tool's typed request: given once, and never to another.

A client that holds an old schema sends what it knows under the numbers of that schema. So a number
belongs for ever to one key, a parameter's name and type, of one typed service; it returns with a
parameter that returns, also after the tool was away. Names with one CamelCase form are one service.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TypeAlias

from loki.messages.field_number import FieldNumber
from loki.messages.interface import Interface
from loki.messages.script import Parameter, Script, ValueType
from loki.v1_name import camel_case

RESERVED = range(19000, 20000)
"""Source: protobuf language guide, "Assigning Field Numbers"."""

Key: TypeAlias = tuple[str, ValueType]
Numbers: TypeAlias = Mapping[Key, int]
"""Of one service."""
Ledger: TypeAlias = dict[str, dict[Key, int]]
"""By service: a tool's name in CamelCase."""

NONE: Numbers = MappingProxyType({})


def assigned(
    numbers: Numbers, parameters: Iterable[Parameter]
) -> tuple[dict[Key, int], tuple[int, ...]]:
    """What is given now, and the number of each parameter, in their order."""
    after = dict(numbers)
    for parameter in parameters:
        key = parameter.name, parameter.type
        if key not in after:
            after[key] = _following(after)
    return after, tuple(after[p.name, p.type] for p in parameters)


def missing(ledger: Mapping[str, Numbers], scripts: Iterable[Script]) -> tuple[FieldNumber, ...]:
    """The numbers that these scripts need and that nobody has yet."""
    new: Ledger = {}
    for script in scripts:
        service = camel_case(script.name)
        known = ledger.get(service, NONE)
        if any((p.name, p.type) not in known for p in script.parameters):
            after, _ = assigned(new.get(service, known), script.parameters)
            new[service] = after
    return tuple(
        FieldNumber(service=service, parameter=name, type=type_, number=number)
        for service, numbers in new.items()
        for (name, type_), number in numbers.items()
        if (name, type_) not in ledger.get(service, NONE)
    )


def record(ledger: Ledger, given: Iterable[FieldNumber]) -> None:
    """Enter these. What the ledger says already stays, and no number is entered twice."""
    for each in given:
        numbers = ledger.setdefault(each.service, {})
        if each.number not in numbers.values():
            numbers.setdefault((each.parameter, each.type), each.number)


def entries(ledger: Mapping[str, Numbers]) -> tuple[FieldNumber, ...]:
    return tuple(
        FieldNumber(service=service, parameter=name, type=type_, number=number)
        for service, numbers in ledger.items()
        for (name, type_), number in numbers.items()
    )


def interface_of(ledger: Mapping[str, Numbers], script: Script) -> Interface | None:
    """What clients see of it; None where a parameter has no number yet."""
    known = ledger.get(camel_case(script.name), NONE)
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


def _following(numbers: Numbers) -> int:
    """The first free number: none is ever given back, so it follows the greatest."""
    number = max(numbers.values(), default=0) + 1
    return RESERVED.stop if number in RESERVED else number
