"""Who follows what becomes of a database's transactions."""

import sqlite3
from typing import Protocol


class Witness(Protocol):
    """Sees what becomes of transactions, in the database's thread."""

    def opened(self, connection: sqlite3.Connection) -> None:
        """The file is open, and no transaction has begun."""

    def changed(self, connection: sqlite3.Connection) -> None:
        """Something was changed that is about to be committed."""

    def kept(self) -> None:
        """What was changed is on the disk; nobody was told yet."""

    def lost(self) -> None:
        """What was changed is undone, or the file could not be opened."""


class Bystander:
    """For a file whose changes nobody follows."""

    def opened(self, connection: sqlite3.Connection) -> None: ...
    def changed(self, connection: sqlite3.Connection) -> None: ...
    def kept(self) -> None: ...
    def lost(self) -> None: ...
