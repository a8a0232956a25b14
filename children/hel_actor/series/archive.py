"""The files of time series: one Zarr v3 group each, of whole chunks that never change.

Theory of operation: Zarr encodes chunks and descriptions in memory, and this module puts them on
the disk in an order of its own. First the chunks, which nobody sees yet; then the three arrays'
descriptions with the new length; last that of the group, which repeats them all (consolidated
metadata), so that whoever opens the group meanwhile sees one length, the old or the new. Only then
the database takes note. Whatever a kill leaves behind is either beyond the length that the database
knows, and is removed, or a description with the wrong length, and is written again.

Only the worker thread of the series imports this: it brings numpy and zarr along.
"""

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr
from zarr.codecs import BloscCodec, Crc32cCodec, ZstdCodec
from zarr.core.buffer import cpu
from zarr.errors import BaseZarrError
from zarr.storage import MemoryStore

from hel_actor import plain_file
from hel_actor.plain_file import NotPlain
from hel_actor.series import description
from hel_actor.series.column import Columns
from hel_actor.series.damage import DamagedChunk, is_lasting, reason
from hel_actor.series.description import ARRAYS, QUALITY, TIME, VALUE
from hel_actor.series.remains import belongs
from hel_actor.storage import Storage, aside, clear, is_partial, partial, replace_file
from loki.errors import IoError

INNER_ROWS = 8192
"""Of the pieces that one chunk's file is read by; a chunk that is no multiple is one piece."""
SLACK_BYTES = 65_536
"""What a chunk's file may be larger than its rows: nothing that grows without bound is opened."""
ROW_BYTES = 8
DIGITS = frozenset("0123456789")
UNREADABLE = (OSError, ValueError, TypeError, KeyError, RuntimeError, BaseZarrError)
"""What zarr and its codecs raise for files that are not what was written."""

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Place:
    """A series' files: chunk `dropped` is the first, and `chunks` the number after the last."""

    namespace: str
    name: str
    mark: str
    chunk_rows: int
    dropped: int
    chunks: int
    attributes: str = "{}"  # Of the group, as JSON; the value's unit is under "unit".
    waiting: int = 0  # Rows that are in no file yet.


class Archive:
    """All series' files beneath one folder. Any method may raise OSError, and can be repeated."""

    def __init__(self, folder: Path, storage: Storage) -> None:
        self._folder = folder
        self._storage = storage

    def path(self, place: Place) -> Path:
        return self._folder / place.namespace / place.name

    def recover(self, place: Place) -> list[str]:
        """Make the files what `place` says; the reports are for the log."""
        group = self.path(place)
        if os.path.lexists(partial(group)):
            self._storage.remove_tree(partial(group))
        reports = self._keep_strangers_aside(place)
        self._make_directories(place)
        as_they_are = replace(place, dropped=(first := self._require_not_newer(place)))
        reports += self._keep_newer_aside(as_they_are)
        self._cut(as_they_are)
        if first != place.dropped:
            self._forget_dropped(place, first)
        return reports

    def unchanged(self, place: Place) -> Place:
        """Where the files are that `place` speaks of, as they are: to be read only.

        Raises: IoError, where others stand there.
        """
        if not belongs(self.path(place), place.mark, has_files=place.chunks > place.dropped):
            raise IoError(f"the files of '{place.name}' are not where they should be")
        return replace(place, dropped=self._require_not_newer(place))

    def cut(self, place: Place) -> None:
        """Let the files of a group end where `place` does, wherever they begin."""
        self._cut(replace(place, dropped=self._first(place)))

    def _cut(self, place: Place) -> None:
        """Let the files end where the database does: first for those who look, then on the disk."""
        if not self._is_described(place):
            with suppress(OSError):  # A full disk takes it when the chunks have made room.
                self.publish(place)
        for name in ARRAYS:
            self._remove_leftovers(place, self.path(place) / name / "c")
        if not self._is_described(place):
            self.publish(place)

    def write(self, place: Place, rows: Columns) -> tuple[int, ...]:
        """Put whole chunks behind the last one, and say how many bytes each takes.

        Nobody sees them before `publish`.
        """
        encoded = _encoded(rows, place.chunk_rows)
        indices = range(len(rows) // place.chunk_rows)
        for name in ARRAYS:
            folder = self.path(place) / name / "c"
            for index in indices:
                file = folder / str(place.chunks - place.dropped + index)
                replace_file(self._storage, file, encoded[f"{name}/c/{index}"])
            self._storage.sync_directory(folder)
        return tuple(sum(len(encoded[f"{name}/c/{index}"]) for name in ARRAYS) for index in indices)

    def publish(self, place: Place, group: Path | None = None) -> None:
        """Let everybody see the chunks that `place` speaks of, where it is or in `group`."""
        for path, content in _descriptions(place).items():
            file = (group or self.path(place)) / path
            replace_file(self._storage, file, content)
            self._storage.sync_directory(file.parent)

    def read(self, place: Place, first: int, count: int, arrays: Sequence[str] = ARRAYS) -> Columns:
        """The rows of so many neighbouring chunks, each as sorted as it was written.

        Arrays that are not asked for are zero.

        Raises: DamagedChunk for the first file that is missing, damaged or not ours; IoError.
        """
        try:
            with suppress(OSError):  # The rows are read without it, also where no change is taken.
                if not self._is_described(place):  # Somebody edited it just now.
                    self.publish(place)
            found = {name: self._column(place, name, first, count) for name in arrays}
        except UNREADABLE as error:
            if damaged := self._damaged(place, first, count, arrays):
                raise damaged from error
            raise IoError(f"the files of '{place.name}' cannot be read: {reason(error)}") from error
        zeros = np.zeros(count * place.chunk_rows, np.uint8)
        return Columns(*(found.get(name, zeros) for name in ARRAYS))

    def _damaged(
        self, place: Place, first: int, count: int, arrays: Sequence[str]
    ) -> DamagedChunk | None:
        """The first of these chunks that cannot be read by itself."""
        for number in range(first, first + count):
            for name in arrays:
                try:
                    self._column(place, name, number, 1)
                except UNREADABLE as error:
                    file = self._file(place, name, number).relative_to(self._folder.parent)
                    if is_lasting(error):
                        return DamagedChunk(number, str(file), reason(error))
        return None

    def _column(self, place: Place, name: str, first: int, count: int) -> npt.NDArray[Any]:
        """Raises: those of UNREADABLE."""
        files = [self._file(place, name, number) for number in range(first, first + count)]
        return decoded(files, name, place.chunk_rows)

    def _file(self, place: Place, name: str, number: int) -> Path:
        return self.path(place) / name / "c" / str(number - place.dropped)

    def _make_directories(self, place: Place) -> None:
        """A new group needs the ones above it, for whoever opens them all at once."""
        above = [self._folder, self._folder / place.namespace]
        self._make_missing([*above, *_folders(self.path(place))])
        for folder in above:
            if not plain_file.is_plain(folder / "zarr.json"):
                replace_file(self._storage, folder / "zarr.json", _text(_group({})))
                self._storage.sync_directory(folder)

    def _make_missing(self, folders: Sequence[Path]) -> None:
        """Durably, also those that are there: a kill or a failed fsync may have cut that off."""
        for folder in folders:
            if not folder.is_dir():
                self._storage.make_directory(folder)
        for above in dict.fromkeys(folder.parent for folder in folders):
            self._storage.sync_directory(above)

    def _require_not_newer(self, place: Place) -> int:
        """The chunk that the files begin with. Raises: IoError, if the database is older."""
        first = self._first(place)
        if first > place.dropped:
            raise IoError(
                f"the files of '{place.name}' begin at chunk {first}; the database, which knows of "
                f"chunk {place.dropped}, is older"
            )
        return first

    def _forget_dropped(self, place: Place, first: int) -> None:
        """Let the files begin at chunk `dropped`: in a new group, which takes the old one's place.

        Zarr counts from zero. So each chunk gets a second name with its new number, and no reader
        sees a group that is half counted anew.
        """
        group, new = self.path(place), partial(self.path(place))
        self._make_missing(_folders(new))
        for name in ARRAYS:
            for number in range(place.dropped, place.chunks):
                file = group / name / "c" / str(number - first)
                if plain_file.is_plain(file):  # Where it is none, reading will say so.
                    self._storage.link(file, new / name / "c" / str(number - place.dropped))
            self._storage.sync_directory(new / name / "c")
        self.publish(place, new)
        self._storage.exchange(new, group)
        self._storage.sync_directory(group.parent)
        self._storage.remove_tree(new)

    def _first(self, place: Place) -> int:
        """The chunk that the files begin with; as it should be, where they do not say it."""
        try:
            found = description.read(self.path(place)).dropped
        except FileNotFoundError:
            return place.dropped
        return place.dropped if found is None else found

    def _keep_strangers_aside(self, place: Place) -> list[str]:
        """A directory of that name that another series left behind, or a person made."""
        group = self.path(place)
        has_files = place.chunks > place.dropped
        if not os.path.lexists(group):
            return []
        if group.is_dir() and belongs(group, place.mark, has_files=has_files):
            return []
        kept = aside(group)
        self._storage.rename(group, kept)
        self._storage.sync_directory(group.parent)
        return [f"{group} is not of the series that the database knows: kept as {kept.name}"]

    def _keep_newer_aside(self, place: Place) -> list[str]:
        """Chunks that an older database does not know, such as one that somebody put back alone.

        Those that a kill left have all their rows in the database still, and are no loss.
        """
        group = self.path(place)
        end = place.chunks - place.dropped
        beyond = (sum(n >= end for n in _numbers(group / name / "c")) for name in ARRAYS)
        count = min(beyond)
        if count * place.chunk_rows <= place.waiting:
            return []
        kept = self._linked_aside(group)
        return [f"{group} has {count} chunks of a newer database: all is kept as {kept.name}"]

    def _linked_aside(self, group: Path) -> Path:
        """All of a group once more, in files that take no room: where."""
        kept = aside(group)
        if os.path.lexists(partial(kept)):
            self._storage.remove_tree(partial(kept))
        self._make_missing(_folders(partial(kept)))
        for folder in _folders(group):
            for file in folder.iterdir():
                if plain_file.is_plain(file) and not is_partial(file):
                    self._storage.link(file, partial(kept) / file.relative_to(group))
            self._storage.sync_directory(partial(kept) / folder.relative_to(group))
        self._storage.rename(partial(kept), kept)
        self._storage.sync_directory(group.parent)
        return kept

    def _remove_leftovers(self, place: Place, folder: Path) -> None:
        """What a kill or a failure left: temporary files, and chunks that nobody was told of."""
        count = place.chunks - place.dropped
        for file in [*folder.iterdir(), *folder.parent.glob(".*"), *self.path(place).glob(".*")]:
            if is_partial(file) or (set(file.name) <= DIGITS and int(file.name) >= count):
                clear(self._storage, file)

    def _is_described(self, place: Place) -> bool:
        """Whether the files say what the database does."""
        group, wanted = self.path(place), _descriptions(place)
        try:
            return all(
                plain_file.read(group / path, len(wanted[path])) == wanted[path] for path in wanted
            )
        except (FileNotFoundError, NotADirectoryError, NotPlain):
            return False


def decoded(files: Sequence[Path], array: str, chunk_rows: int) -> npt.NDArray[Any]:
    """The rows of neighbouring chunks' files, checked, whatever the descriptions beside them say.

    Changes nothing. Zarr opens none of them, as it waits for whoever is to fill a FIFO. Raises:
    those of UNREADABLE.
    """
    shape = {"shape": [len(files) * chunk_rows]}
    content: dict[str, Any] = {
        "zarr.json": cpu.Buffer.from_bytes(_text(_templates(chunk_rows)[array] | shape))
    }
    for index, file in enumerate(files):
        content[f"c/{index}"] = cpu.Buffer.from_bytes(_chunk(file, chunk_rows))
    return np.asarray(zarr.open_array(MemoryStore(content), mode="r", zarr_format=3)[:])


def _chunk(file: Path, chunk_rows: int) -> bytes:
    """Zarr takes a missing or empty one for fill values, and a huge one for what it says."""
    content = plain_file.read(file, chunk_rows * ROW_BYTES * 2 + SLACK_BYTES)
    if not content:
        raise ValueError("it is empty")
    return content


def _folders(group: Path) -> list[Path]:
    arrays = [group / name for name in ARRAYS]
    return [group, *arrays, *(array / "c" for array in arrays)]


def _numbers(folder: Path) -> list[int]:
    """Of the chunks that have a file in it."""
    found = folder.iterdir() if folder.is_dir() else ()
    return [int(file.name) for file in found if set(file.name) <= DIGITS]


def _descriptions(place: Place) -> dict[str, bytes]:
    """File -> content, in the order of writing: the group's, which has all, is the last."""
    rows = (place.chunks - place.dropped) * place.chunk_rows
    arrays = {
        name: document | {"shape": [rows]}
        for name, document in _templates(place.chunk_rows).items()
    }
    everything = {
        "consolidated_metadata": {"kind": "inline", "must_understand": False, "metadata": arrays}
    }
    given = json.loads(place.attributes)
    if "unit" in given:
        arrays[VALUE]["attributes"] = {"units": given["unit"]}
    attributes = given | {description.MARK: place.mark, description.DROPPED: place.dropped}
    documents = {f"{name}/zarr.json": _text(document) for name, document in arrays.items()}
    return documents | {"zarr.json": _text(_group(attributes) | everything)}


def _group(attributes: Document) -> Document:
    return {"zarr_format": 3, "node_type": "group", "attributes": attributes}


def _text(document: Document) -> bytes:
    return json.dumps(document, indent=1).encode()


@lru_cache(maxsize=16)
def _templates(chunk_rows: int) -> Mapping[str, Document]:
    """Array -> its description, as Zarr itself writes it."""
    one_chunk = Columns(
        np.zeros(chunk_rows, np.int64), np.zeros(chunk_rows), np.zeros(chunk_rows, np.uint8)
    )
    encoded = _encoded(one_chunk, chunk_rows)
    return {name: json.loads(encoded[f"{name}/zarr.json"]) for name in ARRAYS}


def _encoded(rows: Columns, chunk_rows: int) -> dict[str, bytes]:
    """File -> content of a group with exactly these rows."""
    content: dict[str, Any] = {}
    group = zarr.create_group(MemoryStore(content))
    inner = INNER_ROWS if chunk_rows % INNER_ROWS == 0 else chunk_rows
    # Neighbouring times have the same upper bytes, which shuffling puts side by side; values
    # repeat as a whole. Blosc has no checksum, and a wrong row is worse than none.
    shuffled = [BloscCodec(cname="zstd", clevel=5, shuffle="shuffle", typesize=8), Crc32cCodec()]
    plain = [ZstdCodec(level=3), Crc32cCodec()]
    for name, column, codecs in (
        (TIME, rows.times, shuffled),
        (VALUE, rows.values, plain),
        (QUALITY, rows.qualities, plain),
    ):
        array = group.create_array(
            name,
            shape=column.shape,
            dtype=column.dtype,
            chunks=(inner,),
            shards=(chunk_rows,),
            compressors=codecs,
            fill_value=np.nan if name == VALUE else 0,
            dimension_names=(TIME,),
            attributes=_CF if name == TIME else None,
            config={"write_empty_chunks": True},
        )
        array[:] = column
    return {path: buffer.to_bytes() for path, buffer in content.items()}


_CF: Document = {
    "standard_name": "time",
    "units": "nanoseconds since 1970-01-01T00:00:00",
    "calendar": "proleptic_gregorian",
}
"""Source: CF conventions, 4.4 Time Coordinate; xarray makes datetime64 of it."""
