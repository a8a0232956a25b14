"""The asynchronous twin, while it waits; what else it does, `test_repeated_call` tries on both."""

import asyncio
from typing import Any

import pytest

from loki.client.async_repeated_call import AsyncRepeatedCall
from tests.unit.loki.client.test_repeated_call import Full, Waiting
from tests.unit.loki.conftest import TIMEOUT_S


class FakeCall:
    def __init__(self) -> None:
        self.cancelled = False

    async def read(self) -> Any:
        raise Full

    def cancel(self) -> None:
        self.cancelled = True


def test_whoever_cancels_while_it_waits_is_not_kept() -> None:
    async def scene() -> None:
        made: list[FakeCall] = []

        def begin(_timeout_s: float | None) -> FakeCall:
            made.append(FakeCall())
            return made[-1]

        retries = Waiting()
        call = AsyncRepeatedCall(begin, retries)
        reading = asyncio.create_task(call.read())
        while not retries.begun.is_set():
            await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert [each.cancelled for each in made] == [True]

    asyncio.run(asyncio.wait_for(scene(), TIMEOUT_S))
