"""Asks runners whether they are alive, and kills those that hang."""

from collections.abc import Mapping

from loki.actors.base.lifeline import kill
from loki.actors.base.process import cpu_use
from loki.actors.door.role import Shell
from loki.core.runner.pulse import Care, RunnerPulse, beat
from loki.messages.envelope import Failure
from loki.messages.lifecycle import Ping, Pong

PATIENCE_S = 24 * 3600.0
"""For an answer. A script may compute for long, and each question would lie there until then."""


class RunnerWatch:
    """Looks at every runner once a beat; what it sees is judged in `loki.core.runner.pulse`."""

    def __init__(self, shell: Shell, pids: Mapping[str, int], beat_s: float) -> None:
        """`pids` are those of the runners that are ready, at any time. A beat of 0 is none."""
        self._shell = shell
        self._pids = pids
        self._beat_s = beat_s
        self._pulses: dict[int, RunnerPulse] = {}  # By pid.

    def begin(self) -> None:
        if self._beat_s:
            self._shell.later(self._beat_s, self._beat)

    def _beat(self) -> None:
        self._pulses = {pid: p for pid, p in self._pulses.items() if pid in self._pids.values()}
        for name, pid in self._pids.items():
            runnable, cpu_ticks = cpu_use(pid)
            pulse = self._pulses.get(pid, RunnerPulse())
            self._pulses[pid], care = beat(pulse, cpu_ticks, runnable=runnable)
            if care is Care.ASK:
                self._ask(name, pid)
            elif care is Care.KILL:
                self._shell.log.error("%s (pid %d) hung and was killed", name, pid)
                kill(pid)
        self.begin()

    def _ask(self, name: str, pid: int) -> None:
        def then(reply: Pong | Failure) -> None:
            if isinstance(reply, Pong) and pid in self._pulses:
                self._pulses[pid] = self._pulses[pid].answered()

        self._shell.request(name, Ping(), then, timeout_s=PATIENCE_S)
