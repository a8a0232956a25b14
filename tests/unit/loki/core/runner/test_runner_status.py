"""What those see who ask how the runners fare."""

from loki.core.runner.pool import Pool, RunnerPhase
from loki.core.runner.runner_status import STATE_OF_PHASE, statuses
from loki.messages.lifecycle import ChildState


def test_each_runner_in_the_order_of_their_starts() -> None:
    pool = Pool(warm=1, most=4, longest_queue=4)
    pool.begin(10.0)
    pool.runner_up("runner-1", 11.0)
    pool.submitted("run", 12.0)
    first, second = statuses(pool.runners.values(), {"runner-1": 7}, "dispatcher", 15.0)
    assert (first.name, first.state, first.pid) == ("runner-1", ChildState.UP, 7)
    assert (second.name, second.state, second.pid) == ("runner-2", ChildState.STARTING, 0)
    assert (first.uptime_s, first.supervisor, first.service) == (5.0, "dispatcher", False)


def test_each_phase_is_a_state() -> None:
    assert STATE_OF_PHASE.keys() == set(RunnerPhase)
