"""Large values are converted elsewhere, small ones at once."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from loki.errors import InvalidArgument
from loki.grpc_gateway.call.bulk import LARGE_BYTES, Bulk


@pytest.fixture
def workers() -> Iterator[list[str]]:
    """The names of those that were asked for."""
    yield (asked := [])
    assert asked in ([], ["values"])


@pytest.fixture
def bulk(workers: list[str]) -> Iterator[Bulk]:
    with ThreadPoolExecutor(1) as executor:

        def worker(name: str) -> Executor:
            workers.append(name)
            return executor

        shell: Any = SimpleNamespace(worker=worker)
        yield Bulk(shell)


def where(*given: int, more: int) -> tuple[int, str]:
    return sum(given) + more, threading.current_thread().name


def test_small_ones_need_no_thread(bulk: Bulk, workers: list[str]) -> None:
    own = threading.current_thread().name
    made = asyncio.run(bulk.convert(LARGE_BYTES, where, 1, 2, more=3))
    assert made == (6, own)
    assert workers == []


def test_large_ones_share_one(bulk: Bulk) -> None:
    async def both() -> list[tuple[int, str]]:
        return [await bulk.convert(LARGE_BYTES + 1, where, n, more=3) for n in (1, 2)]

    first, second = asyncio.run(both())
    assert (first[0], second[0]) == (4, 5)
    assert first[1] == second[1] != threading.current_thread().name


@pytest.mark.parametrize("size_bytes", [1, LARGE_BYTES + 1])
def test_what_is_wrong_is_told_wherever_it_shows(bulk: Bulk, size_bytes: int) -> None:
    def wrong() -> None:
        raise InvalidArgument("no value")

    with pytest.raises(InvalidArgument, match="no value"):
        asyncio.run(bulk.convert(size_bytes, wrong))


def test_others_get_their_turns_meanwhile(bulk: Bulk) -> None:
    """Were it not so, the large one would wait for ever."""

    async def scene() -> str:
        answered = threading.Event()
        large = asyncio.create_task(bulk.convert(LARGE_BYTES + 1, answered.wait))
        await asyncio.sleep(0)
        answered.set()
        await large
        return "both"

    assert asyncio.run(scene()) == "both"
