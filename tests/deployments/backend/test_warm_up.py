from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from deployments.adapter import RuntimeSpec
from deployments.backend.warm_up import warm_up
from deployments.runtimes.fake import FakeAdapter
from models.errors import RuntimeUnavailable, SettingsError
from models.task import Kind
from tests.deployments.small_adapter import SmallAdapter, options


@asynccontextmanager
async def ready(**given: Any) -> AsyncIterator[SmallAdapter]:
    adapter = SmallAdapter(RuntimeSpec(name="small", options=options(memoryMib=150) | given))
    try:
        await adapter.ready()
        yield adapter
    finally:
        await adapter.close()


async def test_a_warm_up_has_run_when_a_replica_is_ready() -> None:
    async with ready(warmUp={"get": "/leak/200"}) as adapter:
        assert adapter.is_bloated()


async def test_without_one_nothing_has_run() -> None:
    async with ready() as adapter:
        assert not adapter.is_bloated()


async def test_a_warm_up_loads_the_checkpoint_that_it_asks_for() -> None:
    adapter = FakeAdapter(RuntimeSpec(name="r"))

    await warm_up(adapter, Kind.TEXT_TO_IMAGE, {"checkpoint": "a.safetensors"})

    assert adapter.checkpoint == "a.safetensors"


async def test_a_warm_up_that_is_refused_is_told_by_its_key() -> None:
    adapter = FakeAdapter(RuntimeSpec(name="r"))

    with pytest.raises(RuntimeUnavailable, match=r"options\.warmUp was refused: no such sampler"):
        await warm_up(adapter, Kind.TEXT_TO_IMAGE, {"fail": "no such sampler"})


def test_options_without_a_backend_are_refused() -> None:
    with pytest.raises(SettingsError, match=r"options\.backend"):
        SmallAdapter(RuntimeSpec(name="small"))
