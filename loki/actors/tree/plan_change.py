"""Gives the actors of a supervisor their new configurations, one after the other in start order.

Theory of operation. From the beginning, whoever is started gets the new one. A part of Loki that is
up is told, and takes it as it runs; a child, or a part that does not answer, is stopped and started
again.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, assert_never

from loki.actors.door.role import Shell
from loki.core.supervisor import state as words
from loki.core.supervisor.state import Phase
from loki.messages.envelope import Done, Failure
from loki.messages.lifecycle import ChangeConfig
from loki.messages.supervision import PlanChanged
from loki.messages.tree import ActorPlan

ANSWER_TIMEOUT_S = 60.0
"""Thousands of tool files are read again; one that hangs is noticed by its heartbeats."""

Request = Callable[[int], words.Request]


class PlanChange:
    """One change. `promise` is kept when all have been seen to."""

    def __init__(
        self,
        shell: Shell,
        changed: Sequence[ActorPlan],
        phase_of: Callable[[str], Phase],
        administer: Callable[[Request], Future[Any]],
    ) -> None:
        """`administer` asks the supervisor for what an administrator may."""
        self.promise: Future[PlanChanged] = Future()
        self._shell = shell
        self._left = list(changed)
        self._phase_of = phase_of
        self._administer = administer
        self._restarted: list[str] = []

    def begin(self) -> None:
        if not self._left:
            self.promise.set_result(PlanChanged(restarted=tuple(self._restarted)))
            return
        actor = self._left.pop(0)
        phase = self._phase_of(actor.name)
        match phase:
            case Phase.UP if not actor.service:
                self._tell(actor)
            case Phase.UP | Phase.STARTING:
                self._restart(actor.name)
            case Phase.DELAYED:
                self._ask(lambda asker: words.AskReset(asker, actor.name), self.begin)
            case Phase.IDLE | Phase.WAITING | Phase.STOPPING:
                self.begin()
            case _:
                assert_never(phase)

    def _tell(self, actor: ActorPlan) -> None:
        def told(reply: Done | Failure) -> None:
            if isinstance(reply, Done):
                self.begin()
                return
            self._shell.log.warning(
                "%s is restarted, for it did not take its settings: %s", actor.name, reply.message
            )
            self._restart(actor.name)

        change = ChangeConfig(config=actor.config)
        self._shell.request(actor.name, change, told, timeout_s=ANSWER_TIMEOUT_S)

    def _restart(self, name: str) -> None:
        self._restarted.append(name)
        self._ask(
            lambda asker: words.AskStop(asker, name),
            lambda: self._ask(lambda asker: words.AskRestart(asker, name), self.begin),
        )

    def _ask(self, request: Request, then: Callable[[], None]) -> None:
        """What is refused is what the supervisor is about to do anyway, or logs itself."""
        self._administer(request).add_done_callback(lambda _promise: then())
