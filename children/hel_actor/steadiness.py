"""Decides by which time things are too old: none, until the device's clock has gone evenly a while.

Theory of operation: a clock that jumps makes all that is kept look years old at once, as on a
device without a battery for its clock before it is told the time; what was forgotten then is lost,
while what stays half an hour longer harms nobody. So the time of day is compared with the monotonic
clock whenever it is asked for. For a while after a start or a jump nothing is old. A device's sleep
looks like a jump; one of less than an hour is none, as ages are counted in days.
"""

from dataclasses import dataclass, replace

from loki.child import Clock

NOTHING_OLD_NS = -(2**63)
"""Instead of the time: nothing is older than that."""
STEADY_S = 1800.0
"""Less than an hour, so that who looks once an hour finds it steady."""
JUMP_S = 3600.0


@dataclass(frozen=True, slots=True)
class Course:
    """What both clocks told last, and since when, by the monotonic one, they agree."""

    now_ns: int
    monotonic_s: float
    since_s: float


def followed(course: Course, now_ns: int, monotonic_s: float) -> Course:
    """The course after both clocks told that."""
    off_s = (now_ns - course.now_ns) / 1e9 - (monotonic_s - course.monotonic_s)
    then = replace(course, now_ns=now_ns, monotonic_s=monotonic_s)
    return then if abs(off_s) < JUMP_S else replace(then, since_s=monotonic_s)


def aging_ns(course: Course) -> int:
    """The time that ages are counted to; `NOTHING_OLD_NS` while it is not to be trusted."""
    steady = course.monotonic_s - course.since_s >= STEADY_S
    return course.now_ns if steady else NOTHING_OLD_NS


class Steadiness:
    """Follows a clock; one thread at a time may ask."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        begin_s = clock.monotonic_s()
        self._course = Course(clock.now_ns(), begin_s, begin_s)

    def aging_ns(self) -> int:
        """See the function of this name."""
        self._course = followed(self._course, self._clock.now_ns(), self._clock.monotonic_s())
        return aging_ns(self._course)
