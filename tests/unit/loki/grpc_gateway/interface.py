"""Interfaces for the tests of typed methods, and their messages as foreign software makes them."""

import re
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, struct_pb2
from google.protobuf import timestamp_pb2 as timestamp
from hypothesis import strategies as st

from loki.core.name import NAME
from loki.grpc_gateway.typed import schema
from loki.messages.interface import Interface
from loki.messages.script import Parameter, ValueType
from loki.messages.value import pack
from loki.v1 import execution_pb2, script_pb2, value_pb2
from loki.v1_name import camel_case

DEPENDENCIES = (struct_pb2, timestamp, value_pb2, script_pb2, execution_pb2)
TYPES = tuple(t for t in ValueType if t not in (ValueType.VOID, ValueType.ANY))
ODD = "".join(map(chr, range(0x300))) + "\u2028*/ \u202e buf:lint:ignore X\nJörmungandr \U0001f600"


def interface(name: str = "average", **changes: Any) -> Interface:
    given: dict[str, Any] = {
        "revision": "r1",
        "description": "Mean of n readings",
        "parameters": (Parameter(name="n", type=ValueType.INTEGER),),
        "return_type": ValueType.NUMBER,
    } | changes
    numbers = given.pop("numbers", tuple(range(1, len(given["parameters"]) + 1)))
    return Interface(name=name, numbers=numbers, **given)


def every_type(name: str = "every", count: int = len(TYPES), **changes: Any) -> Interface:
    """Parameters `string`, `integer` and so on; more of them are `p_7`, `p_8`…"""
    parameters = []
    for place in range(count):
        type_ = TYPES[place % len(TYPES)]
        parameters.append(
            Parameter(
                name=type_.value if place < len(TYPES) else f"p_{place}",
                type=type_,
                required=place % 3 == 0,
                default=pack("x" * 100) if place % 3 == 1 else pack(None),
                description=changes.get("description", ""),
            )
        )
    return interface(name, **{"parameters": tuple(parameters)} | changes)


def image(*interfaces: Interface) -> descriptor_pb2.FileDescriptorSet:
    """What reflection would give: their files with all that these import."""
    files = descriptor_pb2.FileDescriptorSet()
    for module in DEPENDENCIES:
        module.DESCRIPTOR.CopyToProto(files.file.add())
    files.file.extend(map(schema.describe, interfaces))
    return files


def classes(interface: Interface) -> dict[str, Any]:
    """The four messages of its service, by the ends of their names, such as "CallRequest"."""
    pool = descriptor_pool.DescriptorPool()
    for file in image(interface).file:
        pool.Add(file)
    service = schema.full_name(interface.name)
    return {
        end: message_factory.GetMessageClass(pool.FindMessageTypeByName(service + end))
        for end in schema.MESSAGE_ENDS
    }


SHORT = re.compile(r"_{0,2}[abA](_{0,2}[abA1]){0,2}_?")  # Near each other, as random ones are not.
a_name = st.one_of(
    st.from_regex(SHORT, fullmatch=True), st.from_regex(NAME, fullmatch=True)
).filter(lambda name: camel_case(name)[:1].isalpha())
a_parameter = st.builds(
    Parameter,
    name=a_name,
    type=st.sampled_from(TYPES),
    required=st.booleans(),
    description=st.text(max_size=200),
)


@st.composite
def interfaces(draw: st.DrawFn) -> Interface:
    parameters = draw(
        st.lists(a_parameter, max_size=64, unique_by=lambda each: camel_case(each.name))
    )
    number = st.integers(1, 2**29 - 1).filter(lambda n: not 19000 <= n <= 19999)
    count = len(parameters)
    numbers = draw(st.lists(number, min_size=count, max_size=count, unique=True))
    return Interface(
        name=draw(a_name),
        revision=draw(st.text(max_size=20)),
        description=draw(st.text(max_size=500)),
        parameters=tuple(parameters),
        return_type=draw(st.sampled_from(list(ValueType))),
        numbers=tuple(numbers),
    )
