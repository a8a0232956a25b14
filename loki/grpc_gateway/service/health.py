"""`grpc.health.v1`: of the children, as the root's events tell, and of the scripts' typed services.

Theory of operation. How children fare is a small table, taken over whole. A typed service fares as
Loki as a whole does while the snapshot has it and the caller may see it; nothing is kept for each,
so that ten thousand scripts cost nothing. New snapshots wake those watches whose service came or
went; a watch that wakes looks anew, also whether its caller still may.

Seeing is enough, though reflection shows only what may be called: who watches over a device calls
no script, and learns no name here that lists of scripts do not tell it.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from grpc_health.v1 import health_pb2

from loki.core.access.principal import NOBODY, Principal, may_see
from loki.core.place import Places
from loki.errors import ErrorCode, LokiError, ResourceLimitExceeded
from loki.grpc_gateway.security.auth import host_of
from loki.grpc_gateway.typed.directory import EMPTY, Snapshot, names_for

State = health_pb2.HealthCheckResponse
NUMBER = {True: State.SERVING, False: State.NOT_SERVING}
WHOLE = ""
"""The name under which Loki as a whole is asked for."""
MOST_LISTED = 1000
"""Typed services in one list: the protocol lets a server refuse a longer one."""
MOST_WATCHES = 1024
"""Each takes 30 KiB, and who watches needs no credentials."""


class Watching:
    """One watch: whether it is to look anew, or has told all that there is to tell."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()
        self._told = asyncio.Event()

    @property
    def woken(self) -> bool:
        """Whether it has something to look at."""
        return self._changed.is_set()

    def wake(self) -> None:
        self._told.clear()
        self._changed.set()

    def look(self) -> None:
        """What changes from now on wakes it again."""
        self._changed.clear()

    async def changed(self) -> None:
        """All is told: wait until it is to look anew."""
        if not self.woken:
            self._told.set()
        await self._changed.wait()

    def end(self) -> None:
        """There is nobody to tell any more."""
        self._told.set()

    async def told(self) -> None:
        await self._told.wait()


class Health:
    """The health servicer.

    gRPC's own holds a lock while it writes: a client that reads nothing would stop it for all.
    """

    def __init__(self) -> None:
        self._serving: Mapping[str, bool] = {}
        self._snapshot: Snapshot = EMPTY
        self._caller: Callable[[Any], Principal] = lambda _context: NOBODY
        self._draining = False
        self._watching: dict[str, set[Watching]] = {}
        self._places = Places(MOST_WATCHES, "watch health")

    def set(self, serving: Mapping[str, bool]) -> None:
        """From now on this is all that is known of children. No effect after `drain`."""
        if not self._draining and serving != self._serving:
            self._serving = dict(serving)
            self.wake()

    def publish(self, snapshot: Snapshot) -> None:
        """From now on these are the typed services; takes time for those only that are watched."""
        before, self._snapshot = self._snapshot.services, snapshot
        for service, watching in self._watching.items():
            if (service in before) is not (service in snapshot.services):
                wake(watching)

    def begin(self, caller: Callable[[Any], Principal]) -> None:
        """`caller(context)` tells who calls, NOBODY if that is not known; until then nobody is."""
        self._caller = caller

    def drain(self) -> None:
        """Nothing serves any more, for good."""
        self._draining = True
        self._serving = dict.fromkeys(self._serving, False)
        self.wake()

    def wake(self) -> None:
        """Let each watch look anew: what its caller may see is another now."""
        for watching in self._watching.values():
            wake(watching)

    async def told(self, longest_s: float) -> None:
        """Until each watch has told its client how things are, but not for longer than that."""
        open_watches = [each for watching in self._watching.values() for each in watching]
        with suppress(TimeoutError):  # A client that does not read.
            async with asyncio.timeout(longest_s):
                for watching in open_watches:
                    await watching.told()

    async def Check(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Raises: LokiError (NOT_FOUND) for a service that nobody knows, as the protocol wants."""
        serving = self._state(request.service, context)
        if serving is None:
            raise LokiError(f"there is no service '{request.service}'", code=ErrorCode.NOT_FOUND)
        return State(status=NUMBER[serving])

    async def List(self, _request: Any, context: Any) -> Any:  # noqa: N802
        """All services that the caller may see. Raises: ResourceLimitExceeded for too many."""
        typed, caller = self._snapshot.services, self._caller(context)
        if len(typed) > MOST_LISTED and caller is not NOBODY:
            raise ResourceLimitExceeded(
                f"there are more than {MOST_LISTED} services; ask for each by its "
                "name: server reflection lists them",
                code=ErrorCode.QUOTA,
            )
        known = dict.fromkeys(names_for(self._snapshot, caller, may_see), self._whole())
        statuses = {n: State(status=NUMBER[on]) for n, on in (known | dict(self._serving)).items()}
        return health_pb2.HealthListResponse(statuses=statuses)

    async def Watch(self, request: Any, context: Any) -> None:  # noqa: N802
        """Each change, but only the last of several that came while the client did not read.

        Raises: ResourceLimitExceeded.
        """
        with self._places.taken(host_of(context.peer())):
            await self._tell(request.service, context)

    async def _tell(self, service: str, context: Any) -> None:
        told = None
        with self._watch(service) as watching:
            while True:
                watching.look()
                serving = self._state(service, context)
                status = State.SERVICE_UNKNOWN if serving is None else NUMBER[serving]
                if status != told:
                    await context.write(State(status=status))
                    told = status
                await watching.changed()

    @contextmanager
    def _watch(self, service: str) -> Iterator[Watching]:
        made = Watching()
        watching = self._watching.setdefault(service, set())
        watching.add(made)
        try:
            yield made
        finally:
            made.end()
            watching.discard(made)
            if not watching:
                self._watching.pop(service, None)

    def _state(self, service: str, context: Any) -> bool | None:
        """Whether it serves; None for what is not there, as far as the caller may know."""
        if (serving := self._serving.get(service)) is not None:
            return serving
        typed = self._snapshot.services.get(service)
        if typed is None or not may_see(self._caller(context), typed.interface.name):
            return None
        return self._whole()

    def _whole(self) -> bool:
        return self._serving.get(WHOLE, False)


def wake(watching: set[Watching]) -> None:
    for each in watching:
        each.wake()
