"""What the walls around many processes amount to."""

from collections.abc import Collection, Iterable

from loki.messages.engine import ChunkCacheStatistics, EngineStarted, EngineStatus, Wall


def weakest(processes: Iterable[tuple[Wall, ...]]) -> tuple[Wall, ...]:
    """One entry for each wall: it stands only if it stands around every process."""
    walls: dict[str, Wall] = {}
    for raised in processes:
        for wall in raised:
            known = walls.get(wall.name)
            if known is None or (known.active and not wall.active):
                walls[wall.name] = wall
    return tuple(walls.values())


def engines(
    started: Collection[EngineStarted], cache: ChunkCacheStatistics | None = None
) -> tuple[EngineStatus, ...]:
    """One entry for each language, ordered by name; `started` is what each runner said.

    `cache` tells of the scripts that all runners keep, whatever their language.
    """
    versions = {engine.language: engine.version for engine in started}
    return tuple(
        EngineStatus(
            language=language,
            version=versions[language],
            walls=weakest(engine.walls for engine in started if engine.language == language),
            chunk_cache=cache,
        )
        for language in sorted(versions)
    )
