"""Which run gets which runner: a table of cases, and random days of random pools."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from loki.core.pool import (
    IDLE_TOO_LONG_S,
    PATIENCE_S,
    Assign,
    Command,
    Lost,
    Pool,
    RunnerPhase,
    StartRunner,
    StopRunner,
    TurnAway,
    WakeAt,
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


def test_but_only_once() -> None:
    pool = pool_of(2)
    pool.submitted("r1", NOW_S)
    (again,) = pool.runner_ended("runner-2", NOW_S, began=False)
    assert again == Assign("r1", "runner-1", 0.0)
    assert pool.runner_ended("runner-1", NOW_S, began=False) == [Lost("r1", "runner-1")]


def test_a_run_that_had_begun_is_lost() -> None:
    pool = pool_of(1)
    pool.submitted("r1", NOW_S)
    assert pool.runner_ended("runner-1", NOW_S, began=True) == [Lost("r1", "runner-1")]


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
    assert not pool._requeued
    assert not pool.queue


# Random days.


class Days(RuleBasedStateMachine):
    """Clients, runners that start, finish, die and are killed, and a clock that honours wakes."""

    @initialize(warm=st.integers(0, 3), most=st.integers(0, 6), longest=st.integers(0, 4))
    def begin(self, warm: int, most: int, longest: int) -> None:
        self.pool = Pool(warm=warm, most=most, longest_queue=longest)
        self.now_s = 0.0
        self.wakes: list[float] = []
        self.deaths = 0  # Since the last time that passed: each brings a wake.
        self.number = 0
        self.waiting: list[str] = []  # In the order in which they must be served.
        self.assigned: dict[str, str] = {}  # run -> runner
        self.requeued: set[str] = set()
        self.over: set[str] = set()
        self.alive: set[str] = set()
        self.doomed: set[str] = set()
        self.feed(self.pool.begin(0.0))

    def feed(self, commands: list[Command]) -> None:
        for command in commands:
            match command:
                case Assign(run, runner, queued_s):
                    assert self.waiting.pop(0) == run, "not first come, first served"
                    assert runner in self.alive - self.doomed
                    assert runner not in self.assigned.values()
                    assert queued_s >= 0
                    self.assigned[run] = runner
                case TurnAway(run):
                    assert len(self.waiting) > self.pool.longest_queue
                    assert self.waiting.pop() == run, "only who comes last is turned away"
                    self.over.add(run)
                case Lost(run, runner):
                    assert self.assigned.pop(run) == runner
                    self.over.add(run)
                case StartRunner(name):
                    assert name not in self.alive
                    self.alive.add(name)
                case StopRunner(name):
                    assert name not in self.assigned.values()
                    assert len(self.alive - self.doomed) > self.pool.warm + 1
                    self.doomed.add(name)
                case WakeAt(when_s):
                    self.wakes.append(max(when_s, self.now_s))

    def runners(self, phase: RunnerPhase) -> list[str]:
        return [r.name for r in self.pool.runners.values() if r.phase is phase]

    def ends(self, name: str, *, began: bool) -> None:
        innocent = not began and name not in self.doomed
        self.alive.discard(name)
        self.doomed.discard(name)
        run = next((r for r, runner in self.assigned.items() if runner == name), None)
        if run is not None and innocent and run not in self.requeued:
            del self.assigned[run]
            self.requeued.add(run)
            self.waiting.insert(0, run)
        self.feed(self.pool.runner_ended(name, self.now_s, began=began))
        self.wakes.append(self.now_s + PATIENCE_S)  # As the Dispatcher does.
        self.deaths += 1

    @rule()
    def is_submitted(self) -> None:
        self.number += 1
        run = f"r{self.number}"
        self.waiting.append(run)
        self.feed(self.pool.submitted(run, self.now_s))

    @precondition(lambda self: self.runners(RunnerPhase.STARTING))
    @rule(data=st.data())
    def comes_up(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(self.runners(RunnerPhase.STARTING)))
        self.feed(self.pool.runner_up(name, self.now_s))

    @precondition(lambda self: self.assigned)
    @rule(data=st.data(), twice=st.booleans())
    def finishes(self, data: st.DataObject, twice: bool) -> None:
        run = data.draw(st.sampled_from(sorted(self.assigned)))
        name = self.assigned[run]
        if name in self.doomed:
            return
        del self.assigned[run]
        self.over.add(run)
        self.feed(self.pool.runner_freed(name, self.now_s))

    @precondition(lambda self: self.alive)
    @rule(data=st.data(), began=st.booleans(), twice=st.booleans())
    def dies(self, data: st.DataObject, began: bool, twice: bool) -> None:
        name = data.draw(st.sampled_from(sorted(self.alive)))
        self.ends(name, began=began)
        if twice:
            assert self.pool.runner_ended(name, self.now_s, began=began) == []

    @precondition(lambda self: self.assigned)
    @rule(data=st.data())
    def is_killed_for_its_budget(self, data: st.DataObject) -> None:
        run = data.draw(st.sampled_from(sorted(self.assigned)))
        self.pool.runner_doomed(self.assigned[run])
        self.doomed.add(self.assigned[run])

    @precondition(lambda self: self.doomed)
    @rule(data=st.data(), began=st.booleans())
    def a_doomed_one_ends(self, data: st.DataObject, began: bool) -> None:
        self.ends(data.draw(st.sampled_from(sorted(self.doomed))), began=began)

    @precondition(lambda self: self.number)
    @rule(data=st.data())
    def is_withdrawn(self, data: st.DataObject) -> None:
        run = f"r{data.draw(st.integers(1, self.number))}"
        was_waiting = run in self.waiting
        assert self.pool.withdrawn(run) == was_waiting
        if was_waiting:
            self.waiting.remove(run)
            self.over.add(run)

    @rule(seconds=st.sampled_from([PATIENCE_S / 2, 1.0, IDLE_TOO_LONG_S + 1]))
    def time_passes(self, seconds: float) -> None:
        end_s = self.now_s + seconds
        for _ in range(1000):
            due = min((when_s for when_s in self.wakes if when_s <= end_s), default=None)
            if due is None:
                break
            self.wakes = [when_s for when_s in self.wakes if when_s > due]
            self.now_s = max(self.now_s, due)
            self.feed(self.pool.tick(self.now_s))
        else:
            raise AssertionError("wakes without end")
        self.now_s = end_s
        self.deaths = len(self.wakes)

    @rule()
    def the_house_is_kept(self) -> None:
        self.feed(self.pool.tick(self.now_s))

    @invariant()
    def every_run_is_somewhere_and_only_there(self) -> None:
        queued = list(self.pool.queue)
        assert queued == self.waiting
        held = {r.run: r.name for r in self.pool.runners.values() if r.run}
        assert held == self.assigned
        everybody = [*queued, *held, *self.over]
        assert sorted(everybody) == sorted(f"r{n + 1}" for n in range(self.number))

    @invariant()
    def the_queue_is_bounded(self) -> None:
        again = sum(run in self.requeued for run in self.pool.queue)
        assert len(self.pool.queue) - again <= self.pool.longest_queue

    @invariant()
    def nobody_waits_beside_an_idle_runner(self) -> None:
        assert not (self.pool.queue and self.runners(RunnerPhase.IDLE))

    @invariant()
    def runners_are_bounded_and_known(self) -> None:
        assert set(self.pool.runners) == self.alive
        assert len(self.alive) <= self.pool.most

    @invariant()
    def only_runs_that_are_not_over_are_remembered(self) -> None:
        assert not self.pool._requeued & self.over

    @invariant()
    def who_waits_is_woken_while_more_runners_may_come(self) -> None:
        if self.pool.queue and len(self.pool.runners) < self.pool.most:
            assert self.wakes or self.runners(RunnerPhase.STARTING)

    @invariant()
    def wakes_do_not_multiply(self) -> None:
        assert len(self.wakes) <= 2 + self.deaths

    def teardown(self) -> None:
        """Left alone, every pool gets back its warm runners and the spare, and serves all."""
        if not hasattr(self, "pool"):
            return
        for name in sorted(self.doomed):
            self.ends(name, began=True)
        for _ in range(500):
            for name in self.runners(RunnerPhase.STARTING):
                self.feed(self.pool.runner_up(name, self.now_s))
            for run in sorted(self.assigned):
                if self.assigned.get(run) not in (None, *self.doomed):
                    name = self.assigned.pop(run)
                    self.over.add(run)
                    self.feed(self.pool.runner_freed(name, self.now_s))
            self.time_passes(PATIENCE_S)
        assert not self.waiting
        assert len(self.alive) >= self.pool.warm + 1


Days.TestCase.settings = settings(max_examples=100, stateful_step_count=50, deadline=None)
TestDays = Days.TestCase


def test_asking_to_withdraw_an_assigned_run_does_not_let_it_be_requeued_again() -> None:
    pool = Pool(warm=1, most=4, longest_queue=10)
    pool.begin(0.0)
    pool.runner_up("runner-1", 0.0)
    pool.runner_up("runner-2", 0.0)
    pool.submitted("r1", 1.0)
    first = next(r.name for r in pool.runners.values() if r.run == "r1")
    pool.runner_ended(first, 1.0, began=False)
    second = next(r.name for r in pool.runners.values() if r.run == "r1")
    assert not pool.withdrawn("r1")
    assert pool.runner_ended(second, 1.0, began=False)[0] == Lost("r1", second)
