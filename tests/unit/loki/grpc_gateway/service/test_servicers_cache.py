"""How the cache of values fares, as clients are told."""

from collections.abc import Callable
from typing import Any

import pytest

from loki.client import LokiClient
from loki.errors import ServiceUnavailable
from loki.messages.engine import ChunkCacheStatistics, DescribeEngines, EnginesListed
from loki.messages.envelope import Message
from loki.messages.library import ListScripts, ScriptsListed
from loki.messages.lifecycle import ChildrenListed, DescribeChildren
from loki.messages.module import DescribeModules, ModulesDescribed
from loki.messages.value_cache import (
    DescribeValueCache,
    ValueCacheDescribed,
    ValueCacheStatistics,
)

NOTHING = ChunkCacheStatistics(entries=0, capacity=0, hits=0, misses=0, evictions=0, compiles=0)
STATISTICS = ValueCacheStatistics(
    entries=1, capacity=2, size_bytes=3, capacity_bytes=4, hits=5, misses=6, evictions=7
)


@pytest.fixture
def answering(shell: Any) -> Any:
    shell.answers |= {
        ListScripts: lambda _: ScriptsListed(scripts=()),
        DescribeChildren: lambda _: ChildrenListed(children=()),
        DescribeEngines: lambda _: EnginesListed(engines=()),
        DescribeModules: lambda _: ModulesDescribed(statistics=NOTHING),
    }
    return shell


def test_s_8_4_1_the_childs_figures_reach_the_client(
    answering: Any, host: Callable[..., Any]
) -> None:
    answering.answers[DescribeValueCache] = lambda _: ValueCacheDescribed(statistics=STATISTICS)
    with LokiClient(host(answering, keeper="hel").address, patience_s=0) as client:
        cache = client.get_capabilities().value_cache
    assert (cache.entries, cache.capacity, cache.size_bytes, cache.capacity_bytes) == (1, 2, 3, 4)
    assert (cache.hits, cache.misses, cache.evictions) == (5, 6, 7)


def test_capabilities_are_told_while_the_child_restarts_and_where_there_is_none(
    answering: Any, host: Callable[..., Any]
) -> None:
    def away(_: Message) -> Message:
        raise ServiceUnavailable("it is not there")

    answering.answers[DescribeValueCache] = away
    for keeper in ("hel", ""):
        with LokiClient(host(answering, keeper=keeper).address, patience_s=0) as client:
            assert not client.get_capabilities().HasField("value_cache")
