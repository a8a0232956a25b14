"""The shapes of simulated sensors over time."""

import pytest
from fenrir_actor.board import Constant, Ramp, Sine, Steps
from fenrir_actor.simulated.waveform import value_at
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("waveform", "time_s", "value"),
    [
        (Constant(3.0), 0, 3.0),
        (Constant(3.0), 1e6, 3.0),
        (Sine(10.0, 2.0, 40.0), 0, 10.0),
        (Sine(10.0, 2.0, 40.0), 10, 12.0),
        (Sine(10.0, 2.0, 40.0), 30, 8.0),
        (Sine(10.0, 2.0, 40.0), 40, 10.0),
        (Ramp(0.0, 10.0, 5.0), 0, 0.0),
        (Ramp(0.0, 10.0, 5.0), 2.5, 5.0),
        (Ramp(0.0, 10.0, 5.0), 5.0, 0.0),
        (Ramp(10.0, 0.0, 5.0), 1.0, 8.0),
        (Steps((1.0, 2.0, 3.0), 0.5), 0.49, 1.0),
        (Steps((1.0, 2.0, 3.0), 0.5), 0.5, 2.0),
        (Steps((1.0, 2.0, 3.0), 0.5), 1.5, 1.0),
    ],
)
def test_s_6_2_2_a_waveform_has_its_value_at_each_time(waveform, time_s, value):
    assert value_at(waveform, time_s) == pytest.approx(value)


@given(st.floats(min_value=0, max_value=1e9))
def test_a_swing_stays_within_its_amplitude(time_s):
    assert -2 <= value_at(Sine(0.0, 2.0, 7.0), time_s) <= 2
