"""Random days of the pool of runners: whatever happens, its invariants hold."""

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from loki.core.runner.pool import (
    IDLE_TOO_LONG_S,
    MOST_RETURNS,
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
        self.returns: Counter[str] = Counter()
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
        if run is not None and innocent and self.returns[run] < MOST_RETURNS:
            del self.assigned[run]
            self.returns[run] += 1
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
        again = sum(run in self.returns for run in self.pool.queue)
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
        assert not self.pool._returns.keys() & self.over

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


Days.TestCase.settings = settings(max_examples=100, stateful_step_count=50)
TestDays = Days.TestCase
