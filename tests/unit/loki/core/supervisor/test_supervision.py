"""Who is started, restarted, stopped and killed, and when: the table, and notices that lie."""

import pytest

from loki.core.supervisor.state import Answered, Dying, Exited, Life, Phase, Started, Tick
from tests.scenario import outage, request, restart
from tests.scenario.case import Case, tree
from tests.scenario.world import World

CASES = [*restart.CASES, *outage.CASES, *request.CASES]


def test_the_table_is_long() -> None:
    assert len(CASES) >= 80
    assert len({(case.name, case.spec, case.steps) for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "_"))
def test_case(case: Case) -> None:
    """S-9.1.1: every rule of the table."""
    world = World(case.spec)
    for what, expected in case.steps:
        assert " ".join(world.play(what)) == expected, what


def begun(names: str = "a b") -> World:
    world = World(tree(names))
    world.play("begin")
    return world


@pytest.mark.parametrize(
    "event",
    [
        Exited("a", 1),
        Exited("a", 3),
        Started("a", 1, 77),
        Dying("a", 1, "ValueError"),
        Answered("a", 1),
        Exited("nobody", 1),
        Started("nobody", 1, 77),
    ],
    ids=str,
)
def test_news_of_another_incarnation_changes_nothing(event: object) -> None:
    world = begun()
    world.play("kill a")
    before = world.supervisor
    world.tell(event)  # type: ignore[arg-type]
    assert world.supervisor == before


def test_what_a_child_is_in_trouble_with_comes_with_a_heartbeat_and_goes_with_the_next() -> None:
    world = begun()
    for trouble in ("the disk fails", ""):
        world.tell(Answered("a", 1, trouble))
        assert world.supervisor.child("a").trouble == trouble
        assert world.supervisor.child("a").phase is Phase.UP


def test_a_new_incarnation_is_not_in_the_trouble_of_the_last() -> None:
    world = begun()
    world.tell(Answered("a", 1, "the disk fails"))
    world.play("kill a")
    assert world.supervisor.child("a").trouble == ""


def test_an_exit_that_is_told_twice_is_one_restart() -> None:
    world = begun()
    world.play("kill a")
    world.tell(Exited("a", 1))
    assert world.supervisor.child("a").restarts == 1
    assert world.supervisor.life is Life.RUNNING


def test_an_exit_that_is_never_told_is_noticed_by_the_silence() -> None:
    world = begun()
    world.processes["a"].hangs = True
    world.wait(2.0)
    child = world.supervisor.child("a")
    assert (child.restarts, child.last_reason) == (1, "hung: did not answer for 1.8 s")


@pytest.mark.parametrize("after_s", [0.0, 0.1, 0.25, 0.4999])
def test_a_hang_is_ended_within_two_seconds_whenever_it_begins(after_s: float) -> None:
    world = begun()
    world.wait(3.0 + after_s)
    world.processes["a"].hangs = True
    began_s = world.now_s
    world.wait(1.8)
    assert world.supervisor.child("a").restarts == 1
    assert 1.2 <= world.supervisor.child("a").since_s - began_s <= 1.8


def test_two_heartbeats_may_be_missed() -> None:
    world = begun()
    for _ in range(5):
        world.processes["a"].hangs = True
        world.wait(1.2)
        world.resume("a")
        world.wait(0.7)
    assert world.supervisor.child("a").restarts == 0


def test_a_supervisor_that_was_away_itself_blames_nobody() -> None:
    """It was stopped, or the device slept: the answers are still on their way."""
    world = begun()
    world.now_s += 3600.0
    world.tell(Tick())
    assert world.supervisor.child("a").restarts == 0
    assert world.supervisor.child("a").phase is Phase.UP


def test_one_that_does_not_come_up_in_time_is_killed() -> None:
    world = World(tree("a b", period_s=5.0))
    world.play("begin")
    world.mute("b")
    world.play("kill b")
    assert world.supervisor.child("b").phase is Phase.STARTING
    world.wait(10.0)
    assert world.supervisor.child("b").last_reason == "did not start within 10 s"
    assert world.supervisor.child("b").restarts == 2


def test_the_state_tells_why_each_ended_last() -> None:
    world = begun()
    world.play("crash a")
    assert world.supervisor.child("a").last_reason == "ValueError: broken"
    assert world.supervisor.child("b").last_reason == ""
