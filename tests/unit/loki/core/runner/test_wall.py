"""What many runners' walls amount to."""

from loki.core.runner.wall import engines, weakest
from loki.messages.engine import EngineStarted, Wall

UP = Wall(name="a", active=True)
DOWN = Wall(name="a", active=False, detail="no room")
OTHER = Wall(name="b", active=True)


def started(language: str, *walls: Wall) -> EngineStarted:
    return EngineStarted(language=language, version="1", walls=walls)


def test_a_wall_stands_only_if_it_stands_around_every_process() -> None:
    assert weakest([(UP, OTHER), (DOWN,), (UP,)]) == (DOWN, OTHER)


def test_no_process_has_no_walls() -> None:
    assert weakest([]) == ()


def test_each_language_is_told_once_with_its_own_walls() -> None:
    lua, zig = engines([started("zig", OTHER), started("lua", UP), started("lua", DOWN)])
    assert (lua.language, lua.version, lua.walls) == ("lua", "1", (DOWN,))
    assert (zig.language, zig.walls) == ("zig", (OTHER,))


def test_before_the_first_runner_nothing_is_known() -> None:
    assert engines([]) == ()
