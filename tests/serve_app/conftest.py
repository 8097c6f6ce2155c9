"""Fixtures: a world for each test, and a client of its HTTP APIs."""

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.serve_app.world import World


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    yield made
    await made.feed.close()


@pytest.fixture
async def client(world: World) -> AsyncIterator[httpx.AsyncClient]:
    async with world.client() as made:
        yield made
