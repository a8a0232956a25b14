"""What a supervisor is told at its start: its strategy, its limits and its children, as OTP has it.

Source: OTP, supervisor(3). Of our own are back-off and heartbeats: a child that depends on the
outside is retried for ever, ever more slowly, and one that does not answer counts as dead.
"""

import math
from dataclasses import dataclass
from enum import Enum

from loki.errors import ConfigurationError


class Strategy(Enum):
    """Who restarts with a child that ended."""

    ONE_FOR_ONE = "one_for_one"
    ONE_FOR_ALL = "one_for_all"
    REST_FOR_ONE = "rest_for_one"  # Those that started after it.
    DYNAMIC = "dynamic"  # Children are added while it runs, all from one template.


class Restart(Enum):
    """When a child that ended by itself is started again."""

    PERMANENT = "permanent"
    TRANSIENT = "transient"  # Unless it ended normally.
    TEMPORARY = "temporary"  # Never; its spec goes with it.


class AutoShutdown(Enum):
    """Whether the supervisor ends when significant children have ended by themselves."""

    NEVER = "never"
    ANY_SIGNIFICANT = "any_significant"
    ALL_SIGNIFICANT = "all_significant"


def _require(holds: bool, subject: str, problem: str) -> None:
    if not holds:
        raise ConfigurationError(f"{subject}: {problem}", details={"spec": subject})


@dataclass(frozen=True, slots=True)
class Backoff:
    """Of a child that depends on the outside: it never makes its supervisor give up.

    More than `intensity` restarts within `period_s` take it out of service: it is tried again
    after `shortest_s` seconds, then twice that, up to `longest_s`, each lengthened at random by up
    to the part `jitter`. All is forgotten when it has been up for `quiet_s`.
    """

    intensity: int = 1
    period_s: float = 5.0
    shortest_s: float = 1.0
    longest_s: float = 30.0
    jitter: float = 0.2
    quiet_s: float = 60.0

    def __post_init__(self) -> None:
        _require(self.intensity >= 0, "backoff", f"intensity = {self.intensity} is negative")
        _require(0 < self.period_s < math.inf, "backoff", f"period_s = {self.period_s} is none")
        ordered = 0 < self.shortest_s <= self.longest_s < math.inf
        _require(ordered, "backoff", "delays need 0 < shortest_s <= longest_s")
        _require(0 <= self.jitter <= 1, "backoff", f"jitter = {self.jitter} is not in 0 to 1")
        _require(self.quiet_s > 0, "backoff", f"quiet_s = {self.quiet_s} is not positive")

    def delay_s(self, attempt: int, chance: float) -> float:
        """Seconds before attempt 1, 2, …; `chance` in 0 to 1 is the random part."""
        delay_s = min(self.shortest_s * 2.0 ** min(attempt - 1, 64), self.longest_s)
        return delay_s * (1 + self.jitter * chance)


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """One child. Raises: ConfigurationError for what makes no sense."""

    name: str
    restart: Restart = Restart.PERMANENT
    shutdown_s: float = 5.0
    """How long it may take to stop before it is killed: 0 kills it at once."""
    drain_s: float = 0.0
    """Beyond that, how long what it has under way may take when it stops; others wait meanwhile."""
    start_timeout_s: float = 10.0
    significant: bool = False
    supervisor: bool = False  # It has children of its own.
    missed_heartbeats: int = 3
    """So many heartbeats without an answer, and it counts as hung; 0 never does."""
    backoff: Backoff | None = None

    def __post_init__(self) -> None:
        where = f"child {self.name!r}"
        _require(bool(self.name), where, "a child needs a name")
        _require(self.shutdown_s >= 0, where, f"shutdown_s = {self.shutdown_s} is negative")
        drains = 0 <= self.drain_s < math.inf
        _require(drains, where, f"drain_s = {self.drain_s} is not in 0 to infinity")
        _require(self.start_timeout_s > 0, where, "start_timeout_s must be positive")
        _require(self.missed_heartbeats >= 0, where, "missed_heartbeats is negative")
        eternal = self.significant and self.restart is Restart.PERMANENT
        _require(not eternal, where, "a permanent child cannot be significant: it never ends")
        idle = self.backoff is not None and self.restart is Restart.TEMPORARY
        _require(not idle, where, "a temporary child is never restarted: it needs no backoff")


@dataclass(frozen=True, slots=True)
class SupervisorSpec:
    """One supervisor. Children start from left to right; a dynamic one has its template there.

    Raises: ConfigurationError for what makes no sense.
    """

    children: tuple[ChildSpec, ...]
    strategy: Strategy = Strategy.ONE_FOR_ONE
    intensity: int = 1
    period_s: float = 5.0
    """More than `intensity` restarts within so many seconds, and the supervisor gives up."""
    auto_shutdown: AutoShutdown = AutoShutdown.NEVER
    heartbeat_s: float = 0.5
    """Every child that is up is asked so often whether it is alive; 0 asks none."""

    def __post_init__(self) -> None:
        check_limits(self.intensity, self.period_s)
        _require(0 <= self.heartbeat_s < math.inf, "supervisor", "heartbeat_s must be 0 or more")
        names = [child.name for child in self.children]
        twice = sorted({name for name in names if names.count(name) > 1})
        _require(not twice, "supervisor", f"two children have the name {', '.join(twice)}")
        for child in self.children:
            self.check(child)
        template = self.strategy is not Strategy.DYNAMIC or len(self.children) == 1
        _require(template, "supervisor", "a dynamic supervisor has one child spec, its template")

    @property
    def drain_s(self) -> float:
        """How much longer a stop of all may take than the grace that is given for it."""
        return sum(child.drain_s for child in self.children)

    def check(self, child: ChildSpec) -> None:
        """Raises: ConfigurationError for a child that cannot live under this supervisor."""
        unheard = child.significant and self.auto_shutdown is AutoShutdown.NEVER
        where = f"child {child.name!r}"
        _require(not unheard, where, "it is significant, but auto_shutdown is never")

    @property
    def grouped(self) -> bool:
        """Whether children depend on those before them, and restart in order."""
        return self.strategy in (Strategy.ONE_FOR_ALL, Strategy.REST_FOR_ONE)


def check_limits(intensity: int, period_s: float) -> None:
    """Raises: ConfigurationError."""
    _require(intensity >= 0, "supervisor", f"intensity = {intensity} is negative")
    _require(0 < period_s < math.inf, "supervisor", f"period_s = {period_s} is no span of time")
