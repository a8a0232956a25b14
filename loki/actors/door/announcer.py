"""How a part of Loki tells the root what everybody may know."""

from loki.actors.door.role import Shell
from loki.core.throttle import Throttle
from loki.errors import ResourceLimitExceeded
from loki.messages import event, execution
from loki.messages.event import EventHappened, Fact
from loki.messages.lifecycle import ROOT


class Announcer:
    """Nobody waits for these: what cannot be told is logged."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._warnings = Throttle(shell.clock.monotonic_s())

    def tell(self, fact: Fact) -> None:
        try:
            self._shell.send(ROOT, EventHappened(fact=fact))
        except ResourceLimitExceeded as error:
            self._shell.log.warning("%s is not told: %s", type(fact).__name__, error)

    def warn(self, warned: execution.BudgetWarned, script: str) -> None:
        """Tell and log that a run of `script` nears a limit; those of a flood are counted only."""
        left_out = self._warnings.admit(script, self._shell.clock.monotonic_s())
        if left_out is None:
            return
        more = f"; {left_out} warnings were left out before" if left_out else ""
        self._shell.log.warning(
            "run=%s script=%s used %.4g of %s = %.4g%s",
            *(warned.run, script, warned.used, warned.limit, warned.allowed, more),
            extra={"execution": warned.run},
        )
        self.tell(
            event.BudgetWarned(
                run=warned.run,
                script=script,
                limit=warned.limit,
                used=warned.used,
                allowed=warned.allowed,
                left_out=left_out,
            )
        )
