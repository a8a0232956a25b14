"""What secures the gateway, kept as its files are: certificate and tokens change without a restart.

Theory of operation. The files are looked at every few seconds; one that changed has all of them
read. A certificate that does not hold, or not yet, leaves the one before in place as long as that
holds; one that does not hold yet is taken when it does. A token that cannot be read
lets nobody in any more, for that is how one is revoked. As files of a pair change one after the
other, what is wrong is told of only if it is still so at the next look.
"""

import asyncio
import os
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from datetime import UTC, datetime
from typing import TypeAlias, TypeVar

from loki.actors.door.announcer import Announcer
from loki.actors.door.role import Shell
from loki.actors.file.credential_file import read_tokens
from loki.core.access.credential import credentials_of
from loki.core.access.expiry import Choice
from loki.errors import ConfigurationError
from loki.grpc_gateway.security.access import Access
from loki.grpc_gateway.security.tls import Tls
from loki.messages.access import AccessConfig
from loki.messages.event import ConfigRejected

LOOK_S = 2.0
T = TypeVar("T")
Look: TypeAlias = tuple[tuple[int, int, int], ...]
"""What tells that a file is another one: inode, size and time of change."""


class Renewal:
    """Of one gateway."""

    def __init__(self, shell: Shell, config: AccessConfig, access: Access) -> None:
        """Raises: ConfigurationError for a certificate that cannot be shown."""
        self._shell = shell
        self._config = config
        self._access = access
        self._paths = tuple(paths_of(config))
        self._worker: Executor | None = None
        self._again: datetime | None = None
        self._told = self._last = look(self._paths)
        self.tls = Tls(config.tls) if config.tls else None
        self._announce(self._renew_tokens(*read_tokens(config.principals)))

    def begin(self) -> None:
        """Look at the files from now on; nothing happens where there are none."""
        if self._paths:
            self._worker = self._shell.worker("credentials")
            self._later()

    async def change(self, config: AccessConfig) -> None:
        """Who may call from now on; TLS stays as it is."""
        self._config = config
        self._paths = tuple(paths_of(config))
        self._told = self._last = look(self._paths)
        if self._worker is None:
            self.begin()
        self._announce(self._renew_tokens(*await self._read(read_tokens, config.principals)))

    def _later(self) -> None:
        self._shell.later(LOOK_S, lambda: self._shell.mind(asyncio.create_task(self._look())))

    async def _look(self) -> None:
        now = await self._read(look, self._paths)
        if now != self._told or self._due():
            problems = await self._renew()
            if not problems or now == self._last:
                self._told = now
                self._announce(problems)
        self._last = now
        self._later()

    async def _renew(self) -> tuple[ConfigurationError, ...]:
        problems = self._renew_tokens(*await self._read(read_tokens, self._config.principals))
        if self.tls is None:
            return problems
        return (*problems, *await self._renew_tls(self.tls))

    async def _renew_tls(self, tls: Tls) -> tuple[ConfigurationError, ...]:
        self._again = None
        try:
            offer = await self._read(tls.read, self._now())
        except ConfigurationError as error:
            return (error,)
        choice = offer.choice
        self._again = choice.again
        problems = _problems(tls.certificate, choice)
        if not choice.taken:
            return problems
        if tls.show(offer.pem):
            self._shell.log.warning("a new TLS certificate is shown from now on")
        self._announce(problems)  # The next look finds it in use already.
        return ()

    def _due(self) -> bool:
        """Whether a certificate that was left aside may hold by now."""
        return self._again is not None and self._now() >= self._again

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._shell.clock.now_ns() / 1e9, UTC)

    def _renew_tokens(
        self, tokens: dict[str, bytes], problems: tuple[ConfigurationError, ...]
    ) -> tuple[ConfigurationError, ...]:
        anonymous = self._config.anonymous_loopback
        found = credentials_of(self._config.principals, tokens, anonymous_loopback=anonymous)
        self._access.exchange(found)
        return problems

    def _announce(self, problems: Iterable[ConfigurationError]) -> None:
        for problem in problems:
            file, _, text = problem.message.partition(": ")
            self._shell.log.warning("%s", problem)
            Announcer(self._shell).tell(ConfigRejected(file=file, problem=text))

    async def _read(self, read: Callable[..., T], *given: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._worker, read, *given)


def _problems(file: str, choice: Choice) -> tuple[ConfigurationError, ...]:
    return (ConfigurationError(f"{file}: {choice.problem}"),) if choice.problem else ()


def paths_of(config: AccessConfig) -> Iterable[str]:
    """Every file that the gateway's security comes from."""
    if config.tls is not None:
        yield from filter(None, (config.tls.certificate, config.tls.key, config.tls.client_ca))
    yield from (entry.token_file for entry in config.principals if entry.token_file)


def look(paths: Iterable[str]) -> Look:
    return tuple(map(_look_at, paths))


def _look_at(path: str) -> tuple[int, int, int]:
    try:
        found = os.stat(path)
    except OSError:
        return (0, 0, 0)
    return (found.st_ino, found.st_size, found.st_ctime_ns)
