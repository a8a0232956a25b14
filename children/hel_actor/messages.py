"""Scripts and Hel about files, stored values, cached values and time series.

Content of files travels as Packed text or bytes, as the script gave it.
"""

import msgspec

from hel_actor.watch_messages import WatchStored as WatchStored
from loki.messages.envelope import Change, Done, Message, Request
from loki.messages.value import NIL, Packed


class FileContent(Message):
    """A file's bytes: as text where they are valid UTF-8, else as bytes."""

    content: Packed


class DirectoryListed(Message):
    """Names in one directory, in the order of their code points."""

    names: tuple[str, ...]


class ListOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The last table of a call that lists names or keys."""

    limit: int | None = None  # 1 or more of them; None is all, or a failure.
    after: str = ""  # Only those that come after it, which need not exist.


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


class DeleteOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The last table of a call that deletes."""

    recursive: bool = False  # Whether a directory goes with all in it.


class DeleteEntry(Request[Done]):
    """Script -> Hel: delete a file, or an empty directory."""

    path: str
    options: DeleteOptions | None = None


class ListDirectory(Request[DirectoryListed]):
    """Script -> Hel. Reply: DirectoryListed."""

    path: str
    options: ListOptions | None = None


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
    options: ListOptions | None = None


class StoredChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of several changes of stored values."""

    op: str  # "set", "remove", "cas" or "increment"; see the calls of that kind.
    key: str
    value: Packed = NIL
    expected: Packed = NIL
    by: int = 1


class BatchStored(Message):
    """Whether all was done; else nothing was."""

    done: bool
    failed: int | None  # Which change, from 1, did not find what it expected.


class ChangeStored(Request[BatchStored]):
    """Script -> Hel: change many stored values, all of them or none. Reply: BatchStored."""

    changes: tuple[StoredChange, ...]


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


class AppendOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The last table of a call that appends."""

    sequence: int | None = None
    """The caller's own number of this call: with the same one again, nothing is appended."""
    quality: int = 0  # 0 is good, up to 255; of all rows of the call.


class ReadOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The last table of a call that reads rows."""

    limit: int | None = None  # 1 or more rows; None is all of them, or a failure.
    newest: bool = False  # Whether the limit leaves the newest rows; else the oldest.


class SampleAppended(Message):
    """False where a call with this sequence had done it before."""

    appended: bool


class SamplesAppended(Message):
    """How many rows; 0 where a call with this sequence had done it before."""

    appended: int


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One row of a series."""

    time: float  # Seconds since 1970, UTC.
    value: float
    quality: int


class SamplesRead(Message):
    """Rows in the order of time."""

    samples: tuple[Sample, ...]


class Aggregated(msgspec.Struct, frozen=True, kw_only=True):
    """The number of one window, and of how many rows it was made."""

    time: float  # Where the window begins, in seconds since 1970, UTC.
    value: float
    count: int


class SeriesAggregated(Message):
    """The windows that have rows, in the order of time."""

    windows: tuple[Aggregated, ...]


class SeriesListed(Message):
    """Names, sorted."""

    names: tuple[str, ...]


class AppendSample(Request[SampleAppended]):
    """Script -> Hel: one row at the end of a series, which is made where there is none.

    After the reply it survives a power cut.
    """

    name: str
    value: float
    time: float | None = None  # Seconds since 1970, UTC; None is now.
    options: AppendOptions | None = None


class AppendSamples(Request[SamplesAppended]):
    """Script -> Hel: many rows, all of them or none; see AppendSample."""

    name: str
    values: tuple[float, ...]
    times: tuple[float, ...]  # As many.
    options: AppendOptions | None = None


class ReadSeries(Request[SamplesRead]):
    """Script -> Hel: the rows from one time on and before another. Reply: SamplesRead."""

    name: str
    from_: float | None = msgspec.field(default=None, name="from")  # Seconds since 1970, UTC.
    to: float | None = None
    options: ReadOptions | None = None


class AggregateSeries(Request[SeriesAggregated]):
    """Script -> Hel: one number for each window of a series. Reply: SeriesAggregated."""

    name: str
    from_: float | None = msgspec.field(default=None, name="from")  # Seconds since 1970, UTC.
    to: float | None = None
    statistic: str | None = None  # None is "mean".
    every_s: float | None = None  # None is one window.


class DescribeSeries(Request[Done]):
    """Script -> Hel: replace the attributes of a series, which is made where there is none."""

    name: str
    attributes: dict[str, bool | int | float | str]


class DownsampleSeries(Request[Done]):
    """Script -> Hel: keep one number of each window of a series in another one, from now on."""

    name: str
    into: str
    every_s: float
    statistic: str | None = None  # None is "mean".


class DownsamplingEnded(Message):
    """Whether there was such a coarser series."""

    existed: bool


class EndDownsampling(Request[DownsamplingEnded]):
    """Script -> Hel: let a series stay as it is. Reply: DownsamplingEnded."""

    name: str
    into: str


class CoarserSeries(msgspec.Struct, frozen=True, kw_only=True):
    """A series that is made of another one."""

    into: str
    every_s: float
    statistic: str
    until: float | None  # It has the windows that end then or before; None is none yet.


class SeriesSummary(Message):
    """What a series has; the times are those of its first and last row, in seconds since 1970."""

    rows: int
    oldest: float | None
    newest: float | None
    size_bytes: int  # Of its files; rows that wait in the journal are not counted.
    attributes: Packed
    missing: int | None = None  # Between neighbours; None without interval_s, or for bad files.
    downsampled: tuple[CoarserSeries, ...] = ()


class SummarizeSeries(Request[SeriesSummary]):
    """Script -> Hel. Reply: SeriesSummary."""

    name: str


class SeriesTrimmed(Message):
    """How many rows went."""

    rows: int


class TrimSeries(Request[SeriesTrimmed]):
    """Script -> Hel: let rows from before a time go. Reply: SeriesTrimmed."""

    name: str
    before: float  # Seconds since 1970, UTC.


class SeriesRemoved(Message):
    """Whether there was one."""

    existed: bool


class RemoveSeries(Change[SeriesRemoved]):
    """Script -> Hel: let a series be no more, with all its rows. Reply: SeriesRemoved."""

    name: str


class ListSeries(Request[SeriesListed]):
    """Script -> Hel: the names of the script's series. Reply: SeriesListed."""
