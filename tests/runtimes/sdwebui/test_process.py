"""The server as a process of the replica's own: started, warmed up, watched, its death told."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from deployments.adapter import RuntimeSpec
from deployments.runtimes.sdwebui import SdWebUiAdapter
from models.errors import RuntimeUnavailable, SettingsError
from tests.runtimes.sdwebui.double import WebUi
from tests.runtimes.sdwebui.serving import serving
from tests.runtimes.sdwebui.world import LONG, driving, run, task

ROOT = Path(__file__).parents[3]
COMMAND = (sys.executable, "-m", "tests.runtimes.sdwebui.double")


@asynccontextmanager
async def started(**options: Any) -> AsyncIterator[SdWebUiAdapter]:
    backend = {"command": COMMAND, "folder": str(ROOT), "stopSeconds": 5}
    options = {"backend": backend, "progressEvery": 0.02} | options
    adapter = SdWebUiAdapter(RuntimeSpec(name="web", options=options))
    try:
        await adapter.ready()
        yield adapter
    finally:
        await adapter.close()


def servers() -> list[psutil.Process]:
    return [
        child
        for child in psutil.Process().children(recursive=True)
        if "tests.runtimes.sdwebui.double" in child.cmdline()
    ]


async def test_it_is_started_used_and_ended() -> None:
    async with started() as adapter:
        done = await run(adapter, task())
        await adapter.check()
        assert servers()

    assert len(done.pictures) == 1
    assert not servers()


async def test_a_server_that_dies_in_the_midst_is_for_another_try_elsewhere() -> None:
    async with started() as adapter:
        steps = adapter.run(task(**LONG), {})
        await anext(steps)
        servers()[-1].kill()
        with pytest.raises(RuntimeUnavailable, match="SIGKILL"):
            [step async for step in steps]
        with pytest.raises(RuntimeUnavailable, match="SIGKILL"):
            await adapter.check()


async def test_a_server_that_does_not_start_says_why() -> None:
    backend = {"command": (*COMMAND, "--no-such-flag"), "folder": str(ROOT)}
    with pytest.raises(RuntimeUnavailable, match=r"(?s)exit code 2.*--no-such-flag"):
        async with started(backend=backend):
            pass


async def test_a_warm_up_is_run_before_the_first_task() -> None:
    web_ui = WebUi()
    async with driving(web_ui, checkpoint="second", warmUp={"prompt": "warm", "steps": 1}):
        paths = [path for path, _ in web_ui.asked if path in ("options", "txt2img")]

        assert paths == ["options", "txt2img"]
        assert dict(web_ui.asked)["txt2img"]["prompt"] == "warm"


async def test_a_warm_up_that_is_refused_is_told() -> None:
    with pytest.raises(RuntimeUnavailable, match=r"warmUp was refused: .*sampler_name"):
        async with driving(WebUi(), warmUp={"sampler_name": "absent"}):
            pass


async def test_a_server_with_a_password_is_given_it() -> None:
    async with driving(WebUi(auth="me:pass:word"), auth="me:pass:word") as adapter:
        assert (await run(adapter, task())).pictures


@pytest.mark.parametrize("auth", [None, "me:wrong"])
async def test_a_wrong_password_is_a_setting_that_is_wrong(auth: str | None) -> None:
    with pytest.raises(SettingsError, match=r"options.auth"):
        async with driving(WebUi(auth="me:password"), auth=auth):
            pass


async def test_a_server_that_goes_away_ends_the_replica() -> None:
    async with serving(WebUi().app) as url:
        adapter = SdWebUiAdapter(RuntimeSpec(name="web", options={"backend": {"url": url}}))
        await adapter.ready()
    with pytest.raises(RuntimeUnavailable, match="the server broke off"):
        await run(adapter, task())
    with pytest.raises(RuntimeUnavailable, match="the server broke off"):
        await adapter.check()

    await adapter.close()
