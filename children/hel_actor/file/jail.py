"""The files of scripts: each script in a directory of its own, which no path leads out of."""

import errno
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TypeAlias

from hel_actor.file import removal
from hel_actor.file.complaint import REASONS, MissingFolder, naming, unserved
from hel_actor.file.resolver import DIRECTORY, Refusal, Resolver, best_resolver, parse
from hel_actor.file.syscall import Kernel, Syscalls, exists
from hel_actor.file.tree import walk
from hel_actor.quota.quota import BLOCK_BYTES, in_blocks
from hel_actor.storage import Disk, make_lasting
from loki.errors import ResourceLimitExceeded

MAX_NAMES = 10_000
"""Of one listing."""
MOST_LASTING = 4096  # Remembered; of others it is made sure again.
UNFINISHED = ".unfinished"
"""Holds files until they are whole. Outside of every script's directory, so none can see it."""

READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY  # A FIFO must not hold up the open.

Room: TypeAlias = Callable[[int], None]
"""Told by how many bytes the namespace grows, before it does: then it may raise. Or shrank."""


def endless(_: int) -> None:
    """There is room for everything."""


class Jail:
    """Files beneath one directory, which no one else changes. Used by one thread.

    Every method takes the namespace whose directory the path starts at, and the path as the
    script wrote it. Raises: IoError, NOT_FOUND for what is not there and IO for all else.
    """

    def __init__(
        self,
        directory: Path,
        max_file_bytes: int,
        resolver: Resolver | None = None,
        syscalls: Syscalls | None = None,
    ) -> None:
        self._directory = directory
        self._max_file_bytes = max_file_bytes
        self._resolver = resolver or best_resolver()
        self._syscalls = syscalls or Kernel()
        self._root = -1
        self._unfinished = -1
        self.openings = 0  # Grows when the directory is another one, with other files.
        self._synced: set[str] = set()  # Namespaces whose directories are surely on the disk.
        self._lasting: set[int] = set()  # The same of directories in them, by inode.

    def open(self) -> None:
        """Make the directory ready, and drop what a killed process left unfinished.

        Every other method does it when it was not done, or somebody has removed the directory.
        Raises: OSError.
        """
        if self._unfinished >= 0:
            if _same(self._directory, self._root):
                return
            self.close()
        make_lasting(self._directory)
        self._root = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self._unfinished = self._open_or_make(UNFINISHED)
            for name in self._syscalls.names(self._unfinished):
                self._remove(self._unfinished, os.fsencode(name))
        except OSError:  # Another directory may be there when it is tried again.
            self.close()
            raise
        self.openings += 1

    def free_bytes(self) -> int:
        """On its disk, for us; 0 where it cannot be asked."""
        with suppress(OSError):
            return Disk().free_bytes(self._directory)
        return 0

    def probe(self, namespace: str) -> None:
        """Find out whether a file could be made there, and leave none."""
        with naming("use", "."), self._changing(namespace) as home:
            temporary = secrets.token_hex(8)
            try:
                self._write_aside(temporary, b"probe")
            finally:
                with suppress(FileNotFoundError):
                    self._syscalls.unlink(self._unfinished, temporary)
            if not os.access(".", os.W_OK | os.X_OK, dir_fd=home, effective_ids=True):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    def close(self) -> None:
        for descriptor in (self._unfinished, self._root):
            if descriptor >= 0:
                os.close(descriptor)
        self._root = self._unfinished = -1
        self._synced.clear()
        self._lasting.clear()

    def read(self, namespace: str, path: str) -> bytes:
        with (
            naming("read", path),
            self._at(namespace) as home,
            self._opened(home, parse(path), READ) as descriptor,
        ):
            return self._read(descriptor)

    def _read(self, descriptor: int) -> bytes:
        status = os.fstat(descriptor)
        _require_file(status)
        if status.st_nlink != 1:
            raise Refusal("has more than one hard link")
        content = self._syscalls.read(descriptor, self._max_file_bytes + 1)
        self._require_size(len(content))
        return content

    def write(self, namespace: str, path: str, content: bytes, room: Room = endless) -> None:
        """Make or replace a file, wholly or not at all, and durably."""
        with naming("write", path), self._changing(namespace) as home:
            self._require_size(len(content))
            with self._folder(home, parse(path)) as (directory, name):
                self._replace(directory, name, content, room)

    def append(self, namespace: str, path: str, content: bytes, room: Room = endless) -> None:
        """Add to the end of a file, or make it: wholly or not at all, and durably.

        The file is written anew: a process that is killed in the middle leaves no half record.
        """
        with naming("append to", path), self._changing(namespace) as home:
            relative = parse(path)
            before = self._content(home, relative)
            self._require_size(len(before) + len(content))
            with self._folder(home, relative) as (directory, name):
                self._replace(directory, name, before + content, room)

    def _content(self, home: int, path: bytes) -> bytes:
        """Of a file that may not be there yet."""
        try:
            with self._opened(home, path, READ) as descriptor:
                return self._read(descriptor)
        except FileNotFoundError:
            return b""

    def describe(self, namespace: str, path: str) -> os.stat_result:
        with (
            naming("describe", path),
            self._at(namespace) as home,
            self._opened(home, parse(path), READ) as descriptor,
        ):
            status = os.fstat(descriptor)
            if not stat.S_ISDIR(status.st_mode):
                _require_file(status)
            return status

    def delete(
        self, namespace: str, path: str, room: Room = endless, *, recursive: bool = False
    ) -> None:
        """Delete a file or an empty directory, durably; with `recursive`, one with all in it.

        Such a directory is gone at once, and then what was in it. Where that fails half-way, the
        IoError says so, and the rest goes when the jail is opened again.
        """
        with (
            naming("delete", path),
            self._changing(namespace) as home,
            self._parent(home, parse(path)) as (directory, name),
        ):
            status = os.lstat(name, dir_fd=directory)
            if recursive and stat.S_ISDIR(status.st_mode):
                self._delete_tree(directory, name, room)
                return
            if stat.S_ISDIR(status.st_mode):
                self._syscalls.remove_directory(directory, name)
            else:
                _require_file(status)
                self._syscalls.unlink(directory, name)
            room(-_taken(status))
            self._syscalls.sync(directory)

    def _delete_tree(self, directory: int, name: bytes, room: Room) -> None:
        with self._opened(directory, name, DIRECTORY) as root:
            taken = BLOCK_BYTES + sum(_taken(each.status) for each in walk(self._resolver, root))
        temporary = secrets.token_hex(8)
        self._syscalls.rename(directory, name, self._unfinished, temporary)
        room(-taken)
        self._syscalls.sync(directory)
        try:
            self._remove(self._unfinished, temporary.encode())
        except OSError as error:
            raise Refusal(
                "is gone, but some of what was in it takes space until Loki is started again: "
                f"{error.strerror}"
            ) from error

    def _remove(self, parent: int, name: bytes) -> None:
        removal.remove(self._resolver, self._syscalls, parent, name)

    def list_directory(
        self, namespace: str, path: str, limit: int = MAX_NAMES, after: str = ""
    ) -> tuple[str, ...]:
        """The first `limit` names after `after`, sorted by their code points.

        Without those that are not UTF-8: no script could say them.
        """
        with (
            naming("list", path),
            self._at(namespace) as home,
            self._opened(home, parse(path), DIRECTORY) as directory,
        ):
            names = filter(_is_utf8, self._syscalls.names(directory))
            return tuple(sorted(name for name in names if name > after)[:limit])

    def create_directory(self, namespace: str, path: str, room: Room = endless) -> None:
        """Make a directory and its missing parents, durably. An existing one is fine."""
        with naming("create", path), self._changing(namespace) as home:
            relative = parse(path)
            names = relative.split(b"/") if relative != b"." else []
            for end in range(1, len(names) + 1):
                with self._parent(home, b"/".join(names[:end])) as (directory, name):
                    if not exists(directory, name):
                        room(BLOCK_BYTES)
                    self._make_directory(directory, name)
            with self._opened(home, relative, DIRECTORY):
                return  # It is a directory, and not a file of that name.

    def taken(self, namespace: str) -> Iterator[int]:
        """The bytes of each of its files and folders. Raises: OSError."""
        self.open()
        try:
            home = os.open(namespace, DIRECTORY, dir_fd=self._root)
        except FileNotFoundError:
            return
        try:
            yield from (_taken(entry.status) for entry in walk(self._resolver, home))
        finally:
            os.close(home)

    @contextmanager
    def _at(self, namespace: str) -> Iterator[int]:
        """The directory of a namespace, made when it is not there."""
        try:
            self.open()
        except OSError as error:
            raise Refusal(f"cannot be served: {unserved(error)}") from error
        home = self._open_or_make(namespace)
        try:
            yield home
        finally:
            os.close(home)

    @contextmanager
    def _changing(self, namespace: str) -> Iterator[int]:
        """The same, and surely on the disk: a kill may have cut its making off."""
        with self._at(namespace) as home:
            if namespace not in self._synced:
                self._syscalls.sync(self._root)
                self._synced.add(namespace)
            yield home

    def _open_or_make(self, name: str) -> int:
        try:
            return os.open(name, DIRECTORY, dir_fd=self._root)
        except FileNotFoundError:
            self._make_directory(self._root, name.encode())
            return os.open(name, DIRECTORY, dir_fd=self._root)

    def _make_directory(self, parent: int, name: bytes) -> None:
        """Durably, also where it is there already: a kill may have cut its making off."""
        is_new = self._syscalls.make_directory(parent, name)
        try:
            self._syscalls.sync(parent)
        except OSError:
            if is_new:  # Else the next call would take it for durable.
                with suppress(OSError):
                    self._syscalls.remove_directory(parent, name)
            raise

    @contextmanager
    def _opened(self, home: int, path: bytes, flags: int) -> Iterator[int]:
        descriptor = self._resolver(home, path, flags)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    @contextmanager
    def _parent(self, home: int, path: bytes) -> Iterator[tuple[int, bytes]]:
        """The directory that holds the path's last name, and that name."""
        directory, _, name = path.rpartition(b"/")
        if name == b".":
            raise Refusal("is the script's own directory")
        with self._opened(home, directory or b".", DIRECTORY) as descriptor:
            yield descriptor, name

    @contextmanager
    def _folder(self, home: int, path: bytes) -> Iterator[tuple[int, bytes]]:
        """The same for a file that is to be there. Raises: MissingFolder."""
        with ExitStack() as stack:
            try:
                found = stack.enter_context(self._parent(home, path))
            except FileNotFoundError:
                raise MissingFolder(path.rpartition(b"/")[0].decode()) from None
            self._let_last(home, path.rpartition(b"/")[0], found[0])
            yield found

    def _let_last(self, home: int, folder: bytes, directory: int) -> None:
        """Put the names down to a folder on the disk, once: a kill may have cut that off."""
        inode = os.fstat(directory).st_ino
        if not folder or inode in self._lasting:
            return
        names = folder.split(b"/")
        for end in range(1, len(names) + 1):
            with self._parent(home, b"/".join(names[:end])) as (above, _):
                self._syscalls.sync(above)
        if len(self._lasting) >= MOST_LASTING:
            self._lasting.clear()
        self._lasting.add(inode)

    def _replace(self, directory: int, name: bytes, content: bytes, room: Room) -> None:
        before = 0
        with suppress(FileNotFoundError):
            status = os.lstat(name, dir_fd=directory)
            _require_file(status)
            before = _taken(status)
        room(in_blocks(len(content)) - before)
        self._put(directory, name, content)

    def _put(self, directory: int, name: bytes, content: bytes) -> None:
        """Write aside, sync, rename, sync. A crash leaves the old file or the new one.

        So does a failed sync: its pages are of a file that goes, and the next write has its own.
        """
        temporary = secrets.token_hex(8)
        try:
            self._write_aside(temporary, content)
            self._syscalls.rename(self._unfinished, temporary, directory, name)
        except OSError:
            with suppress(OSError):  # There is none, or it goes when the jail is opened again.
                self._syscalls.unlink(self._unfinished, temporary)
            raise
        self._syscalls.sync(directory)

    def _write_aside(self, temporary: str, content: bytes) -> None:
        descriptor = self._syscalls.create(self._unfinished, temporary)
        try:
            self._syscalls.write(descriptor, content)
            self._syscalls.sync(descriptor)
        finally:
            os.close(descriptor)

    def _require_size(self, size_bytes: int) -> None:
        if size_bytes > self._max_file_bytes:
            raise ResourceLimitExceeded(
                f"a file may have {self._max_file_bytes} bytes, not more; "
                "see max_file_kb under [children_config.hel]"
            )


def _require_file(status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise Refusal(REASONS[errno.EISDIR])
    if not stat.S_ISREG(status.st_mode):
        raise Refusal("is not a regular file")


def _same(path: Path, directory: int) -> bool:
    """Whether the path still leads to the directory that is open, and we may use it."""
    try:
        is_same = os.path.samestat(path.stat(), os.fstat(directory))
        return is_same and os.access(path, os.R_OK | os.X_OK)
    except OSError:
        return False


def _taken(status: os.stat_result) -> int:
    return BLOCK_BYTES if stat.S_ISDIR(status.st_mode) else in_blocks(status.st_size)


def _is_utf8(name: str) -> bool:
    """Python gives the bytes of other names as lone surrogates, which do not encode."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
