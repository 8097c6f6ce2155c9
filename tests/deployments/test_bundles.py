"""Bundles of a run's updates."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace

import pytest

from deployments.bundles import bundled
from models.errors import RuntimeUnavailable
from models.event import Update
from models.report import Progress, Stage

FIRST, SECOND = Progress(step=1, of=2), Progress(step=2, of=2)
EVER = 60.0


async def run(*acts: Update | float | Exception) -> AsyncGenerator[Update, None]:
    """Run that tells updates, pauses, or fails."""
    for act in acts:
        if isinstance(act, Exception):
            raise act
        if isinstance(act, float):
            await asyncio.sleep(act)
        else:
            yield act


async def test_progress_goes_with_what_follows() -> None:
    given = bundled(run(FIRST, Stage.RUNNING), EVER)

    assert [bundle async for bundle in given] == [(FIRST, Stage.RUNNING)]


async def test_of_progress_that_goes_together_there_is_only_the_newest() -> None:
    given = bundled(run(FIRST, SECOND, Stage.RUNNING), EVER)

    assert [bundle async for bundle in given] == [(SECOND, Stage.RUNNING)]


async def test_of_previews_that_go_together_there_is_only_the_newest() -> None:
    shown = [replace(FIRST, preview=b"1"), FIRST, replace(FIRST, preview=b"2"), FIRST, SECOND]
    given = bundled(run(*shown, Stage.RUNNING), EVER)

    assert [bundle async for bundle in given] == [(shown[2], SECOND, Stage.RUNNING)]


async def test_a_stage_goes_at_once() -> None:
    given = bundled(run(FIRST, 0.01, Stage.RUNNING, 0.01, SECOND), EVER)

    assert [bundle async for bundle in given] == [(FIRST, Stage.RUNNING), (SECOND,)]


async def test_progress_waits_from_its_own_telling_on() -> None:
    given = bundled(run(Stage.RUNNING, 0.1, FIRST, 0.05, SECOND, EVER), 0.1)

    assert [await anext(given), await anext(given)] == [(Stage.RUNNING,), (SECOND,)]
    await given.aclose()


async def test_progress_that_nothing_follows_goes_after_a_while() -> None:
    given = bundled(run(FIRST, EVER), 0.01)

    assert await anext(given) == (FIRST,)
    await given.aclose()


async def test_a_failure_is_raised_after_what_was_told() -> None:
    given = bundled(run(FIRST, RuntimeUnavailable("gone")), EVER)

    assert await anext(given) == (FIRST,)
    with pytest.raises(RuntimeUnavailable, match="gone"):
        await anext(given)


async def test_a_run_is_closed_with_its_bundles() -> None:
    closed = asyncio.Event()

    async def endless() -> AsyncGenerator[Update, None]:
        try:
            yield Stage.RUNNING
            await asyncio.Event().wait()
        finally:
            closed.set()

    given = bundled(endless(), EVER)
    await anext(given)
    await given.aclose()

    assert closed.is_set()
