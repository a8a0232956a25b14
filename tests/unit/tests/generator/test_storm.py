"""The plan of a storm: repeatable, as hard as asked, and never harder than the starter allows."""

from collections import Counter
from itertools import pairwise
from signal import SIGKILL, SIGSTOP

import pytest

from tests.generator.storm import Storm, plan

WEIGHTS = {"runner": 6.0, "hel": 1.0, "gateway": 1.0}
BLOWS = (("loki", SIGKILL), ("admin", SIGKILL), ("loki", SIGSTOP))
HOUR_S = 3600.0
SEEDS = range(20)


def test_the_same_seed_is_the_same_storm_and_another_is_another() -> None:
    storm = Storm(duration_s=60, weights=WEIGHTS, blows=BLOWS)
    assert plan(storm, 7) == plan(storm, 7)
    assert len({plan(storm, seed) for seed in SEEDS}) == len(SEEDS)


def test_hits_are_as_many_and_as_divided_as_asked() -> None:
    hits = plan(Storm(duration_s=HOUR_S, weights=WEIGHTS), 1)
    counts = Counter(hit.target for hit in hits)
    assert len(hits) == pytest.approx(3.6 * HOUR_S, rel=0.05)
    assert counts["runner"] == pytest.approx(6 * counts["hel"], rel=0.1)
    assert sum(hit.signal is SIGSTOP for hit in hits) == pytest.approx(len(hits) / 10, rel=0.1)
    assert not any(hit.is_blow for hit in hits)


@pytest.mark.parametrize("seed", SEEDS)
def test_hits_are_in_order_and_within_the_storm(seed: int) -> None:
    hits = plan(Storm(duration_s=120, weights=WEIGHTS, blows=BLOWS), seed)
    assert all(a.at_s <= b.at_s for a, b in pairwise(hits))
    assert all(0 < hit.at_s < 120 and 0 <= hit.pick < 1 for hit in hits)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_more_than_three_blows_in_a_minute_and_calm_after_each(seed: int) -> None:
    hits = plan(Storm(duration_s=600, weights=WEIGHTS, blows=BLOWS), seed)
    blows = [hit for hit in hits if hit.is_blow]
    assert len(blows) > 20
    assert all(d.at_s - a.at_s > 60 for a, d in zip(blows, blows[3:], strict=False))
    assert [(b.target, b.signal) for b in blows[:4]] == [*BLOWS, BLOWS[0]]
    for blow in blows:
        assert [h for h in hits if 0 <= h.at_s - blow.at_s < 4] == [blow]


def test_a_short_storm_has_two_blows_and_ends_in_calm() -> None:
    """A blow at the very end would be none that anybody sees the end of."""
    for seed in SEEDS:
        hits = plan(Storm(duration_s=15, weights=WEIGHTS, blows=BLOWS), seed)
        blows = [hit for hit in hits if hit.is_blow]
        assert len(blows) >= 2
        assert all(hit.at_s <= 11 for hit in blows)


@pytest.mark.parametrize(
    "nonsense",
    [{"hits_per_s": 0}, {"blow_every_s": 0}, {"weights": {}}, {"weights": {"hel": 0}}],
)
def test_nonsense_is_refused(nonsense: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="must"):
        Storm(**{"duration_s": 1, "weights": WEIGHTS} | nonsense)
