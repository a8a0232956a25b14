"""The page that outlives a runner: what is written there is read there, whoever wrote it."""

import mmap
import os
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loki.actors.runner import flight_recorder
from loki.actors.runner.flight_recorder import FlightRecorder, Record, RunPhase
from loki.messages.execution import Cause, Usage

RUN = "0123456789abcdef0123456789abcdef"

USAGE = Usage(cpu_ms=9.5, overshoot_ms=1.5, peak_memory_bytes=2**40)


@pytest.fixture
def recorder() -> Iterator[FlightRecorder]:
    made = FlightRecorder()
    yield made
    made.close()


@pytest.fixture(autouse=True)
def no_recorder_is_left() -> Iterator[None]:
    yield
    for name in list(flight_recorder._recorders):
        flight_recorder.discard(name)


def test_a_fresh_page_says_nothing(recorder: FlightRecorder) -> None:
    assert recorder.read() == Record(RunPhase.NONE, None, "", 0.0, 0.0, 0)


def test_the_phases_of_a_run(recorder: FlightRecorder) -> None:
    phases = []
    for step in (lambda: recorder.accepted(RUN), recorder.begun, recorder.answered):
        step()
        phases.append((recorder.read().phase, recorder.read().run))
    assert phases == [
        (RunPhase.ACCEPTED, RUN),
        (RunPhase.BEGUN, RUN),
        (RunPhase.ANSWERED, RUN),
    ]


def test_what_a_client_has_seen_is_of_one_run(recorder: FlightRecorder) -> None:
    recorder.accepted(RUN)
    recorder.begun()
    assert not recorder.read().shown
    recorder.shown()
    recorder.stopped(Cause.TIME, USAGE)
    assert recorder.read().shown
    assert recorder.read().phase is RunPhase.BEGUN
    recorder.accepted(RUN)
    assert not recorder.read().shown


@pytest.mark.parametrize("cause", Cause)
def test_why_a_runner_stopped_itself(recorder: FlightRecorder, cause: Cause) -> None:
    recorder.accepted(RUN)
    recorder.begun()
    recorder.stopped(cause, USAGE)
    assert recorder.read() == Record(RunPhase.BEGUN, cause, RUN, 9.5, 1.5, 2**40)


def test_the_next_run_forgets_the_last_ones_end(recorder: FlightRecorder) -> None:
    recorder.accepted(RUN)
    recorder.stopped(Cause.TIME, USAGE)
    recorder.accepted("next")
    assert recorder.read() == Record(RunPhase.ACCEPTED, None, "next", 0.0, 0.0, 0)


@given(st.binary(min_size=68, max_size=68))
def test_any_page_can_be_read(page: bytes) -> None:
    """A script that broke out of Lua may write there; the Dispatcher reads it all the same."""
    recorder = FlightRecorder()
    recorder._page[: len(page)] = page
    record = recorder.read()
    recorder.close()
    assert record.phase in RunPhase
    assert record.cause is None or record.cause in Cause
    assert 0 <= record.peak_memory_bytes < 2**63


def test_an_unknown_phase_counts_as_begun(recorder: FlightRecorder) -> None:
    """Such a run must not be given to another runner."""
    recorder._page[0] = 200
    assert recorder.read().phase >= RunPhase.BEGUN


def test_a_run_id_that_is_too_long_is_cut_not_refused(recorder: FlightRecorder) -> None:
    recorder.accepted("ü" * 40)
    assert recorder.read().run.startswith("ü" * 15)


def test_the_page_is_shared_with_a_fork_and_survives_its_death() -> None:
    dispatchers = flight_recorder.recorder_for("runner-1")
    flight_recorder.recorder_for("runner-2")
    pid = os.fork()
    if pid == 0:
        own = flight_recorder.own_recorder("runner-1")
        own.accepted(RUN)
        own.stopped(Cause.MEMORY, USAGE)
        os._exit(0 if not flight_recorder._recorders else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert dispatchers.read() == Record(RunPhase.ACCEPTED, Cause.MEMORY, RUN, 9.5, 1.5, 2**40)


def test_a_runner_cannot_read_the_others_pages() -> None:
    own = flight_recorder.recorder_for("runner-1")
    other = flight_recorder.recorder_for("runner-2")
    assert flight_recorder.own_recorder("runner-1") is own
    with pytest.raises(ValueError, match="closed"):
        other.read()
    own.close()


def test_one_page_for_a_runner_until_it_is_discarded(monkeypatch: pytest.MonkeyPatch) -> None:
    mapped: list[mmap.mmap] = []
    real = mmap.mmap

    def counted(*args: int) -> mmap.mmap:
        mapped.append(real(*args))
        return mapped[-1]

    monkeypatch.setattr(flight_recorder.mmap, "mmap", counted)
    first = flight_recorder.recorder_for("runner-1")
    assert flight_recorder.recorder_for("runner-1") is first
    assert len(mapped) == 1
    flight_recorder.discard("runner-1")
    flight_recorder.discard("runner-1")
    assert mapped[0].closed
    assert not flight_recorder._recorders
