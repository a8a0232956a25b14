"""Commands that tell how things are: a server's state, and this program's version."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from loki import __version__
from loki.cli.connection import connect
from loki.cli.option import DEFAULT_SERVER, AsJson, Server
from loki.cli.view import Json, duration, say, say_json, show_table

ROOT = "loki"

if TYPE_CHECKING:
    from loki.v1 import device_pb2, service_pb2


def status(
    tree: Annotated[
        bool, typer.Option("--tree", help="Show who supervises whom, down to the runners.")
    ] = False,
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """Show how the server and its children fare."""
    with connect(server, as_json=as_json) as client:
        capabilities = client.get_capabilities(scripts=False)
        children = client.get_children_status()
    if as_json:
        say_json(_status_json(server, capabilities, children))
        return
    device = capabilities.device
    say(
        f"loki {capabilities.version} at {server}, {capabilities.script_count} scripts, "
        f"{device.cores} cores, {device.memory_bytes >> 20} MiB, {device.architecture}"
    )
    if told := "; ".join(filter(None, (device.model, ", ".join(device.buses)))):
        say(f"device: {told}")
    if tree:
        _show_children(tree_rows(children))
        return
    _show_children((child.name, child) for child in children if child.supervisor in ("", ROOT))
    for engine in capabilities.engines:
        _show_engine(engine)
    if capabilities.HasField("value_cache"):
        say(f"cached values: {_value_cache_line(capabilities.value_cache)}")


def _value_cache_line(cache: "device_pb2.ValueCacheStatistics") -> str:
    return (
        f"{cache.entries} kept in {-(-cache.size_bytes // 1024)} KiB, {cache.hits} hits, "
        f"{cache.misses} misses, {cache.evictions} evictions"
    )


def _show_children(rows: "Iterable[tuple[str, device_pb2.ChildServiceInfo]]") -> None:
    show_table(
        ("child", "state", "pid", "restarts", "up for", "last reason"),
        (
            (
                title,
                state_name(child),
                str(child.pid or "-"),
                str(child.restarts),
                duration(child.uptime_s) if child.pid else "-",
                child.last_error,
            )
            for title, child in rows
        ),
    )


def tree_rows(
    children: "Sequence[device_pb2.ChildServiceInfo]", supervisor: str = ROOT, indent: str = ""
) -> "Iterator[tuple[str, device_pb2.ChildServiceInfo]]":
    """Each child under its supervisor, with the lines of a tree before its name."""
    own = [child for child in children if child.supervisor == supervisor]
    for child in own:
        last = child is own[-1]
        yield f"{indent}{'└─ ' if last else '├─ '}{child.name}", child
        yield from tree_rows(children, child.name, indent + ("   " if last else "│  "))


def reset(
    child: Annotated[str, typer.Argument(metavar="CHILD", help='Its name, such as "fenrir".')],
    server: Server = DEFAULT_SERVER,
    as_json: AsJson = False,
) -> None:
    """Put a child back to service that failed too often, at once."""
    with connect(server, as_json=as_json) as client:
        pid = client.reset_child(child)
    if as_json:
        say_json({"child": child, "pid": pid})
    else:
        say(f"{child} is up, pid {pid}")


def _show_engine(engine: "device_pb2.EngineInfo") -> None:
    show_table(
        (f"walls around {engine.language} {engine.version}", "state", "detail"),
        ((wall.name, "active" if wall.active else "missing", wall.detail) for wall in engine.walls),
    )
    if engine.HasField("chunk_cache"):
        say(f"compiled scripts: {_cache_line(engine.chunk_cache)}")
    if engine.HasField("module_cache"):
        say(f"compiled modules: {_cache_line(engine.module_cache)}")


def _cache_line(cache: "device_pb2.ChunkCacheStatistics") -> str:
    return (
        f"{cache.entries} kept, {cache.hits} hits, {cache.misses} misses, "
        f"{cache.evictions} evictions, {cache.compiles} compilations"
    )


def state_name(child: "device_pb2.ChildServiceInfo") -> str:
    """Such as "up"."""
    from loki.v1 import device_pb2

    return device_pb2.ChildState.Name(child.state).removeprefix("CHILD_STATE_").lower()


def _status_json(
    server: str,
    capabilities: "service_pb2.GetCapabilitiesResponse",
    children: "list[device_pb2.ChildServiceInfo]",
) -> dict[str, Json]:
    device = capabilities.device
    return {
        "address": server,
        "version": capabilities.version,
        "scripts": capabilities.script_count,
        "device": {
            "cores": device.cores,
            "memory_bytes": device.memory_bytes,
            "architecture": device.architecture,
            "python_version": device.python_version,
            "back_ends": dict(device.back_ends),
            "model": device.model,
            "buses": list(device.buses),
        },
        "children": [_child_json(child) for child in children],
        "engines": [_engine_json(engine) for engine in capabilities.engines],
        "value_cache": _value_cache_json(capabilities.value_cache)
        if capabilities.HasField("value_cache")
        else None,
    }


def _child_json(child: "device_pb2.ChildServiceInfo") -> dict[str, Json]:
    return {
        "name": child.name,
        "service": child.service,
        "enabled": child.enabled,
        "state": state_name(child),
        "node": child.node,
        "pid": child.pid,
        "restarts": child.restarts,
        "last_error": child.last_error,
        "uptime_s": child.uptime_s,
        "heartbeat_age_s": child.heartbeat_age_s,
        "supervisor": child.supervisor,
    }


def _engine_json(engine: "device_pb2.EngineInfo") -> dict[str, Json]:
    return {
        "language": engine.language,
        "version": engine.version,
        "walls": [
            {"name": wall.name, "active": wall.active, "detail": wall.detail}
            for wall in engine.walls
        ],
        "chunk_cache": _cache_json(engine.chunk_cache) if engine.HasField("chunk_cache") else None,
        "module_cache": _cache_json(engine.module_cache)
        if engine.HasField("module_cache")
        else None,
    }


def _value_cache_json(cache: "device_pb2.ValueCacheStatistics") -> dict[str, Json]:
    return {
        "entries": cache.entries,
        "capacity": cache.capacity,
        "size_bytes": cache.size_bytes,
        "capacity_bytes": cache.capacity_bytes,
        "hits": cache.hits,
        "misses": cache.misses,
        "evictions": cache.evictions,
    }


def _cache_json(cache: "device_pb2.ChunkCacheStatistics") -> dict[str, Json]:
    return {
        "entries": cache.entries,
        "capacity": cache.capacity,
        "hits": cache.hits,
        "misses": cache.misses,
        "evictions": cache.evictions,
        "compiles": cache.compiles,
    }


def version() -> None:
    """Print the version of this program."""
    typer.echo(f"loki {__version__}")
