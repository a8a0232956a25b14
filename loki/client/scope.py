"""Shortens names of types as far as protoc still finds them."""

from dataclasses import dataclass

from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto


@dataclass(frozen=True, slots=True)
class Scope:
    """What the text of one file may say."""

    package: str
    names: frozenset[str]
    """Those that hold others, or are types: packages, messages, enums and services."""

    def shown(self, full_name: str, within: str) -> str:
        """The short way to write it inside `within`, a full name too; with its package or without.

        The dot before the longest form is for where something on the way inside has its name.
        """
        start = f"{self.package}." if self.package else ""
        inner = full_name.removeprefix(start).split(".") if full_name.startswith(start) else []
        candidates = [".".join(inner[-count:]) for count in range(1, len(inner) + 1)]
        for short in (*candidates, full_name):
            if self._found(short, within) == full_name:
                return short
        return f".{full_name}"

    def _found(self, short: str, within: str) -> str:
        """What protoc takes it for: its first part is looked up from the inside out.

        Source: the language specification, "Type Name Resolution".
        """
        first = short.partition(".")[0]
        place = within
        while True:
            start = f"{place}." if place else ""
            if start + first in self.names:
                return start + short
            if not place:
                return ""
            place = place.rpartition(".")[0]


def names_of(file: FileDescriptorProto) -> frozenset[str]:
    """All of those that a file defines."""
    parts = file.package.split(".") if file.package else []
    names = {".".join(parts[:count]) for count in range(1, len(parts) + 1)}
    start = f"{file.package}." if file.package else ""
    names |= {start + enum.name for enum in file.enum_type}
    names |= {start + service.name for service in file.service}
    for message in file.message_type:
        names |= names_in(message, start)
    return frozenset(names)


def names_in(message: DescriptorProto, start: str) -> set[str]:
    """Its own, and those of the types inside it."""
    name = start + message.name
    names = {name, *(f"{name}.{enum.name}" for enum in message.enum_type)}
    for nested in message.nested_type:
        names |= names_in(nested, f"{name}.")
    return names
