"""Files that a server described, in an order in which they can be read, and read."""

from collections.abc import Iterable, Iterator, Mapping

from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool

MOST_DEPTH = 50


def in_order(files: Mapping[str, FileDescriptorProto]) -> Iterator[FileDescriptorProto]:
    """By name, but each after all that it imports. Raises: ValueError."""
    begun: set[str] = set()
    done: set[str] = set()

    def visit(name: str, depth: int = 0) -> Iterator[FileDescriptorProto]:
        if name in done:
            return
        if name in begun or name not in files:
            raise ValueError(f"{name[:100]!r} imports itself, or is missing")
        if depth > MOST_DEPTH:
            raise ValueError(f"{name[:100]!r} is imported more than {MOST_DEPTH} deep")
        begun.add(name)
        for imported in sorted(files[name].dependency):
            yield from visit(imported, depth + 1)
        done.add(name)
        yield files[name]

    for name in sorted(files):
        yield from visit(name)


def pool_of(files: Iterable[FileDescriptorProto]) -> DescriptorPool:
    """Raises: ValueError."""
    pool = DescriptorPool()
    for file in files:
        try:
            pool.AddSerializedFile(file.SerializeToString())
        except TypeError as error:
            raise ValueError(f"{file.name[:100]}: {error}") from None
    return pool
