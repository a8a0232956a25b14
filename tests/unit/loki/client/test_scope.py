"""How short a name of a type may be written."""

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto

from loki.client.scope import Scope, names_of


def file(package: str, *messages: str) -> FileDescriptorProto:
    """`messages` are such as "Outer.Inner"."""
    made = FileDescriptorProto(package=package)
    for name in messages:
        outer, _, inner = name.partition(".")
        message = made.message_type.add(name=outer)
        if inner:
            message.nested_type.add(name=inner)
    return made


def scope_of(written: FileDescriptorProto, *imported: FileDescriptorProto) -> Scope:
    return Scope(written.package, names_of(written).union(*map(names_of, imported)))


TOOLS = file("loki.tools.v1", "Outer.Inner", "Other", "google", "Second.Other", "Third.Inner")
IMPORTED = (file("loki.v1", "Usage", "Other"), file("google.protobuf", "Empty"), file("", "Bare"))
OUTER, SECOND = "loki.tools.v1.Outer", "loki.tools.v1.Second"


@pytest.mark.parametrize(
    ("full_name", "within", "shown"),
    [
        (f"{OUTER}.Inner", OUTER, "Inner"),
        (f"{OUTER}.Inner", "loki.tools.v1.Other", "Outer.Inner"),
        (f"{OUTER}.Inner", "loki.tools.v1.Third", "Outer.Inner"),
        ("loki.tools.v1.Other", OUTER, "Other"),
        ("loki.tools.v1.Other", SECOND, "loki.tools.v1.Other"),  # Its own Other is nearer.
        ("loki.v1.Usage", OUTER, "loki.v1.Usage"),
        ("loki.v1.Other", OUTER, "loki.v1.Other"),
        ("google.protobuf.Empty", OUTER, ".google.protobuf.Empty"),  # A message has that name.
        ("google.protobuf.Empty", "loki.v1.Usage", ".google.protobuf.Empty"),
        ("Bare", OUTER, "Bare"),
    ],
)
def test_names_in_tools(full_name: str, within: str, shown: str) -> None:
    if within == "loki.v1.Usage":
        scope = scope_of(file("loki.v1", "google"), TOOLS, *IMPORTED)
    else:
        scope = scope_of(TOOLS, *IMPORTED)
    assert scope.shown(full_name, within) == shown


def test_without_a_package() -> None:
    scope = scope_of(file("", "Outer.Inner", "Other"))
    assert scope.shown("Outer.Inner", "Outer") == "Inner"
    assert scope.shown("Other", "Outer.Inner") == "Other"
    assert scope.shown("Outer.Inner", "Other") == "Outer.Inner"
