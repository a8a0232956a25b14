"""`grpc.health.v1`, as the root's events tell how the children fare."""

import asyncio
from collections.abc import Mapping
from typing import Any

from grpc_health.v1 import health_pb2

from loki.errors import ErrorCode
from loki.grpc_gateway.status import status_of
from loki.messages.envelope import Failure

State = health_pb2.HealthCheckResponse
NUMBER = {True: State.SERVING, False: State.NOT_SERVING}


class Health:
    """The health servicer.

    gRPC's own holds a lock while it writes: a client that reads nothing would stop it for all.
    """

    def __init__(self) -> None:
        self._serving: Mapping[str, bool] = {}
        self._draining = False
        self._watching: set[asyncio.Event] = set()

    def set(self, serving: Mapping[str, bool]) -> None:
        """From now on this is all that is known. No effect after `drain`."""
        if not self._draining and serving != self._serving:
            self._serving = dict(serving)
            self._wake()

    def drain(self) -> None:
        """Nothing serves any more, for good."""
        self._draining = True
        self._serving = dict.fromkeys(self._serving, False)
        self._wake()

    def _wake(self) -> None:
        for changed in self._watching:
            changed.set()

    async def Check(self, request: Any, context: Any) -> Any:  # noqa: N802
        """NOT_FOUND for a service that nobody knows, as the protocol wants it."""
        serving = self._serving.get(request.service)
        if serving is None:
            unknown = Failure(
                code=ErrorCode.NOT_FOUND, message=f"there is no service '{request.service}'"
            )
            status = status_of(unknown)
            await context.abort(status.code, status.details, status.trailing_metadata)
            return None
        return State(status=NUMBER[serving])

    async def List(self, _request: Any, _context: Any) -> Any:  # noqa: N802
        """All services, whatever they are doing."""
        statuses = {name: State(status=NUMBER[on]) for name, on in self._serving.items()}
        return health_pb2.HealthListResponse(statuses=statuses)

    async def Watch(self, request: Any, context: Any) -> None:  # noqa: N802
        """Each change, but only the last of several that came while the client did not read."""
        changed = asyncio.Event()
        self._watching.add(changed)
        told = None
        try:
            while True:
                changed.clear()
                status = self._status(request.service)
                if status != told:
                    await context.write(State(status=status))
                    told = status
                await changed.wait()
        finally:
            self._watching.discard(changed)

    def _status(self, service: str) -> Any:
        serving = self._serving.get(service)
        return State.SERVICE_UNKNOWN if serving is None else NUMBER[serving]
