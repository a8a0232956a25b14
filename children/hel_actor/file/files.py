"""The calls about files: what a run may do is checked here, the jail's thread does it."""

import os
import stat
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import TypeVar

from hel_actor import page
from hel_actor.database.answer import after
from hel_actor.file.acceptance import Acceptance
from hel_actor.file.complaint import unserved
from hel_actor.file.jail import MAX_NAMES, Jail, Room
from hel_actor.file.occupancy import Occupancy
from hel_actor.lua_api import FILES
from hel_actor.messages import (
    AppendToFile,
    CreateDirectory,
    DeleteEntry,
    DescribeEntry,
    DirectoryListed,
    EntryDescribed,
    FileContent,
    ListDirectory,
    ListOptions,
    ReadFile,
    WriteFile,
)
from hel_actor.namespace import space
from hel_actor.quota.ledger import Ledger
from hel_actor.quota.quota import account_of
from hel_actor.turns import Turns
from loki.child import Run, RunHandler, Shell
from loki.errors import InvalidArgument
from loki.messages.envelope import Done, Message
from loki.messages.value import Packed, pack, unpack

T = TypeVar("T")

ALL_NAMES = ListOptions()


class Files:
    """All files are worked on in one thread, in the order of the calls."""

    def __init__(self, shell: Shell, jail: Jail, ledger: Ledger, quota_mb: int) -> None:
        self._log = shell.log
        self._worker = shell.worker("files")
        self._turns = Turns(self._worker)
        self._jail = jail
        self._occupancy = Occupancy(jail, ledger, shell.log)
        self._acceptance = Acceptance(jail, shell.clock, shell.log)
        self._quota_mb = quota_mb
        self._trouble = ""
        self._look = self._worker.submit(self._open)
        self._closed = False

    @property
    def trouble(self) -> str:
        """Why scripts have no files, or cannot use them as they should; "".

        Asked for now and then: a look is taken each time.
        """
        if self._look.done() and not self._closed:
            self._look = self._worker.submit(self._open)
        return self._trouble or self._acceptance.trouble

    def calls(self) -> Mapping[type[Message], RunHandler]:
        return {
            ReadFile: self._read,
            WriteFile: self._write,
            AppendToFile: self._append,
            DescribeEntry: self._describe,
            DeleteEntry: self._delete,
            ListDirectory: self._list,
            CreateDirectory: self._create_directory,
        }

    def close(self) -> "Future[None]":
        """The promise says when all that was asked before is done."""
        self._closed = True
        return self._worker.submit(self._jail.close)

    def counted(self, namespace: str) -> "Future[None] | None":
        """When the ledger knows what its files take; None where it does already."""
        if self._occupancy.is_counted(namespace):
            return None
        return self._turns.ask(self._occupancy.counting(namespace))

    def _open(self) -> None:
        try:
            self._jail.open()
        except OSError as error:  # Each call tries again, and says so to its script.
            trouble = unserved(error)
            if trouble != self._trouble:
                self._log.error("%s", trouble)
        else:
            trouble = ""
            self._acceptance.look()
        self._trouble = trouble

    def _read(self, request: ReadFile, run: Run) -> "Future[FileContent]":
        _may_read(run)
        return self._reading(
            run,
            lambda home: FileContent(content=_text_or_bytes(self._jail.read(home, request.path))),
        )

    def _write(self, request: WriteFile, run: Run) -> "Future[Done]":
        _may_write(run)
        content = _content(request.content)
        return self._changing(
            run, lambda home, room: self._jail.write(home, request.path, content, room)
        )

    def _append(self, request: AppendToFile, run: Run) -> "Future[Done]":
        _may_write(run)
        content = _content(request.content)
        return self._changing(
            run, lambda home, room: self._jail.append(home, request.path, content, room)
        )

    def _describe(self, request: DescribeEntry, run: Run) -> "Future[EntryDescribed]":
        _may_read(run)
        return self._reading(
            run,
            lambda home: EntryDescribed(entry=_described(self._jail.describe(home, request.path))),
        )

    def _delete(self, request: DeleteEntry, run: Run) -> "Future[Done]":
        _may_write(run)
        recursive = request.options is not None and request.options.recursive
        return self._changing(
            run,
            lambda home, room: self._jail.delete(home, request.path, room, recursive=recursive),
        )

    def _list(self, request: ListDirectory, run: Run) -> "Future[DirectoryListed]":
        _may_read(run)
        options = request.options or ALL_NAMES
        limit = page.wanted(options.limit, MAX_NAMES)

        def listed(home: str) -> DirectoryListed:
            names = self._jail.list_directory(home, request.path, limit, options.after)
            return DirectoryListed(names=page.whole(names, MAX_NAMES, "names"))

        return self._reading(run, listed)

    def _create_directory(self, request: CreateDirectory, run: Run) -> "Future[Done]":
        _may_write(run)
        return self._changing(
            run, lambda home, room: self._jail.create_directory(home, request.path, room)
        )

    def _reading(self, run: Run, read: Callable[[str], T]) -> "Future[T]":
        home = space(run)

        def found() -> T:
            with self._acceptance.reading(home):
                return read(home)

        return self._worker.submit(found)

    def _changing(self, run: Run, change: Callable[[str, Room], None]) -> "Future[Done]":
        account = account_of(run, self._quota_mb)

        def changed() -> Done:
            name = account.namespace
            with self._acceptance.changing(name), self._occupancy.changing(account) as room:
                change(name, room)
            return Done()

        counted = self.counted(account.namespace)
        if counted is None:
            return self._worker.submit(changed)
        return after(counted, lambda: self._worker.submit(changed))


def _may_read(run: Run) -> None:
    if not {"r", "rw"} & set(run.allowed(FILES)):
        raise run.refusal(FILES, "files", 'files = "r"')


def _may_write(run: Run) -> None:
    if "rw" not in run.allowed(FILES):
        raise run.refusal(FILES, "files for writing", 'files = "rw"')


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
