"""Takes changes of the settings' file while Loki runs, or says why it does not.

Theory of operation. The file is read in a worker thread whenever it may have changed, and all of it
is validated before anything changes. What then holds is told to the root, which gives each actor
its new configuration. What waits for the next start is told too, once. A file that is refused
changes nothing; it is told of again when something else is wrong with it.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from loki.actors.door.announcer import Announcer
from loki.actors.door.role import Shell
from loki.actors.file.reloader import Reloader
from loki.core.library.library import bounded
from loki.core.settings.change import MOST_TOLD, few, summary
from loki.errors import ConfigurationError, LokiError
from loki.messages.event import ConfigRejected, SettingsChanged
from loki.messages.lifecycle import ROOT
from loki.messages.supervision import ChangePlan
from loki.messages.tree import SupervisorConfig
from loki.tool.vantage import vantages

APPLY_TIMEOUT_S = 300.0
"""Each actor has a time-out of its own."""


@dataclass(frozen=True, slots=True)
class Reread:
    """What follows from the file as it is now. Settings are named by their dotted keys."""

    plan: SupervisorConfig  # With what holds from now on.
    changed: tuple[str, ...]
    waiting: tuple[str, ...]  # For the next start.
    hold: Callable[[], None]  # To be called when the plan was taken.


class Rereadable(Protocol):
    """The settings of one `loki serve`."""

    @property
    def file(self) -> Path:
        """The whole path of their file, also where it is not there."""

    def reread(self) -> Reread:
        """Read the file and validate all of it; may block. Raises: ConfigurationError."""

    def refuse(self, problem: str) -> None:
        """The file as it is now is not used, and why."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What one reading found."""

    places: Mapping[str, frozenset[str]]
    found: Reread | ConfigurationError


class SettingsWatch:
    """Of one system."""

    def __init__(
        self, shell: Shell, settings: Rereadable, keep: Callable[[], Awaitable[int]]
    ) -> None:
        """`keep` keeps this version of the settings, and gives its number."""
        self._shell = shell
        self._keep = keep
        self._settings = settings
        self._announcer = Announcer(shell)
        self._files = Reloader(shell, self._look, self._took, watches=True)
        self._told: tuple[str, ...] | str = ()  # What waits, or what is wrong.

    async def begin(self) -> None:
        """Watch from now on. What changed before the first look is seen as well."""
        await self._took(await self._files.first())
        self._files.begin()

    async def again(self) -> None:
        """Look now, and wait until what is there holds or was refused."""
        await self._files.again()

    def close(self) -> None:
        self._files.close()

    def _look(self) -> Looked:
        places = vantages((self._settings.file,))
        try:
            return Looked(places, self._settings.reread())
        except ConfigurationError as error:
            return Looked(places, error)

    async def _took(self, looked: Looked) -> None:
        found = looked.found
        if isinstance(found, ConfigurationError):
            self._reject(found)
        elif found.changed:
            await self._apply(found)
        else:
            found.hold()
            if found.waiting != self._told:
                await self._tell(found)

    def _reject(self, error: ConfigurationError) -> None:
        lines = error.message.splitlines()
        problem = "\n".join(few(lines))
        self._settings.refuse(problem)
        if problem == self._told:
            return
        self._told = problem
        self._shell.log.warning("the settings stay as they were: %s", problem)
        problems = [self._rejected(line) for line in few(lines)]
        for fact in bounded(problems, MOST_TOLD):
            self._announcer.tell(fact)

    def _rejected(self, line: str) -> ConfigRejected:
        """A line begins with its place, where one is known."""
        place, colon, problem = line.partition(": ")
        if not colon:
            place, problem = str(self._settings.file), line
        return ConfigRejected(file=place, problem=problem)

    async def _apply(self, found: Reread) -> None:
        try:
            reply = await self._shell.ask(
                ROOT, ChangePlan(plan=found.plan), timeout_s=APPLY_TIMEOUT_S
            )
        except LokiError as error:
            self._shell.log.error("the new settings do not hold everywhere: %s", error.message)
            return
        found.hold()
        await self._tell(found, reply.restarted)

    async def _tell(self, found: Reread, restarted: tuple[str, ...] = ()) -> None:
        self._told = found.waiting
        fact = SettingsChanged(
            changed=few(found.changed),
            waiting=few(found.waiting),
            restarted=restarted,
            version=await self._keep(),
        )
        self._announcer.tell(fact)
        told = summary(changed=fact.changed, restarted=restarted, waiting=fact.waiting)
        self._shell.log.warning("%s: %s", self._settings.file, told)
