"""The values of a simulated sensor, as functions of time alone."""

import math

from fenrir_actor.board import Constant, Ramp, Sine, Steps, Waveform


def value_at(waveform: Waveform, time_s: float) -> float:
    """What the sensor shows `time_s` (>= 0) seconds after the board started."""
    match waveform:
        case Constant(value):
            return value
        case Sine(mean, amplitude, period_s):
            return mean + amplitude * math.sin(math.tau * (time_s / period_s))
        case Ramp(start, stop, period_s):
            return start + (stop - start) * (time_s / period_s % 1.0)
        case Steps(values, step_s):
            return values[int(time_s // step_s) % len(values)]
