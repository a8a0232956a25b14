"""The pool of runners: who gets one, who waits, who is turned away."""

import pytest

from loki.core.runner.pool import (
    FAILED_STARTS,
    IDLE_TOO_LONG_S,
    MOST_RETURNS,
    PATIENCE_S,
    Assign,
    Command,
    Death,
    Lost,
    Pool,
    RunnerPhase,
    StartRunner,
    StopRunner,
    TurnAway,
    WakeAt,
    may_run_again,
)

NOW_S = 50.0


def pool_of(ready: int, *, warm: int = 1, most: int = 4, longest_queue: int = 3) -> Pool:
    """A pool that has begun; `ready` of its runners are up."""
    pool = Pool(warm=warm, most=most, longest_queue=longest_queue)
    assert pool.begin(NOW_S) == [StartRunner(f"runner-{n + 1}") for n in range(warm + 1)]
    for n in range(ready):
        assert pool.runner_up(f"runner-{n + 1}", NOW_S + n / 1000) == []
    return pool


def acts(commands: list[Command]) -> list[Command]:
    return [command for command in commands if not isinstance(command, WakeAt)]


def phases(pool: Pool) -> list[RunnerPhase]:
    return [runner.phase for runner in pool.runners.values()]


# The table.


def test_a_run_gets_the_idle_runner_at_once() -> None:
    pool = pool_of(1)
    assert pool.submitted("r1", NOW_S) == [Assign("r1", "runner-1", 0.0)]
    assert pool.runners["runner-1"].run == "r1"


def test_s_1_3_9_other_sizes_hold_from_the_next_tick_on() -> None:
    pool = pool_of(2)
    pool.resize(warm=2, most=6, longest_queue=0)
    assert acts(pool.tick(NOW_S)) == [StartRunner("runner-3")]
    pool.runner_up("runner-3", NOW_S)
    pool.resize(warm=1, most=6, longest_queue=0)
    assert acts(pool.tick(NOW_S + IDLE_TOO_LONG_S + 1)) == [StopRunner("runner-1")]


def test_who_waits_already_is_not_turned_away_by_a_shorter_queue() -> None:
    pool = pool_of(0)
    pool.submitted("r1", NOW_S)
    pool.resize(warm=1, most=4, longest_queue=0)
    assert pool.submitted("r2", NOW_S) == [TurnAway("r2")]
    assert Assign("r1", "runner-1", 0.0) in pool.runner_up("runner-1", NOW_S)


def test_the_runner_that_became_idle_last_is_taken() -> None:
    pool = pool_of(2)
    assert pool.submitted("r1", NOW_S) == [Assign("r1", "runner-2", 0.0)]


def test_runs_wait_in_the_order_in_which_they_came() -> None:
    pool = pool_of(1)
    for run in ("r1", "r2", "r3"):
        pool.submitted(run, NOW_S)
    assert pool.runner_freed("runner-1", NOW_S + 1) == [Assign("r2", "runner-1", 1.0)]
    assert pool.runner_up("runner-2", NOW_S + 2) == [Assign("r3", "runner-2", 2.0)]


def test_who_has_to_wait_is_looked_after() -> None:
    pool = pool_of(0)
    assert pool.submitted("r1", NOW_S) == [WakeAt(NOW_S + PATIENCE_S)]


def test_a_full_queue_turns_away() -> None:
    pool = pool_of(0, longest_queue=2)
    pool.submitted("r1", NOW_S)
    pool.submitted("r2", NOW_S)
    assert pool.submitted("r3", NOW_S) == [TurnAway("r3")]
    assert list(pool.queue) == ["r1", "r2"]


def test_without_a_queue_a_run_is_served_or_turned_away() -> None:
    pool = pool_of(1, longest_queue=0)
    assert pool.submitted("r1", NOW_S) == [Assign("r1", "runner-1", 0.0)]
    assert pool.submitted("r2", NOW_S) == [TurnAway("r2")]


def test_a_run_that_is_withdrawn_is_never_served() -> None:
    pool = pool_of(0)
    pool.submitted("r1", NOW_S)
    assert pool.withdrawn("r1")
    assert not pool.withdrawn("r1")
    assert pool.runner_up("runner-1", NOW_S) == []


def test_only_an_impatient_queue_starts_more_runners() -> None:
    pool = pool_of(2)
    for run in ("r1", "r2", "r3"):
        pool.submitted(run, NOW_S)
    assert acts(pool.tick(NOW_S + PATIENCE_S / 2)) == []
    assert acts(pool.tick(NOW_S + PATIENCE_S)) == [StartRunner("runner-3")]
    assert acts(pool.tick(NOW_S + 2 * PATIENCE_S)) == []  # One at a time.


def test_there_are_never_more_than_most() -> None:
    pool = pool_of(2, most=3)
    for run in ("r1", "r2", "r3", "r4", "r5"):
        pool.submitted(run, NOW_S)
    assert acts(pool.tick(NOW_S + 1)) == [StartRunner("runner-3")]
    pool.runner_up("runner-3", NOW_S + 1)
    assert acts(pool.tick(NOW_S + 2)) == []


def test_the_most_leave_room_for_the_spare() -> None:
    assert Pool(warm=4, most=1, longest_queue=0).most == 5


def test_who_has_a_run_is_busy() -> None:
    pool = pool_of(1)
    assert not pool.is_busy("runner-1")
    pool.submitted("r1", NOW_S)
    assert pool.is_busy("runner-1")
    pool.runner_doomed("runner-1")
    assert pool.is_busy("runner-1")
    pool.runner_ended("runner-1", NOW_S, began=True)
    assert not pool.is_busy("runner-1")


def test_a_dead_runner_is_replaced() -> None:
    pool = pool_of(2)
    assert pool.runner_ended("runner-1", NOW_S, began=True) == []
    assert acts(pool.tick(NOW_S)) == [StartRunner("runner-3")]


def test_several_dead_runners_are_all_replaced_though_nobody_waits() -> None:
    pool = pool_of(4, warm=3, most=8)
    for n in (1, 2, 3):
        pool.runner_ended(f"runner-{n}", NOW_S, began=True)
    assert pool.tick(NOW_S) == [StartRunner("runner-5")]
    assert pool.runner_up("runner-5", NOW_S) == [StartRunner("runner-6")]
    assert pool.runner_up("runner-6", NOW_S) == [StartRunner("runner-7")]
    assert pool.runner_up("runner-7", NOW_S) == []


def test_however_many_wait_there_is_one_wake_at_a_time() -> None:
    """Else each run that ever waited would keep a chain of ticks alive while others wait."""
    pool = pool_of(2, longest_queue=10_000)
    now_s = NOW_S
    runs: list[str] = []
    wakes: list[float] = []
    ticks = 0

    def take(commands: list[Command]) -> None:
        wakes.extend(c.when_s for c in commands if isinstance(c, WakeAt))
        runs.extend(c.runner for c in commands if isinstance(c, Assign))

    for number in range(2000):  # A busy second: always somebody waits, nobody for long.
        now_s += 0.0005
        take(pool.submitted(f"r{number}", now_s))
        if len(pool.queue) > 10:
            take(pool.runner_freed(runs.pop(0), now_s))
        while wakes and wakes[0] <= now_s:
            wakes.pop(0)
            ticks += 1
            take(pool.tick(now_s))
        assert len(wakes) <= 1
    assert ticks <= 1 / PATIENCE_S * 4


def test_a_run_that_had_not_begun_is_given_to_another_runner_before_all_others() -> None:
    pool = pool_of(1)
    for run in ("r1", "r2"):
        pool.submitted(run, NOW_S)
    assert pool.runner_ended("runner-1", NOW_S, began=False) == []
    assert Assign("r1", "runner-2", 1.0) in pool.runner_up("runner-2", NOW_S + 1)


def test_but_not_to_any_number_of_them() -> None:
    pool = pool_of(MOST_RETURNS + 2, warm=MOST_RETURNS + 1, most=9)
    (assigned,) = pool.submitted("r1", NOW_S)
    for _ in range(MOST_RETURNS):
        assert isinstance(assigned, Assign)
        (assigned,) = pool.runner_ended(assigned.runner, NOW_S, began=False)
    assert isinstance(assigned, Assign)
    lost = pool.runner_ended(assigned.runner, NOW_S, began=False)
    assert acts(lost)[0] == Lost("r1", assigned.runner)
    assert not pool._returns


def test_a_run_that_had_begun_is_lost() -> None:
    pool = pool_of(1)
    pool.submitted("r1", NOW_S)
    assert pool.runner_ended("runner-1", NOW_S, began=True) == [Lost("r1", "runner-1")]


@pytest.mark.parametrize(
    ("death", "again"),
    [
        (Death(deaths=1, idempotent=True, shown=False, stopped=False), True),
        (Death(deaths=1, idempotent=False, shown=False, stopped=False), False),
        (Death(deaths=1, idempotent=True, shown=True, stopped=False), False),
        (Death(deaths=1, idempotent=True, shown=False, stopped=True), False),
        (Death(deaths=2, idempotent=True, shown=False, stopped=False), False),
        (Death(deaths=3, idempotent=True, shown=False, stopped=False), False),
        (Death(deaths=2, idempotent=False, shown=True, stopped=True), False),
    ],
)
def test_what_may_run_again(death: Death, again: bool) -> None:
    assert may_run_again(death) is again


def test_a_run_that_may_run_again_goes_before_all_others() -> None:
    pool = pool_of(1)
    for run in ("r1", "r2"):
        pool.submitted(run, NOW_S)
    assert Lost("r1", "runner-1") in pool.runner_ended("runner-1", NOW_S, began=True)
    pool.returned("r1", NOW_S)
    assert list(pool.queue) == ["r1", "r2"]
    assert Assign("r1", "runner-2", 1.0) in pool.runner_up("runner-2", NOW_S + 1)


def test_a_run_that_may_run_again_takes_an_idle_runner_at_once() -> None:
    pool = pool_of(2)
    pool.submitted("r1", NOW_S)
    pool.runner_ended("runner-2", NOW_S, began=True)
    assert Assign("r1", "runner-1", 0.0) in pool.returned("r1", NOW_S)


def test_without_any_runner_it_gets_one() -> None:
    pool = pool_of(1)
    pool.submitted("r1", NOW_S)
    pool.runner_ended("runner-1", NOW_S, began=True)
    pool.runner_ended("runner-2", NOW_S, began=True)
    assert pool.returned("r1", NOW_S) == [StartRunner("runner-3")]


def test_its_next_loss_is_told_like_the_first() -> None:
    pool = pool_of(2)
    pool.submitted("r1", NOW_S)
    pool.runner_ended("runner-2", NOW_S, began=True)
    pool.returned("r1", NOW_S)
    assert Lost("r1", "runner-1") in pool.runner_ended("runner-1", NOW_S, began=True)
    assert not pool._returns


def test_notices_about_a_runner_that_is_gone_change_nothing() -> None:
    pool = pool_of(1)
    pool.submitted("r1", NOW_S)
    pool.runner_ended("runner-1", NOW_S, began=True)
    assert pool.runner_ended("runner-1", NOW_S, began=True) == []
    assert pool.runner_freed("runner-1", NOW_S) == []
    assert pool.runner_up("runner-1", NOW_S) == []
    assert list(pool.runners) == ["runner-2"]


def test_a_runner_that_says_twice_that_it_is_free_gets_one_run() -> None:
    pool = pool_of(1)
    for run in ("r1", "r2", "r3"):
        pool.submitted(run, NOW_S)
    assert acts(pool.runner_freed("runner-1", NOW_S)) == [Assign("r2", "runner-1", 0.0)]
    pool.runners["runner-1"].phase = RunnerPhase.IDLE
    pool.runners["runner-1"].run = ""
    assert pool.runner_freed("runner-1", NOW_S) == []


def test_a_doomed_runner_gets_nothing_more() -> None:
    pool = pool_of(1)
    pool.submitted("r1", NOW_S)
    pool.submitted("r2", NOW_S)
    pool.runner_doomed("runner-1")
    assert pool.runner_freed("runner-1", NOW_S) == []
    assert pool.runner_ended("runner-1", NOW_S, began=True) == [Lost("r1", "runner-1")]
    assert list(pool.queue) == ["r2"]


def test_a_run_that_was_killed_is_not_given_to_another_runner() -> None:
    pool = pool_of(2)
    pool.submitted("r1", NOW_S)
    pool.runner_doomed("runner-2")
    assert pool.runner_ended("runner-2", NOW_S, began=False) == [Lost("r1", "runner-2")]


def test_a_runner_that_is_idle_for_long_goes_but_the_spare_stays() -> None:
    pool = pool_of(2)
    for run in ("r1", "r2", "r3"):
        pool.submitted(run, NOW_S)
    pool.tick(NOW_S + 1)
    pool.runner_up("runner-3", NOW_S + 1)
    for name in ("runner-3", "runner-2", "runner-1"):
        pool.runner_freed(name, NOW_S + 2)
    assert acts(pool.tick(NOW_S + 2 + IDLE_TOO_LONG_S - 0.1)) == []
    (stop,) = acts(pool.tick(NOW_S + 2 + IDLE_TOO_LONG_S))
    assert isinstance(stop, StopRunner)
    assert pool.submitted("r4", NOW_S + 60) != [Assign("r4", stop.name, 0.0)]
    pool.runner_ended(stop.name, NOW_S + 60, began=True)
    assert acts(pool.tick(NOW_S + 100)) == []


@pytest.mark.parametrize("end", ["lost", "withdrawn", "finished"])
def test_nothing_is_remembered_of_a_run_that_was_given_to_another_runner(end: str) -> None:
    pool = pool_of(1)
    pool.submitted("r1", NOW_S)
    pool.runner_ended("runner-1", NOW_S, began=False)
    if end == "withdrawn":
        pool.withdrawn("r1")
    else:
        pool.runner_up("runner-2", NOW_S)
        if end == "finished":
            pool.runner_freed("runner-2", NOW_S)
        else:
            pool.runner_ended("runner-2", NOW_S, began=True)
    assert not pool._returns
    assert not pool.queue


def test_asking_to_withdraw_an_assigned_run_does_not_let_it_return_more_often() -> None:
    pool = pool_of(MOST_RETURNS + 2, warm=MOST_RETURNS + 1, most=9)
    (assigned,) = pool.submitted("r1", NOW_S)
    for _ in range(MOST_RETURNS):
        assert isinstance(assigned, Assign)
        (assigned,) = pool.runner_ended(assigned.runner, NOW_S, began=False)
        assert not pool.withdrawn("r1")
    assert isinstance(assigned, Assign)
    lost = pool.runner_ended(assigned.runner, NOW_S, began=False)
    assert acts(lost)[0] == Lost("r1", assigned.runner)


def test_starts_that_fail_in_a_row_are_tried_ever_more_slowly() -> None:
    pool = pool_of(0)
    now_s, delays_s = NOW_S, []
    for number in range(1, 12):
        pool.runner_ended(f"runner-{number}", now_s, began=True)
        waits_until_s = now_s
        for command in pool.tick(now_s):
            if isinstance(command, WakeAt):
                waits_until_s = command.when_s
        delays_s.append(waits_until_s - now_s)
        now_s = waits_until_s
        pool.tick(now_s)
    assert delays_s[0] == 0.0  # Another one is on its way.
    assert delays_s[1:4] == pytest.approx([0.1, 0.2, 0.4])
    assert delays_s[-1] == FAILED_STARTS.longest_s == 5.0
    (last,) = pool.runners
    assert acts(pool.runner_up(last, now_s)) == [StartRunner("runner-13")]
    pool.runner_ended("runner-13", now_s, began=True)
    assert acts(pool.tick(now_s)) == [StartRunner("runner-14")]


def test_starts_that_are_killed_are_made_up_for_at_once() -> None:
    pool = pool_of(0)
    for number in range(1, 12):
        pool.runner_ended(f"runner-{number}", NOW_S, began=True, killed=True)
        pool.tick(NOW_S)
    assert list(pool.runners) == ["runner-12"]
