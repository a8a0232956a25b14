"""Hel's role: checks what a run may use, and hands the work to the store that owns the data."""

import os
import sqlite3
import stat
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path

import msgspec

from hel_actor import journal, keyvalue
from hel_actor.cache import Cache
from hel_actor.database import Database
from hel_actor.jail import Jail
from hel_actor.lua_api import FILES, STORAGE
from hel_actor.messages import (
    AddToStored,
    AppendToFile,
    CreateDirectory,
    DeleteEntry,
    DescribeEntry,
    DirectoryListed,
    EntryDescribed,
    FileContent,
    GetCached,
    GetStored,
    InvalidateAllCached,
    InvalidateCached,
    KeyRemoved,
    KeysListed,
    ListDirectory,
    ListStored,
    ReadFile,
    RemoveStored,
    SetCached,
    SetStored,
    StoredNumber,
    SwapStored,
    ValueFound,
    ValueSwapped,
    WriteFile,
)
from hel_actor.namespace import ADHOC, space
from hel_actor.recorder import Recorder
from hel_actor.series import DAY_NS, S_NS, Retention
from hel_actor.series_store import Keeping, SeriesStore
from loki.child import ChildRole, Run, RunHandler, Shell, Timer
from loki.errors import ErrorCode, InvalidArgument, ResourceLimitExceeded
from loki.messages.envelope import Done, Failure, Message
from loki.messages.value import NIL, Packed, pack, unpack

KB = 1024
MB = 1024 * KB

__all__ = ["ADHOC", "Hel"]

SWEEP_EVERY_S = 1.0
CLOSE_POLL_S = 0.01


class Settings(msgspec.Struct, frozen=True):
    """What Hel's process needs of `HelConfig`, validated by then; `state_dir` is absolute."""

    state_dir: str
    max_file_kb: int
    max_value_kb: int
    cache_entries: int
    cache_mb: int
    series_per_script: int
    series_chunk_rows: int
    series_late_s: int
    series_keep_days: int
    series_keep_rows: int
    series_keep_mb: int


class Hel(ChildRole):
    """Files, the database and large time series have a thread each; the cache answers at once."""

    def __init__(self, shell: Shell, config: bytes) -> None:
        super().__init__(shell, config)
        settings = msgspec.msgpack.decode(config, type=Settings)
        state = Path(settings.state_dir)
        self._max_value_bytes = settings.max_value_kb * KB
        self._cache = Cache(shell.clock, settings.cache_entries, settings.cache_mb * MB)
        self._sweep: Timer | None = None
        self._files = shell.worker("files")
        self._jail = Jail(state / "files", settings.max_file_kb * KB)
        self._files.submit(self._open_jail)
        self._database = Database(
            state / "hel.sqlite",
            (keyvalue.SCHEMA, *journal.SCHEMA),
            shell.worker("database"),
            shell.clock,
            shell.log,
        )
        self._recorder = Recorder(
            shell,
            self._database,
            SeriesStore(
                state / "hel.sqlite",
                self._database.submit,
                state / "series",
                _keeping(settings),
                shell.clock,
                shell.log,
            ),
            journal.Quota(settings.series_per_script, settings.series_chunk_rows),
        )

    def calls(self) -> Mapping[type[Message], RunHandler]:
        return {
            ReadFile: self._read_file,
            WriteFile: self._write_file,
            AppendToFile: self._append_to_file,
            DescribeEntry: self._describe_entry,
            DeleteEntry: self._delete_entry,
            ListDirectory: self._list_directory,
            CreateDirectory: self._create_directory,
            GetStored: self._get_stored,
            SetStored: self._set_stored,
            SwapStored: self._swap_stored,
            AddToStored: self._add_to_stored,
            RemoveStored: self._remove_stored,
            ListStored: self._list_stored,
            GetCached: self._get_cached,
            SetCached: self._set_cached,
            InvalidateCached: self._invalidate_cached,
            InvalidateAllCached: self._invalidate_all_cached,
            **self._recorder.calls(),
        }

    def finish(self, grace_s: float, done: Callable[[], None]) -> None:
        """What waits is done first: each thread works in order."""
        closing = (self._recorder.close(), self._files.submit(self._jail.close))
        give_up_s = self.shell.clock.monotonic_s() + grace_s

        def look() -> None:
            late = self.shell.clock.monotonic_s() >= give_up_s
            if late or all(each.done() for each in closing):
                done()
            else:
                self.shell.later(CLOSE_POLL_S, look)

        look()

    # Files.

    def _open_jail(self) -> None:
        try:
            self._jail.open()
        except OSError as error:  # Each call tries again, and says so to its script.
            self.shell.log.error("scripts have no files: %s", error)

    def _read_file(self, request: ReadFile, run: Run) -> "Future[FileContent]":
        _may_read(run)
        return self._files.submit(
            lambda: FileContent(content=_text_or_bytes(self._jail.read(space(run), request.path)))
        )

    def _write_file(self, request: WriteFile, run: Run) -> "Future[Done]":
        _may_write(run)
        content = _content(request.content)
        return self._changing(lambda: self._jail.write(space(run), request.path, content))

    def _append_to_file(self, request: AppendToFile, run: Run) -> "Future[Done]":
        _may_write(run)
        content = _content(request.content)
        return self._changing(lambda: self._jail.append(space(run), request.path, content))

    def _describe_entry(self, request: DescribeEntry, run: Run) -> "Future[EntryDescribed]":
        _may_read(run)
        return self._files.submit(
            lambda: EntryDescribed(entry=_described(self._jail.describe(space(run), request.path)))
        )

    def _delete_entry(self, request: DeleteEntry, run: Run) -> "Future[Done]":
        _may_write(run)
        return self._changing(lambda: self._jail.delete(space(run), request.path))

    def _list_directory(self, request: ListDirectory, run: Run) -> "Future[DirectoryListed]":
        _may_read(run)
        return self._files.submit(
            lambda: DirectoryListed(names=self._jail.list_directory(space(run), request.path))
        )

    def _create_directory(self, request: CreateDirectory, run: Run) -> "Future[Done]":
        _may_write(run)
        return self._changing(lambda: self._jail.create_directory(space(run), request.path))

    def _changing(self, change: Callable[[], None]) -> "Future[Done]":
        def changed() -> Done:
            change()
            return Done()

        return self._files.submit(changed)

    # Stored values.

    def _get_stored(self, request: GetStored, run: Run) -> "Future[ValueFound]":
        key = _place(run, request.key)
        return self._database.submit(lambda database: _found(keyvalue.get(database, *key)))

    def _set_stored(self, request: SetStored, run: Run) -> "Future[Done]":
        key = _place(run, request.key)
        value = self._sized(request.value)

        def put(database: sqlite3.Connection) -> Done:
            keyvalue.put(database, *key, value)
            return Done()

        return self._database.submit(put)

    def _swap_stored(self, request: SwapStored, run: Run) -> "Future[ValueSwapped]":
        key = _place(run, request.key)
        self._sized(request.value)
        return self._database.submit(
            lambda database: ValueSwapped(
                swapped=keyvalue.compare_and_set(database, *key, request.expected, request.value)
            )
        )

    def _add_to_stored(self, request: AddToStored, run: Run) -> "Future[StoredNumber | Failure]":
        key = _place(run, request.key)
        by = 1 if request.by is None else request.by

        def add(database: sqlite3.Connection) -> StoredNumber | Failure:
            total = keyvalue.add(database, *key, by)
            if isinstance(total, int):
                return StoredNumber(number=total)
            message = f"cannot add {by} to '{request.key[:64]}': {total}"
            return Failure(code=ErrorCode.ARGUMENT_INVALID, message=message)

        return self._database.submit(add)

    def _remove_stored(self, request: RemoveStored, run: Run) -> "Future[KeyRemoved]":
        key = _place(run, request.key)
        return self._database.submit(
            lambda database: KeyRemoved(existed=keyvalue.remove(database, *key))
        )

    def _list_stored(self, request: ListStored, run: Run) -> "Future[KeysListed]":
        _may_store(run)
        return self._database.submit(
            lambda database: KeysListed(
                keys=keyvalue.keys(database, space(run), request.prefix or "")
            )
        )

    def _sized(self, packed: Packed) -> bytes:
        """The value's own bytes. Raises: ResourceLimitExceeded."""
        value = bytes(packed)
        if len(value) > self._max_value_bytes:
            raise ResourceLimitExceeded(
                f"the value takes {len(value)} bytes and {self._max_value_bytes} are allowed; "
                "see max_value_kb under [children_config.hel]"
            )
        return value

    # Cached values.

    def _get_cached(self, request: GetCached, run: Run) -> ValueFound:
        return _found(self._cache.get(*_place(run, request.key)))

    def _set_cached(self, request: SetCached, run: Run) -> Done:
        place = _place(run, request.key)
        if request.ttl_ms is not None and request.ttl_ms < 1:
            raise InvalidArgument(
                f"ttl_ms is {request.ttl_ms}; it must be 1 or more", details={"field": "ttl_ms"}
            )
        ttl_s = None if request.ttl_ms is None else request.ttl_ms / 1000
        self._cache.set(*place, self._sized(request.value), ttl_s)
        self._sweep_in_time()
        return Done()

    def _invalidate_cached(self, request: InvalidateCached, run: Run) -> Done:
        self._cache.invalidate(*_place(run, request.key))
        return Done()

    def _invalidate_all_cached(self, _: InvalidateAllCached, run: Run) -> Done:
        _may_store(run)
        self._cache.invalidate_all(space(run))
        return Done()

    def _sweep_in_time(self) -> None:
        """One timer, and only while something will be too old one day."""
        expiry_s = self._cache.next_expiry_s
        if self._sweep is None and expiry_s is not None:
            wait_s = max(SWEEP_EVERY_S, expiry_s - self.shell.clock.monotonic_s())
            self._sweep = self.shell.later(wait_s, self._swept)

    def _swept(self) -> None:
        self._sweep = None
        self._cache.sweep()
        self._sweep_in_time()


def _keeping(settings: Settings) -> Keeping:
    return Keeping(
        settings.series_late_s * S_NS,
        Retention(
            settings.series_keep_days * DAY_NS,
            settings.series_keep_rows,
            settings.series_keep_mb * MB,
        ),
    )


def _may_read(run: Run) -> None:
    if not {"r", "rw"} & set(run.allowed(FILES)):
        raise run.refusal(FILES, "files", 'files = "r"')


def _may_write(run: Run) -> None:
    if "rw" not in run.allowed(FILES):
        raise run.refusal(FILES, "files for writing", 'files = "rw"')


def _may_store(run: Run) -> None:
    run.require(STORAGE, "storage", "storage = true")


def _place(run: Run, key: str) -> tuple[str, str]:
    _may_store(run)
    return space(run), keyvalue.checked_key(key)


def _found(value: bytes | None) -> ValueFound:
    return ValueFound(value=NIL if value is None else Packed(value))


def _content(packed: Packed) -> bytes:
    content = unpack(packed)
    if isinstance(content, str):
        return content.encode()
    if isinstance(content, bytes):
        return content
    raise InvalidArgument("content must be a string", details={"field": "content"})


def _described(status: os.stat_result) -> Packed:
    is_directory = stat.S_ISDIR(status.st_mode)
    return pack(
        {
            "type": "directory" if is_directory else "file",
            "size_bytes": 0 if is_directory else status.st_size,
            "modified_s": status.st_mtime,
        }
    )


def _text_or_bytes(content: bytes) -> Packed:
    try:
        return pack(content.decode())
    except UnicodeDecodeError:
        return pack(content)
