"""The kernel's own limit of a process's CPU time: the net behind watchdog, alarms and Dispatcher.

It ends a runner whose Dispatcher is gone or stuck. The hard limit stays as it is: who has lowered
it can never raise it again, and the process lives on with the next run.
"""

import resource
import signal

from loki.core.runner.rlimit import cpu_soft_s


class CpuLimit:
    """Of this process."""

    def __init__(self) -> None:
        signal.signal(signal.SIGXCPU, signal.SIG_DFL)
        self._soft_s, self._hard_s = resource.getrlimit(resource.RLIMIT_CPU)

    def allow(self, used_s: float, bound_s: float) -> None:
        """`bound_s` more than the `used_s` so far; mostly it is what holds already."""
        soft_s = cpu_soft_s(used_s, bound_s)
        if self._hard_s != resource.RLIM_INFINITY:
            soft_s = min(soft_s, self._hard_s)
        if soft_s != self._soft_s:
            resource.setrlimit(resource.RLIMIT_CPU, (soft_s, self._hard_s))
            self._soft_s = soft_s
