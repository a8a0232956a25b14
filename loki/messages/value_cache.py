"""Gateway and the child that keeps data, about the values that scripts keep in memory."""

import msgspec

from loki.messages.envelope import Message, Request


class ValueCacheStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """How the cache of all scripts' values fares: what it holds now, the rest since it began."""

    entries: int
    capacity: int
    size_bytes: int  # Of keys and values.
    capacity_bytes: int
    hits: int
    misses: int
    evictions: int  # Values that made room for others; those that were too old do not count.


class ValueCacheDescribed(Message):
    statistics: ValueCacheStatistics


class DescribeValueCache(Request[ValueCacheDescribed]):
    """Gateway -> the child that keeps data. Reply: ValueCacheDescribed."""
