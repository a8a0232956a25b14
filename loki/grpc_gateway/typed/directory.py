"""Which typed services there are: what the Library publishes, as snapshots that never change.

Theory of operation. The gateway asks the Library for everything when it begins and whenever the
Library was lost; from then on it is told of each change before a registration is acknowledged.
Each piece of news makes a new snapshot that takes the place of the old one at once, so calls and
reflection read without locks, and whoever began with a snapshot goes on with it. A snapshot holds
interfaces only: descriptors are made when somebody asks for them, so that ten thousand scripts
cost neither time at start nor memory that nobody uses.
"""

import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from loki.actors.door.role import Context, Handler, Shell
from loki.core.access.principal import Principal, may_run
from loki.core.supervisor.spec import Backoff
from loki.grpc_gateway.typed import schema
from loki.messages.envelope import Done, Failure, Message
from loki.messages.interface import Interface, PublishInterfaces, SendInterfaces

LIBRARY = "library"
ASK_TIMEOUT_S = 5.0
ASKING = Backoff(shortest_s=0.2, longest_s=10.0)


@dataclass(frozen=True, slots=True, eq=False)
class TypedService:
    """One revision of a script as a gRPC service; compared by identity."""

    interface: Interface

    @property
    def full_name(self) -> str:
        return schema.full_name(self.interface.name)

    @property
    def file_name(self) -> str:
        return schema.file_name(self.interface.name)

    @property
    def file(self) -> bytes:
        """Its FileDescriptorProto with comments, made anew each time: about 0.2 ms."""
        return schema.describe(self.interface).SerializeToString()

    @property
    def symbols(self) -> frozenset[str]:
        """All full names that the file defines, but for fields."""
        return schema.symbols_of(self.interface.name)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All typed services at one moment."""

    services: MappingProxyType[str, TypedService]
    """By full name."""
    whole: bool = False
    """Whether the Library of now has sent all that it has."""

    def by_file(self, name: str) -> TypedService | None:
        """The service whose file has that name."""
        tool = schema.tool_of_file(name)
        service = self.services.get(schema.full_name(tool)) if tool else None
        return service if service is not None and service.file_name == name else None

    def by_symbol(self, symbol: str) -> TypedService | None:
        """The service whose file defines that full name."""
        service = self.services.get(schema.service_of_symbol(symbol))
        return service if service is not None and symbol in service.symbols else None

    def by_script(self, name: str) -> TypedService | None:
        """The service of that script."""
        service = self.services.get(schema.full_name(name))
        return service if service is not None and service.interface.name == name else None

    def method_of(self, name: str, caller: Principal, revision: str = "") -> str:
        """The typed method of that script, such as "loki.tools.v1.AverageService/Call".

        "" where there is none, where it runs another revision than that, and where reflection
        shows the caller none, as it may not call it.
        """
        service = self.by_script(name)
        if service is None or revision not in ("", service.interface.revision):
            return ""
        if not may_run(caller, name):
            return ""
        return f"{service.full_name}/{schema.CALL}"

    def after(self, news: PublishInterfaces) -> "Snapshot":
        """As it is when these news have come."""
        services = self.services.copy()  # Of the dict behind it, at once: 60 µs for 10,000.
        if news.complete:
            named = {each.name for each in news.changed} | set(news.others)
            services = {n: s for n, s in services.items() if s.interface.name in named}
        for name in news.removed:
            if self.by_script(name) is not None:
                services.pop(schema.full_name(name), None)
        for interface in news.changed:
            services[schema.full_name(interface.name)] = TypedService(interface)
        return Snapshot(MappingProxyType(services), self.whole or news.complete)


EMPTY = Snapshot(MappingProxyType({}))


def names_for(
    snapshot: Snapshot, principal: Principal, may: Callable[[Principal, str], bool]
) -> Iterable[str]:
    """Full names of the services of those scripts for which `may(principal, script)` is true."""
    if principal.unbounded:  # Then it is the same for all scripts.
        return snapshot.services if may(principal, "") else ()
    return (n for n, each in snapshot.services.items() if may(principal, each.interface.name))


class Directory:
    """The typed services of now."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self.snapshot = EMPTY
        self._watchers: list[Callable[[Snapshot], None]] = []
        self._asking = False
        self._answered: Callable[[], None] = lambda: None

    def handlers(self) -> Mapping[type[Message], Handler]:
        return {PublishInterfaces: self._published}

    def watch(self, changed: Callable[[Snapshot], None]) -> None:
        """Call it after each change, in the gateway's loop."""
        self._watchers.append(changed)

    def begin(self, answered: Callable[[], None]) -> None:
        """Ask the Library for everything; call `answered` after each answer, good or bad."""
        self._answered = answered
        self._ask(attempt=1)

    def lost(self, peer: str) -> None:
        """What a lost Library published still holds; its successor tells what does not.

        It is asked at once, so that it hears of us before it hears of a registration. What is not
        here may be there, until it has told all.
        """
        if peer == LIBRARY:
            self.snapshot = replace(self.snapshot, whole=False)
            self._ask(attempt=1)

    def _ask(self, attempt: int) -> None:
        def sent(reply: Done | Failure) -> None:
            self._asking = False
            self._answered()
            if isinstance(reply, Failure):
                self._shell.log.info("no interfaces yet: %s", reply.message)
                self._ask_again(attempt + 1)

        if not self._asking:
            self._asking = True
            self._shell.request(LIBRARY, SendInterfaces(), sent, timeout_s=ASK_TIMEOUT_S)

    def _ask_again(self, attempt: int) -> None:
        delay_s = ASKING.delay_s(attempt, random.random())  # noqa: S311  # No secret.
        self._shell.later(delay_s, lambda: self._ask(attempt))

    def _published(self, news: PublishInterfaces, context: Context) -> Done:
        context.require_kin("only the Library publishes interfaces")
        self.snapshot = self.snapshot.after(news)
        for changed in self._watchers:
            changed(self.snapshot)
        return Done()
