"""Sees what a thread does that may block: Python's profiler tells of every call into C.

No audit hook: one can never be taken back, and runs Python code whenever a thread is given its
trace function, which Python 3.11 does for one thread at a time: under coverage, others that begin
just then die without a word, and whoever waits for them waits for ever.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

MODULES = frozenset({"_io", "_posixsubprocess", "_socket", "_sqlite3", "io", "posix", "sqlite3"})
"""Of functions and types that ask a disk, a name service, or other processes."""
AT_ONCE = frozenset(
    {"BytesIO", "StringIO", "fspath", "getpid", "getvalue", "text_encoding", "urandom"}
)
"""What they have besides."""


class Watch:
    """Notes what a thread does that may block, while it is watched."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def _told(self, _frame: FrameType, event: str, function: Any) -> None:
        if event != "c_call":
            return
        owner = getattr(function, "__self__", None)
        of_module = owner is None or type(owner).__name__ == "module"
        module = function.__module__ if of_module else type(owner).__module__
        if module in MODULES and function.__name__ not in AT_ONCE:
            self.seen.append(f"{module}.{function.__name__}")

    @contextmanager
    def on_this_thread(self) -> Iterator[None]:
        self.seen = []
        before = sys.getprofile()
        sys.setprofile(self._told)
        try:
            yield
        finally:
            sys.setprofile(before)


WATCH = Watch()
