"""Gateway, Dispatcher and runners about what runs scripts, and what stands around it."""

import msgspec

from loki.messages.envelope import Message, Request


class Wall(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that a process has given up for good."""

    name: str
    active: bool
    detail: str = ""  # What it keeps out, or why it does not stand.


class ChunkCacheStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """How the caches of compiled scripts fare, of all runners, since the Dispatcher began."""

    entries: int
    capacity: int  # Of one runner.
    hits: int
    misses: int
    evictions: int
    compiles: int


class EngineStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One language: its engine, and the walls around the processes that run it."""

    language: str
    version: str
    walls: tuple[Wall, ...] = ()  # Empty until the first runner is up.
    chunk_cache: ChunkCacheStatistics | None = None


class EnginesListed(Message):
    engines: tuple[EngineStatus, ...]


class DescribeEngines(Request[EnginesListed]):
    """Gateway -> Dispatcher: what runs scripts, and how well it is walled in."""


class EngineStarted(Message):
    """Runner -> Dispatcher, right after its Ready: what it runs, and what it gave up for that."""

    language: str
    version: str
    walls: tuple[Wall, ...]
