"""Keeps a system running: boots one, hears of its end, and boots the next, within bounds.

Theory of operation. Thespian forks, so a system is created while no loop runs: each system has a
loop of its own, which is left when the system is over. Before the next is booted, every process of
the old one is dead, waited for by the kernel's word, and its sockets are gone. What stays is the
state directory's lock, the ledger, the signal handlers, and the port, which the plan is told of.
`loki.core.supervisor.reboot` decides how often. A start that fails counts as one more death, but
the very first one: then somebody is there to read why.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from loki.actors.log.log_file import LogFile
from loki.actors.settings.owner import Configuration
from loki.actors.start.service_manager import ServiceManager
from loki.actors.start.starter import Starter
from loki.actors.start.stop_request import StopRequest
from loki.actors.start.system import Instance, System
from loki.clock import Clock, SystemClock
from loki.core.supervisor import reboot
from loki.core.supervisor.reboot import Reboots
from loki.errors import LokiError
from loki.messages.gateway import GatewayReport
from loki.messages.tree import SupervisorConfig

GRACE_S = 1.5
"""Of the two seconds that a stop may take when nothing is to be drained."""
MARGIN_S = 5.0  # For the kernel to end what does not end by itself.
CRASHED_EXIT_CODE = 70  # Source: sysexits(3), EX_SOFTWARE; the service manager decides.
LOG_LOOK_S = 1.0

T = TypeVar("T")
Details = Mapping[str, str]
"""What the actors said when they were ready, by name; empty before the first system was up."""

log = logging.getLogger("loki.starter")


class Keeper:
    """One `loki serve`, from its first system to its exit code."""

    def __init__(
        self,
        instance: Instance,
        *,
        plan: Callable[[Details], SupervisorConfig],
        announce: Callable[[Details], None],
        manager: ServiceManager,
        log_file: LogFile,
        configuration: Configuration,
        clock: Clock | None = None,
    ) -> None:
        """`plan` is given what the last system said; `announce` is called for the first one."""
        self._instance = instance
        self._plan = plan
        self._announce = announce
        self._manager = manager
        self._log_file = log_file
        self._configuration = configuration
        self._clock = clock or SystemClock()
        self._details: Details = {}
        self._reboots = Reboots()
        self._cause = ""  # Of the death that the system under way is to make good.

    def run(self) -> int:
        """Until somebody asks to stop, or it died too often; the exit code.

        Raises: LokiError when the first system cannot start; nothing is left running then.
        """
        stop = StopRequest()
        try:
            while (reason := self._one(stop)) is not None:
                if not self._may_reboot(reason):
                    return CRASHED_EXIT_CODE
            return 0
        finally:
            self._instance.release()
            stop.close()

    def _may_reboot(self, reason: str) -> bool:
        if self._cause:
            log.warning("%s; started again in vain, %s", self._cause, self._reboots.text)
        self._reboots = reboot.died(self._reboots, self._clock.monotonic_s())
        self._cause = reason
        if self._reboots.allowed:
            self._manager.tell(f"STATUS={reason}; starting again, {self._reboots.text}")
            return True
        self._manager.tell(f"STATUS={reason}; not started again")
        log.critical(
            "%s; it is not started again after %d deaths in %.3g s; what went before is in %s",
            reason,
            len(self._reboots.deaths_s),
            self._reboots.period_s,
            self._log_file.path,
        )
        return False

    def _one(self, stop: StopRequest) -> str | None:
        """One system from its boot until nothing is left of it; why it died, None if asked to."""
        try:
            return self._booted(stop)
        except LokiError as error:
            if not self._details:
                raise
            return f"the start failed: {error.message}"

    def _booted(self, stop: StopRequest) -> str | None:
        system = System(self._instance, self._plan(self._details), self._configuration)
        try:
            with stop.interrupting():
                if not stop.asked:
                    system.boot()
        except BaseException:
            system.end()
            raise
        if stop.asked:
            system.end()
            return None
        return asyncio.run(self._live(system, stop))

    async def _live(self, system: System, stop: StopRequest) -> str | None:
        starter = system.connect()
        try:
            with stop.waking() as asked:
                details = await _until(asked, system.up())
                if details is not None:
                    self._is_up(details)
                    await self._serve(asked, starter)
                return None if asked.is_set() else starter.down.result().reason
        finally:
            if stop.asked:
                extended_us = round((GRACE_S + system.drain_s + MARGIN_S) * 1e6)
                self._manager.tell(
                    "STOPPING=1", "STATUS=stopping", f"EXTEND_TIMEOUT_USEC={extended_us}"
                )
                await system.ask_to_stop(GRACE_S)
            system.end()

    def _is_up(self, details: Details) -> None:
        first, self._details = not self._details, details
        if first:
            self._announce(details)
        if self._cause:
            log.warning("%s; started again, %s", self._cause, self._reboots.text)
            self._cause = ""
        address = GatewayReport.of(details.get("gateway", "")).grpc or "nowhere"
        self._manager.tell("READY=1", f"STATUS=serving at {address}")

    async def _serve(self, asked: asyncio.Event, starter: Starter) -> None:
        """Meanwhile the service manager hears that it does, and the log is kept within its size."""
        others = self._feed(starter), self._keep_log_small()
        tasks = [asyncio.ensure_future(other) for other in others]
        await _until(asked, asyncio.shield(starter.down))
        for task in tasks:
            task.cancel()

    async def _feed(self, starter: Starter) -> None:
        while self._manager.watchdog_s:
            if starter.answers:
                self._manager.tell("WATCHDOG=1")
            await asyncio.sleep(self._manager.watchdog_s / 2)

    async def _keep_log_small(self) -> None:
        while True:
            try:
                self._log_file.rotate_if_full()
            except OSError as error:
                log.error("the log cannot be put aside, and stops growing: %s", error)
                return
            await asyncio.sleep(LOG_LOOK_S)


async def _until(asked: asyncio.Event, awaited: Awaitable[T]) -> T | None:
    """The result of `awaited`, or None when somebody asked to stop before it was there."""
    waiting = asyncio.ensure_future(awaited)
    stopping = asyncio.ensure_future(asked.wait())
    await asyncio.wait((waiting, stopping), return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if waiting.done():
        return waiting.result()
    waiting.cancel()
    return None
