"""A world of lanes, on both kinds of loop."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.loki.actors.door.world import AsyncioDriver, Driver, InlineDriver, World


@pytest.fixture(params=[AsyncioDriver, InlineDriver], ids=["asyncio", "inline"])
def driver(request: pytest.FixtureRequest) -> Iterator[Driver]:
    made = request.param()
    yield made
    made.close()


@pytest.fixture
def world(tmp_path: Path, driver: Driver) -> Iterator[World]:
    made = World(tmp_path, driver)
    yield made
    made.close_all()
