"""Sees that files changed: by inotify, or by looking again and again where that cannot be had.

Theory of operation. Folders are watched, not files: an editor saves by renaming a new file over the
old one. inotify tells of each change, and costs nothing while there is none. It is given up for
good when the kernel has no watches left, or when a folder lies on a file system that others write
to; then a thread compares what `lstat` says, at distances that keep it under 4 % of a CPU.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from loki.core.file_system import remote
from loki.tool import vantage

if TYPE_CHECKING:
    from watchdog.observers.inotify_c import CallbackId, InotifyEvent, Mask, WatchDescriptor

POLL_S = 0.4
CLOSING_S = 1.0
POLL_SHARE = 25
"""After a look that took a second, so many seconds without one."""

Places = Mapping[str, frozenset[str]]
"""Names that matter, by folder."""


class Watch(Protocol):
    """One way to see changes."""

    def look_at(self, places: Places) -> None:
        """At these, and no others, from now on. Raises: OSError where that cannot be."""

    def close(self) -> None:
        """See nothing any more."""


class FileWatch:
    """Calls `touched` in a thread of its own after something changed, perhaps several times."""

    def __init__(self, touched: Callable[[], None], log: logging.Logger) -> None:
        self._touched = touched
        self._log = log
        self._watch: Watch | None = None
        self._folders: frozenset[str] = frozenset()
        self._closed = False

    def look_at(self, places: Places) -> frozenset[str]:
        """At these, and no others, from now on; which folders were not looked at before.

        May block; for one thread at a time.
        """
        try:
            self._watch = self._watch or Notified(self._touched)
            if isinstance(self._watch, Notified):
                _require_told(places)
            self._watch.look_at(places)
        except (OSError, ImportError) as error:
            if self._closed:
                return frozenset()
            self._log.warning("files are looked at every %.1f s for changes: %s", POLL_S, error)
            if self._watch is not None:
                self._watch.close()
            self._watch = Polled(self._touched)
            self._watch.look_at(places)
        before, self._folders = self._folders, frozenset(places)
        if self._closed:  # Meanwhile, by another thread, which did not know of this watch.
            self._watch.close()
        return self._folders - before

    def close(self) -> None:
        """See nothing any more, whoever is looking just now."""
        self._closed = True
        if self._watch is not None:
            self._watch.close()


def _require_told(places: Places) -> None:
    """Raises: OSError where the kernel hears nothing of some changes."""
    mounts = Path("/proc/self/mountinfo").read_text(errors="replace")
    devices = {seen.st_dev: path for path in places if (seen := _stat(path)) is not None}
    for device, path in devices.items():
        if kind := remote(mounts, (os.major(device), os.minor(device))):
            raise OSError(f"{path} is on {kind}, which does not tell of changes")


def _stat(path: str) -> os.stat_result | None:
    """None where it is not any more, or may not be seen: then there is nothing to watch."""
    try:
        return os.stat(path) if os.access(path, os.R_OK) else None
    except OSError:
        return None


class Notified:
    """By inotify."""

    def __init__(self, touched: Callable[[], None]) -> None:
        """Raises: OSError; ImportError."""
        from watchdog.observers.inotify_c import InotifyConstants as Kind
        from watchdog.observers.inotify_c import InotifyFD

        kinds = (
            *(Kind.IN_CLOSE_WRITE, Kind.IN_MOVED_FROM, Kind.IN_MOVED_TO, Kind.IN_CREATE),
            *(Kind.IN_DELETE, Kind.IN_DELETE_SELF, Kind.IN_MOVE_SELF, Kind.IN_ATTRIB),
            Kind.IN_ONLYDIR,
        )
        self._mask = cast("Mask", sum(kinds))
        self._touched = touched
        self._folders: dict[tuple[str, int, int], Folder] = {}
        self._inotify = InotifyFD()
        self._inotify.name = "files"
        self._inotify.start()

    def look_at(self, places: Places) -> None:
        wanted = {
            (path, seen.st_dev, seen.st_ino): names
            for path, names in places.items()
            if (seen := _stat(path)) is not None
        }
        if len(wanted) < len(places):
            self._touched()  # One went meanwhile.
        for key, folder in list(self._folders.items()):
            if key not in wanted or folder.gone:
                del self._folders[key]
                self._inotify.remove_callbacks([(folder.watch, folder.key)])
        for key, names in wanted.items():
            if key in self._folders:
                self._folders[key].names = names
            else:
                self._add(key, names)

    def _add(self, key: tuple[str, int, int], names: frozenset[str]) -> None:
        folder = Folder(names, self._touched)
        try:
            folder.watch = self._inotify.add_callback(
                os.fsencode(key[0]), self._mask, folder, folder.key
            )
        except FileNotFoundError:
            self._touched()
        else:
            self._folders[key] = folder

    def close(self) -> None:
        self._inotify.stop()
        self._inotify.join(CLOSING_S)


class Folder:
    """One watched folder. What it is told of, it is told in inotify's thread."""

    def __init__(self, names: frozenset[str], touched: Callable[[], None]) -> None:
        self.names = names
        self.gone = False
        self.key = cast("CallbackId", id(self))
        self.watch = cast("WatchDescriptor", -1)
        self._touched = touched

    def on_event(self, event: "InotifyEvent") -> None:
        if vantage.concerns(self.names, os.fsdecode(event.name)):
            self._touched()

    def on_watch_deleted(self, wd: int) -> None:  # noqa: ARG002
        self.gone = True
        self._touched()

    def on_queue_overflow(self) -> None:
        self._touched()


class Polled:
    """By looking."""

    def __init__(self, touched: Callable[[], None]) -> None:
        self._touched = touched
        self._places: Places = {}
        self._known: dict[vantage.Step, vantage.Mark] = {}
        self._lock = threading.Lock()
        self._closed = threading.Event()
        threading.Thread(target=self._poll, name="files", daemon=True).start()

    def look_at(self, places: Places) -> None:
        with self._lock:
            if places != self._places:
                self._places, self._known = places, vantage.marks(places)

    def close(self) -> None:
        self._closed.set()

    def _poll(self) -> None:
        pause_s = POLL_S
        while not self._closed.wait(pause_s):
            began_s = time.monotonic()
            if self._changed():
                self._touched()
            pause_s = max(POLL_S, POLL_SHARE * (time.monotonic() - began_s))

    def _changed(self) -> bool:
        with self._lock:
            before, self._known = self._known, vantage.marks(self._places)
            return self._known != before
