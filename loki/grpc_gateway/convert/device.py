"""Engines, caches and children of a device in the messages of `loki.v1`; no decisions."""

from collections.abc import Iterable

import msgspec

from loki.messages.engine import ChunkCacheStatistics, EngineStatus
from loki.messages.lifecycle import ChildState, ChildStatus
from loki.messages.value_cache import ValueCacheStatistics
from loki.v1 import device_pb2

NAME_OF_STATE = {state: f"CHILD_STATE_{state.name}" for state in ChildState}


def engines_to_proto(
    engines: Iterable[EngineStatus], module_cache: ChunkCacheStatistics | None
) -> list[device_pb2.EngineInfo]:
    return [
        device_pb2.EngineInfo(
            language=engine.language,
            version=engine.version,
            walls=[device_pb2.Wall(**msgspec.structs.asdict(wall)) for wall in engine.walls],
            chunk_cache=cache_to_proto(engine.chunk_cache),
            module_cache=cache_to_proto(module_cache),
        )
        for engine in engines
    ]


def cache_to_proto(cache: ChunkCacheStatistics | None) -> device_pb2.ChunkCacheStatistics | None:
    """None is a cache that nobody can ask now, or that there is not."""
    if cache is None:
        return None
    return device_pb2.ChunkCacheStatistics(**msgspec.structs.asdict(cache))


def value_cache_to_proto(
    cache: ValueCacheStatistics | None,
) -> device_pb2.ValueCacheStatistics | None:
    """None is a cache that nobody can ask now, or that there is not."""
    if cache is None:
        return None
    return device_pb2.ValueCacheStatistics(**msgspec.structs.asdict(cache))


def children_to_proto(children: Iterable[ChildStatus]) -> list[device_pb2.ChildServiceInfo]:
    return [
        device_pb2.ChildServiceInfo(
            name=child.name,
            service=child.service,
            enabled=child.state is not ChildState.DISABLED,
            state=NAME_OF_STATE[child.state],
            node=child.address,
            pid=child.pid,
            restarts=child.restarts,
            last_error=child.last_error,
            uptime_s=child.uptime_s,
            heartbeat_age_s=child.heartbeat_age_s,
            supervisor=child.supervisor,
        )
        for child in children
    ]
