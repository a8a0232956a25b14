"""Sees what a thread does that may block: Python tells auditors of it."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

MAY_BLOCK = ("open", "os.", "sqlite3.", "shutil.", "subprocess.", "socket.getaddrinfo")
"""Audit events of what may take its time; all that asks a disk or a name service is among them."""


class Watch:
    """Notes what a thread does that may block, while it is watched."""

    def __init__(self) -> None:
        self._thread = 0
        self.seen: list[str] = []
        sys.addaudithook(self._heard)  # Nobody can take it back: one for the whole run.

    def _heard(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self._thread == threading.get_ident() and event.startswith(MAY_BLOCK):
            self.seen.append(f"{event}{arguments}")

    @contextmanager
    def on_this_thread(self) -> Iterator[None]:
        self.seen, self._thread = [], threading.get_ident()
        try:
            yield
        finally:
            self._thread = 0


WATCH = Watch()
