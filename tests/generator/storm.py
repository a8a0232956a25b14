"""Who is hit when in a storm of signals: drawn from a seed, so that it can come again.

Theory of operation. Hits come at random, so many a second on average, and each target by its
weight. Blows end the whole system. Of these there are `most_blows` at most within any
`blow_period_s`, and while the system gets up after one, nobody is hit: a start that fails would
count as one more death.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from signal import SIGKILL, SIGSTOP, Signals


@dataclass(frozen=True, slots=True)
class Hit:
    """One signal for one process."""

    at_s: float  # Since the storm began.
    target: str
    signal: Signals
    pick: float  # Which of several that are called so: from 0 to 1, the youngest last.
    is_blow: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Storm:
    """How hard it blows. Raises: ValueError for what is no storm."""

    duration_s: float
    weights: Mapping[str, float]
    hits_per_s: float = 3.6
    stops: float = 0.1  # The share of SIGSTOP; the others are SIGKILL.
    blows: Sequence[tuple[str, Signals]] = ()
    blow_every_s: float = 2.0  # On average, after the calm; half as much more or less.
    most_blows: int = 3
    blow_period_s: float = 65.0  # The starter's 60 s, and what a hang takes to be seen.
    calm_s: float = 4.0

    def __post_init__(self) -> None:
        if self.hits_per_s <= 0 or self.blow_every_s <= 0:
            raise ValueError("hits_per_s and blow_every_s must be above 0")
        if not self.weights or min(self.weights.values()) <= 0:
            raise ValueError("weights must name somebody, and be above 0")


def plan(storm: Storm, seed: int) -> tuple[Hit, ...]:
    """All hits of a storm in their order; the same for the same storm and seed."""
    blows = tuple(_blows(storm, random.Random(f"{seed} blows")))
    hits = [
        hit
        for hit in _hits(storm, random.Random(f"{seed} hits"))
        if not any(blow.at_s <= hit.at_s < blow.at_s + storm.calm_s for blow in blows)
    ]
    return tuple(sorted((*hits, *blows), key=lambda hit: hit.at_s))


def _hits(storm: Storm, dice: random.Random) -> Iterator[Hit]:
    targets, weights = tuple(storm.weights), tuple(storm.weights.values())
    at_s = dice.expovariate(storm.hits_per_s)
    while at_s < storm.duration_s:
        (target,) = dice.choices(targets, weights)
        sent = SIGSTOP if dice.random() < storm.stops else SIGKILL
        yield Hit(at_s, target, sent, dice.random())
        at_s += dice.expovariate(storm.hits_per_s)


def _blows(storm: Storm, dice: random.Random) -> Iterator[Hit]:
    """Each kind in turn, so that a short storm has more than one of them."""
    given: list[float] = []
    at_s = 0.0
    while storm.blows:
        at_s += storm.blow_every_s * dice.uniform(0.5, 1.5)
        if len(given) >= storm.most_blows:
            at_s = max(at_s, given[-storm.most_blows] + storm.blow_period_s)
        if at_s + storm.calm_s > storm.duration_s:
            return
        target, sent = storm.blows[len(given) % len(storm.blows)]
        yield Hit(at_s, target, sent, 0.0, is_blow=True)
        given.append(at_s)
        at_s += storm.calm_s
