"""A whole system of small actors in this process, seen from its starter."""

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any

import msgspec
from lane_actor import Echo
from supervised import supervised

from loki.actors.door.door import Door
from loki.actors.start.system import Instance, System
from loki.errors import LokiError
from loki.messages.lifecycle import ChildStatus, DescribeChildren
from loki.messages.tree import ActorPlan
from tests.conftest import ended

HERE = Path(__file__).parent
GONE_WITHIN_S = 10.0
ANSWER_S = 30.0


Roles = dict[str, str]
USUAL: Roles = {"echo": "Server", "async": "AsyncServer", "keeper": "Keeper"}


def gone(pids: Iterable[int], within_s: float = GONE_WITHIN_S) -> bool:
    """Whether all of these processes end in time."""
    end_s = time.monotonic() + within_s
    return all(ended(pid, max(0.0, end_s - time.monotonic())) for pid in pids)


async def soon(true: Callable[[], Coroutine[Any, Any, bool]], within_s: float = ANSWER_S) -> None:
    end = time.monotonic() + within_s
    while not await true():
        assert time.monotonic() < end, "it never happened"
        await asyncio.sleep(0.002)


class Running:
    """A system in this process, seen from its starter."""

    def __init__(self, system: System, instance: Instance) -> None:
        self.system = system
        self.instance = instance
        assert system._door is not None
        self.door: Door = system._door

    async def children(self) -> dict[str, ChildStatus]:
        listed = await self.door.ask("loki", DescribeChildren(), timeout_s=ANSWER_S)
        return {child.name: child for child in listed.children}

    async def pid(self, name: str) -> int:
        return (await self.children())[name].pid

    async def answers(self, name: str) -> bool:
        with contextlib.suppress(LokiError):
            await self.door.ask(name, Echo(), timeout_s=ANSWER_S)
            return True
        return False


def live(
    state_dir: Path,
    test: Callable[[Running], Coroutine[Any, Any, None]],
    roles: Roles | None = None,
    start_timeout_s: float = 10.0,
) -> None:
    """Boot, test, stop; then nothing of it is left."""
    instance = Instance(state_dir)
    run_dir = str(instance.run_dir)
    config = msgspec.Raw(msgspec.msgpack.encode(run_dir))
    actors = tuple(
        ActorPlan(name=name, role=f"lane_actor:{role}", config=config)
        for name, role in (USUAL if roles is None else roles).items()
    )
    system = System(instance, supervised(actors, run_dir, start_timeout_s))
    system.boot()

    async def main() -> None:
        system.connect()
        try:
            await system.up()
            await test(Running(system, instance))
        finally:
            seen.extend(instance.ledger.pids)
            await system.stop(2.0)

    seen: list[int] = []
    descriptors = set(os.listdir("/proc/self/fd"))
    asyncio.run(main())
    assert gone(seen)
    assert not instance.run_dir.exists()
    assert len(os.listdir("/proc/self/fd")) <= len(descriptors)
