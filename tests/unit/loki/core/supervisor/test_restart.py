"""Random lives of random trees: what holds whatever happens."""

import os
from collections import Counter

from hypothesis import Phase as Part
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from loki.core.supervisor.spec import (
    AutoShutdown,
    Backoff,
    ChildSpec,
    Restart,
    Strategy,
    SupervisorSpec,
)
from loki.core.supervisor.state import Exited, Life, Phase, Started
from tests.scenario.world import World

NAMES = [f"c{number}" for number in range(6)]
STEPS = int(os.environ.get("LOKI_SUPERVISION_STEPS", "100000"))
"""Of the core, in all; `make supervision` takes ten times as many."""
LIVES, HAPPENINGS = max(1, STEPS // 900), 100
steps: Counter[str] = Counter()

backoffs = st.none() | st.builds(
    Backoff, st.integers(0, 2), st.just(5.0), st.just(0.5), st.just(4.0), st.just(0.2)
)


@st.composite
def children(draw: st.DrawFn, name: str, auto: AutoShutdown) -> ChildSpec:
    restart = draw(st.sampled_from(Restart))
    significant = auto is not AutoShutdown.NEVER and restart is not Restart.PERMANENT
    return ChildSpec(
        name,
        restart,
        draw(st.sampled_from([0.0, 0.3, 5.0])),
        missed_heartbeats=draw(st.sampled_from([0, 3])),
        significant=significant and draw(st.booleans()),
        backoff=None if restart is Restart.TEMPORARY else draw(backoffs),
    )


@st.composite
def specs(draw: st.DrawFn) -> SupervisorSpec:
    strategy, auto = draw(st.sampled_from(Strategy)), draw(st.sampled_from(AutoShutdown))
    count = 1 if strategy is Strategy.DYNAMIC else draw(st.integers(0, 4))
    return SupervisorSpec(
        tuple(draw(children(name, auto)) for name in NAMES[:count]),
        strategy,
        draw(st.integers(0, 6)),
        draw(st.sampled_from([0.5, 5.0])),
        auto,
    )


class Lives(RuleBasedStateMachine):
    """The world itself sees to it that no child ever lives twice, and that none starts too late."""

    @initialize(spec=specs())
    def begin(self, spec: SupervisorSpec) -> None:
        self.world = World(spec)
        self.highest = spec.intensity
        self.world.play("begin")

    def alive(self, choice: int) -> str | None:
        names = sorted(self.world.processes)
        return names[choice % len(names)] if names else None

    @rule(choice=st.integers(0, 9), how=st.sampled_from(["crash", "normal", "shutdown", "kill"]))
    def die(self, choice: int, how: str) -> None:
        name = self.alive(choice)
        if name is not None:
            self.world.play(f"{how} {name}")

    @rule(first=st.integers(0, 9), second=st.integers(0, 9))
    def die_together(self, first: int, second: int) -> None:
        one, other = self.alive(first), self.alive(second)
        if one is not None and other is not None and one != other:
            self.world.play(f"kill {one}; crash {other}")

    @rule(name=st.sampled_from(NAMES), times=st.integers(1, 3))
    def refuse_to_start(self, name: str, times: int) -> None:
        self.world.play(f"break {name} {times}")

    @rule(name=st.sampled_from(NAMES))
    def refuse_to_stop(self, name: str) -> None:
        self.world.play(f"stubborn {name}")

    @rule(choice=st.integers(0, 9))
    def hang(self, choice: int) -> None:
        name = self.alive(choice)
        if name is not None:
            self.world.play(f"hang {name}")

    @rule(seconds=st.sampled_from([0.1, 0.6, 2.0, 6.0]))
    def time_passes(self, seconds: float) -> None:
        self.world.play(f"wait {seconds}")

    @rule(
        name=st.sampled_from(NAMES),
        what=st.sampled_from(["start", "stop", "restart", "reset", "delete", "spec"]),
    )
    def ask(self, name: str, what: str) -> None:
        self.world.play(f"ask {what} {name}")

    @rule(intensity=st.integers(0, 9))
    def limit(self, intensity: int) -> None:
        self.highest = max(self.highest, intensity)
        self.world.play(f"ask limits {intensity} 5; ask count; ask children")

    @rule(name=st.sampled_from(NAMES), incarnation=st.integers(0, 99))
    def old_news(self, name: str, incarnation: int) -> None:
        child = self.world.supervisor.find(name)
        if child is None or child.incarnation != incarnation:
            self.world.tell(Exited(name, incarnation))
            self.world.tell(Started(name, incarnation, 1))

    @precondition(lambda self: self.world.steps > 200)
    @rule()
    def stop(self) -> None:
        self.world.play("stop")

    @invariant()
    def every_process_is_one_that_the_supervisor_knows(self) -> None:
        known = {c.spec.name: c.incarnation for c in self.world.supervisor.children if c.alive}
        assert {n: p.incarnation for n, p in self.world.processes.items()} == known

    @invariant()
    def in_a_group_nobody_is_up_before_those_that_it_depends_on(self) -> None:
        supervisor = self.world.supervisor
        if not supervisor.spec.grouped:
            return
        waiting = False
        for child in supervisor.children:
            assert not (waiting and child.phase in (Phase.STARTING, Phase.UP) and not child.stop)
            waiting = waiting or child.phase in (Phase.WAITING, Phase.STARTING, Phase.DELAYED)

    @invariant()
    def no_more_restarts_than_allowed(self) -> None:
        supervisor = self.world.supervisor
        if supervisor.life in (Life.BOOTING, Life.RUNNING):
            within = [
                restart_s
                for restart_s in supervisor.restarts_s
                if self.world.now_s - restart_s <= supervisor.spec.period_s
            ]
            assert len(within) <= self.highest  # A lower limit counts from the next restart on.

    def teardown(self) -> None:
        """Whatever was, it ends: once, with everybody gone, and everybody answered."""
        if not hasattr(self, "world"):
            return
        self.world.play("stop")
        self.world.wait(1000.0)
        assert self.world.processes == {}
        assert len(self.world.ends) == 1
        assert self.world.answers == Counter(range(1, self.world.asked + 1))
        steps["taken"] += self.world.steps


Lives.TestCase.settings = settings(
    max_examples=LIVES,
    stateful_step_count=HAPPENINGS,
    phases=(Part.explicit, Part.reuse, Part.generate),  # A life shrinks for minutes.
)


class TestLives(Lives.TestCase):
    def runTest(self) -> None:  # noqa: N802  # The name that Hypothesis gives it.
        super().runTest()
        assert steps["taken"] >= STEPS
