"""Which calls a stop waits for."""

import asyncio
from typing import Any

from loki.grpc_gateway.call.under_way import UnderWay
from tests.unit.loki.conftest import TIMEOUT_S


class FakeContext:
    def __init__(self) -> None:
        self.callbacks: list[Any] = []

    def add_done_callback(self, callback: Any) -> None:
        self.callbacks.append(callback)

    def finish(self) -> None:
        for callback in self.callbacks:
            callback(self)


def begun(calls: UnderWay) -> FakeContext:
    context = FakeContext()
    calls.begin(context)
    return context


def test_it_is_over_when_every_answer_has_left() -> None:
    async def scene() -> None:
        calls = UnderWay()
        assert await calls.over(0)
        first, second = begun(calls), begun(calls)
        first.finish()
        assert not await calls.over(0)
        waiting = asyncio.create_task(calls.over(TIMEOUT_S))
        await asyncio.sleep(0)
        second.finish()
        assert await waiting

    asyncio.run(scene())


def test_what_begins_after_the_stop_is_not_waited_for() -> None:
    async def scene() -> None:
        calls = UnderWay()
        early = begun(calls)
        calls.close()
        late = begun(calls)
        assert not await calls.over(0)
        early.finish()
        assert await calls.over(0)
        late.finish()
        assert await calls.over(0)

    asyncio.run(scene())
