"""Who is started, restarted and stopped, and when: a table, and random lives of random trees."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from loki.core.supervision import (
    FIRST_DELAY_S,
    LONGEST_DELAY_S,
    YOUNG_S,
    Begin,
    ChildRecord,
    ChildSpec,
    Command,
    Dying,
    Event,
    Exited,
    GiveUp,
    KillChild,
    Phase,
    ReportStopped,
    ReportUp,
    Spawned,
    StartChild,
    Started,
    StopAll,
    StopChild,
    Tick,
    Tree,
    WakeAt,
    delay_s,
    step,
)

START_TIMEOUT_S = 10.0
OLD_S = YOUNG_S + 1


def tree_of(*names: str) -> Tree:
    return Tree(tuple(ChildRecord(ChildSpec(name, START_TIMEOUT_S)) for name in names))


def pid_of(name: str, incarnation: int) -> int:
    return sum(name.encode()) * 100 + incarnation


def spawned(name: str, incarnation: int = 1) -> Event:
    return Spawned(name, incarnation, pid_of(name, incarnation))


def up(name: str, incarnation: int = 1) -> Event:
    return Started(name, incarnation, pid_of(name, incarnation))


def gone(name: str, incarnation: int = 1) -> Event:
    return Exited(name, incarnation)


class Life:
    """A tree that lives through events."""

    def __init__(self, *names: str) -> None:
        self.tree = tree_of(*names)
        self.now_s = 100.0

    def __call__(self, *events: Event | float) -> tuple[Command, ...]:
        """What the last event leads to, apart from wakes; numbers are seconds that pass."""
        told: tuple[Command, ...] = ()
        for event in events:
            if isinstance(event, float):
                self.now_s += event
            else:
                self.tree, commands = step(self.tree, event, self.now_s)
                told = tuple(c for c in commands if not isinstance(c, WakeAt))
        return told


Story = list[Event | float]
BEGUN: Story = [Begin()]
RUNNING: Story = [Begin(), up("a"), up("b"), OLD_S]
STOPPING: Story = [*RUNNING, StopAll(8.0)]

CASES: list[tuple[str, Story, tuple[Command, ...]]] = [
    ("the first child starts first", BEGUN, (StartChild("a", 1),)),
    ("the next one starts when it is up", [*BEGUN, up("a")], (StartChild("b", 1),)),
    ("all up is reported", [*BEGUN, up("a"), up("b")], (ReportUp(),)),
    ("a doubled notice of being up starts nobody", [*BEGUN, up("a"), up("a")], ()),
    ("a doubled notice reports nothing twice", [*RUNNING, up("b")], ()),
    ("a first start that fails fails it all", [*BEGUN, gone("a")], (GiveUp("a", "killed"),)),
    (
        "and says what the child said",
        [*BEGUN, Dying("a", 1, "no such bus"), gone("a")],
        (GiveUp("a", "no such bus"),),
    ),
    (
        "a first start that hangs is killed and fails it all",
        [*BEGUN, spawned("a"), START_TIMEOUT_S, Tick()],
        (KillChild("a", pid_of("a", 1)), GiveUp("a", "did not start in time")),
    ),
    (
        "a child that could not be forked fails it all, too",
        [*BEGUN, Spawned("a", 1, 0), START_TIMEOUT_S, Tick()],
        (KillChild("a", 0), GiveUp("a", "did not start in time")),
    ),
    ("a start is given its time", [*BEGUN, START_TIMEOUT_S - 0.1, Tick()], ()),
    ("a crashed child restarts at once", [*RUNNING, gone("a")], (StartChild("a", 2),)),
    ("a second notice of one exit changes nothing", [*RUNNING, gone("a"), gone("a")], ()),
    (
        "nor does one that comes after the restart",
        [*RUNNING, gone("a"), up("a", 2), gone("a")],
        (),
    ),
    ("a late Ready of an old incarnation changes nothing", [*RUNNING, gone("a"), up("a")], ()),
    ("a notice about a stranger changes nothing", [*RUNNING, gone("z")], ()),
    (
        "a restart that hangs is killed and tried again",
        [*RUNNING, gone("a"), spawned("a", 2), START_TIMEOUT_S, Tick()],
        (KillChild("a", pid_of("a", 2)), StartChild("a", 3)),
    ),
    ("the last one stops first", STOPPING, (StopChild("b", 4.0),)),
    ("the one before it when it is gone", [*STOPPING, 0.5, gone("b")], (StopChild("a", 3.75),)),
    ("a stop is reported when all are gone", [*STOPPING, gone("b"), gone("a")], (ReportStopped(),)),
    ("one that was told to stop is not told again", [*STOPPING, StopAll(8.0)], ()),
    (
        "one that hangs is killed after half the time, and the rest stop in order",
        [*STOPPING, 4.0, Tick()],
        (KillChild("b", pid_of("b", 1)), StopChild("a", 2.0)),
    ),
    ("a second request to stop does not buy time", [*STOPPING, 4.0, StopAll(60.0)], ()),
    ("nobody restarts while all stop", [*STOPPING, gone("a")], ()),
    (
        "nor does a delayed one when its time has come",
        [*RUNNING[:-1], gone("a"), gone("a", 2), StopAll(60.0), 1.0, Tick()],
        (),
    ),
    (
        "one that comes up while it is to stop is told again",
        [*BEGUN, StopAll(8.0), 1.0, up("a")],
        (StopChild("a", 3.0),),
    ),
    (
        "a stop in the middle of the first start starts nobody",
        [*BEGUN, StopAll(8.0), gone("a")],
        (ReportStopped(),),
    ),
]


@pytest.mark.parametrize(
    ("story", "expected"),
    [case[1:] for case in CASES],
    ids=[case[0] for case in CASES],
)
def test_case(story: Story, expected: tuple[Command, ...]) -> None:
    assert Life("a", "b")(*story) == expected


def test_an_empty_tree_is_up_and_stopped_at_once() -> None:
    life = Life()
    assert life(Begin()) == (ReportUp(),)
    assert life(StopAll(1.0)) == (ReportStopped(),)


def test_early_deaths_are_followed_by_growing_pauses() -> None:
    life = Life("a")
    life(Begin(), up("a"))
    pauses = []
    for incarnation in range(1, 13):
        told = life(gone("a", incarnation))
        pause_s = 0.0
        if not told:
            pause_s = life.tree.child("a").due_s - life.now_s
            assert life(pause_s - 0.001, Tick()) == ()
            told = life(0.002, Tick())
        assert told == (StartChild("a", incarnation + 1),)
        life(up("a", incarnation + 1))
        pauses.append(round(pause_s, 6))
    assert pauses[:5] == [0.0, 0.1, 0.2, 0.4, 0.8]
    assert pauses[-1] == LONGEST_DELAY_S
    assert pauses == sorted(pauses)


def test_a_child_that_lived_long_is_forgiven() -> None:
    life = Life("a")
    life(Begin(), up("a"), gone("a"), up("a", 2), gone("a", 2), 1.0, Tick(), up("a", 3))
    assert life.tree.child("a").early_deaths == 2
    assert life(OLD_S, gone("a", 3)) == (StartChild("a", 4),)
    assert life.tree.child("a").early_deaths == 0


@pytest.mark.parametrize("deaths", [2, 3, 10, 1000])
def test_a_delay_is_bounded(deaths: int) -> None:
    assert FIRST_DELAY_S <= delay_s(deaths) <= LONGEST_DELAY_S


def test_each_phase_that_has_to_end_asks_for_a_wake() -> None:
    tree, commands = step(tree_of("a"), Begin(), 5.0)
    assert WakeAt(5.0 + START_TIMEOUT_S) in commands
    tree, _ = step(tree, up("a"), 6.0)
    tree, _ = step(tree, gone("a"), 6.0)
    tree, commands = step(tree, gone("a", 2), 6.0)
    assert commands == (WakeAt(6.0 + FIRST_DELAY_S),)
    tree, _ = step(tree, Tick(), 7.0)
    _, commands = step(tree, StopAll(4.0), 8.0)
    assert WakeAt(10.0) in commands


def test_the_last_error_is_the_last_deaths_own() -> None:
    """A child that crashed once and was killed later was killed, not crashed again."""
    life = Life("a")
    life(Begin(), up("a"), OLD_S, Dying("a", 1, "incident 1"), gone("a"))
    assert life.tree.child("a").last_error == "incident 1"
    life(up("a", 2), OLD_S, gone("a", 2))
    assert life.tree.child("a").last_error == "killed"
    assert life.tree.child("a").restarts == 2


def test_the_pid_is_known_before_a_child_is_up() -> None:
    life = Life("a")
    life(Begin(), spawned("a"))
    child = life.tree.child("a")
    assert (child.phase, child.pid) == (Phase.STARTING, pid_of("a", 1))
    life(up("a"), OLD_S, gone("a"))
    assert life.tree.child("a").pid == 0


# Random lives.

NAMES = ("a", "b", "c", "d")


class Process:
    def __init__(self, name: str, incarnation: int) -> None:
        self.name = name
        self.incarnation = incarnation
        self.pid = pid_of(name, incarnation)
        self.alive = True
        self.up = False


class Lives(RuleBasedStateMachine):
    """A world of processes that die, hang, and of notices that double, come late or never."""

    @initialize(count=st.integers(1, len(NAMES)))
    def begin(self, count: int) -> None:
        self.names = NAMES[:count]
        self.tree = tree_of(*self.names)
        self.now_s = 0.0
        self.processes: list[Process] = []
        self.notices: list[Event] = []  # All that were ever sent: any may be said again.
        self.wakes: list[float] = []
        self.reports: list[Command] = []
        self.started_first: list[str] = []
        self.stop_told: list[str] = []
        self.feed(Begin())

    def feed(self, event: Event) -> None:
        self.tree, commands = step(self.tree, event, self.now_s)
        for command in commands:
            self.perform(command)

    def perform(self, command: Command) -> None:
        match command:
            case StartChild(name, incarnation):
                self.start(name, incarnation)
            case StopChild(name, grace_s):
                assert grace_s >= 0
                assert self.tree.stopping
                later = self.names[self.names.index(name) + 1 :]
                assert not [p for p in self.processes if p.alive and p.name in later]
            case KillChild(name, pid):
                (process,) = [p for p in self.processes if p.name == name and p.pid == pid]
                process.alive = False
            case WakeAt(when_s):
                assert when_s >= self.now_s
                self.wakes.append(when_s)
            case ReportUp() | GiveUp() | ReportStopped():
                self.reports.append(command)

    def start(self, name: str, incarnation: int) -> None:
        assert not self.tree.stopping
        others = [p for p in self.processes if p.name == name]
        assert not [p for p in others if p.alive], "two live incarnations"
        assert incarnation == len(others) + 1
        if incarnation == 1:
            before = self.names[: self.names.index(name)]
            assert self.started_first == list(before), "out of order"
            assert all(p.up for p in self.processes)
            self.started_first.append(name)
        process = Process(name, incarnation)
        self.processes.append(process)
        self.feed(Spawned(name, incarnation, process.pid))

    def say(self, event: Event) -> None:
        self.notices.append(event)
        self.feed(event)

    def living(self) -> list[Process]:
        return [p for p in self.processes if p.alive]

    @precondition(lambda self: self.living())
    @rule(data=st.data())
    def comes_up(self, data: st.DataObject) -> None:
        process = data.draw(st.sampled_from(self.living()))
        process.up = True
        self.say(Started(process.name, process.incarnation, process.pid))

    @precondition(lambda self: self.living())
    @rule(data=st.data(), word=st.sampled_from(["", "incident 1"]), noticed=st.booleans())
    def dies(self, data: st.DataObject, word: str, noticed: bool) -> None:
        process = data.draw(st.sampled_from(self.living()))
        process.alive = False
        if word:
            self.say(Dying(process.name, process.incarnation, word))
        exited = Exited(process.name, process.incarnation)
        if noticed:
            self.say(exited)
        else:
            self.notices.append(exited)

    @precondition(lambda self: self.notices)
    @rule(data=st.data())
    def is_said_again(self, data: st.DataObject) -> None:
        event = data.draw(st.sampled_from(self.notices))
        incarnation = event.incarnation  # type: ignore[union-attr]
        name = event.name  # type: ignore[union-attr]
        before = self.tree
        count = len(self.processes)
        self.feed(event)
        child = before.child(name)
        if child.incarnation != incarnation or child.phase in (
            Phase.STOPPED,
            Phase.DELAYED,
            Phase.WAITING,
        ):
            assert (self.tree, len(self.processes)) == (before, count), "an old notice did harm"

    @rule(seconds=st.sampled_from([0.01, 0.5, 2.0, 6.0, 20.0]))
    def time_passes(self, seconds: float) -> None:
        end_s = self.now_s + seconds
        while due := sorted(when_s for when_s in self.wakes if when_s <= end_s):
            self.wakes.remove(due[0])
            self.now_s = max(self.now_s, due[0])
            self.feed(Tick())
        self.now_s = end_s

    @rule(grace_s=st.sampled_from([0.0, 2.0, 10.0]))
    def everything_stops(self, grace_s: float) -> None:
        self.feed(StopAll(grace_s))

    @invariant()
    def at_most_one_process_lives_under_a_name(self) -> None:
        names = [p.name for p in self.living()]
        assert len(names) == len(set(names))

    @invariant()
    def whoever_has_to_change_will_be_woken(self) -> None:
        for child in self.tree.children:
            if child.phase in (Phase.STARTING, Phase.STOPPING, Phase.DELAYED):
                stale = child.phase is Phase.DELAYED and self.tree.stopping
                assert stale or [w for w in self.wakes if w <= child.due_s + 1e-9], child

    @invariant()
    def up_is_reported_once_and_only_after_all_were_up(self) -> None:
        ups = [r for r in self.reports if isinstance(r, ReportUp)]
        assert len(ups) <= 1
        if ups:
            assert all(p.up for p in self.processes if p.incarnation == 1)

    @invariant()
    def a_tree_that_is_not_complete_never_restarts(self) -> None:
        if not self.tree.complete:
            assert all(p.incarnation == 1 for p in self.processes)

    def teardown(self) -> None:
        """From any state the tree can be stopped, and everybody is gone in time."""
        if not hasattr(self, "tree"):
            return
        self.feed(StopAll(10.0))
        self.time_passes(10.0)
        assert not self.living()
        assert ReportStopped() in self.reports


Lives.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestLives = Lives.TestCase
