"""Scripts and Hel about files, stored values and cached values.

Content of files travels as Packed text or bytes, as the script gave it.
"""

from loki.messages.envelope import Done, Message, Request
from loki.messages.value import NIL, Packed


class FileContent(Message):
    """A file's bytes: as text where they are valid UTF-8, else as bytes."""

    content: Packed


class DirectoryListed(Message):
    """Names in one directory, in the order of their code points."""

    names: tuple[str, ...]


class ReadFile(Request[FileContent]):
    """Script -> Hel. Reply: FileContent."""

    path: str


class WriteFile(Request[Done]):
    """Script -> Hel: make or replace a file; after the reply it survives a power cut."""

    path: str
    content: Packed  # Text or bytes.


class AppendToFile(Request[Done]):
    """Script -> Hel: add to the end of a file, or make it; wholly or not at all, durably."""

    path: str
    content: Packed  # Text or bytes.


class EntryDescribed(Message):
    """What there is about a file or directory, as a packed object."""

    entry: Packed


class DescribeEntry(Request[EntryDescribed]):
    """Script -> Hel. Reply: EntryDescribed."""

    path: str


class DeleteEntry(Request[Done]):
    """Script -> Hel: delete a file, or an empty directory."""

    path: str


class ListDirectory(Request[DirectoryListed]):
    """Script -> Hel. Reply: DirectoryListed."""

    path: str


class CreateDirectory(Request[Done]):
    """Script -> Hel: make a directory and its parents; an existing one is fine."""

    path: str


class ValueFound(Message):
    """What is kept under a key; packed nil where nothing is."""

    value: Packed


class KeyRemoved(Message):
    """Whether there was something to remove."""

    existed: bool


class KeysListed(Message):
    """Keys in the order of their UTF-8 bytes."""

    keys: tuple[str, ...]


class GetStored(Request[ValueFound]):
    """Script -> Hel. Reply: ValueFound."""

    key: str


class SetStored(Request[Done]):
    """Script -> Hel: keep a value for ever; after the reply it survives a power cut."""

    key: str
    value: Packed


class ValueSwapped(Message):
    """Whether the stored value was the expected one, and is the new one now."""

    swapped: bool


class SwapStored(Request[ValueSwapped]):
    """Script -> Hel: replace a value that is still `expected`. Packed nil is nothing stored."""

    key: str
    expected: Packed = NIL
    value: Packed = NIL


class StoredNumber(Message):
    """A stored integer after it was changed."""

    number: int


class AddToStored(Request[StoredNumber]):
    """Script -> Hel: make a stored integer `by` larger, at once. Reply: StoredNumber."""

    key: str
    by: int | None = None  # None is 1.


class RemoveStored(Request[KeyRemoved]):
    """Script -> Hel. Reply: KeyRemoved."""

    key: str


class ListStored(Request[KeysListed]):
    """Script -> Hel: the keys that begin with `prefix`. Reply: KeysListed."""

    prefix: str | None = None  # None and "" are all of them.


class GetCached(Request[ValueFound]):
    """Script -> Hel. Reply: ValueFound."""

    key: str


class SetCached(Request[Done]):
    """Script -> Hel: keep a value in memory, for `ttl_ms` or until its place is needed."""

    key: str
    value: Packed
    ttl_ms: int | None = None  # 1 or more; None is no end.


class InvalidateCached(Request[Done]):
    """Script -> Hel: forget one cached value."""

    key: str


class InvalidateAllCached(Request[Done]):
    """Script -> Hel: forget all that this script has cached."""
