"""The server as a process of the replica's own: started, warmed up, watched, its death told."""

import asyncio
from typing import Any

import pytest

from deployments.adapter import RuntimeSpec
from deployments.runtimes.sdwebui import SdWebUiAdapter
from models.errors import RuntimeUnavailable, SettingsError
from tests.runtimes.sdwebui.double import WebUi
from tests.runtimes.sdwebui.real import options
from tests.runtimes.sdwebui.world import driving, task
from tests.runtimes.world import at_work, backends, children, run
from tests.serving import served


def made(**process: Any) -> SdWebUiAdapter:
    return SdWebUiAdapter(RuntimeSpec(name="web", options=options(**process)))


async def test_fifty_tasks_in_a_row_each_give_their_own_picture() -> None:
    before = children()
    async with at_work(made()) as adapter:
        slots = asyncio.Semaphore(adapter.slots)

        async def one(seed: int) -> bytes:
            async with slots:
                done = await run(adapter, task(seed=seed, steps=1, width=64, height=64))
            assert done.body["parameters"]["image_seed"] == str(seed)
            return done.pictures[0]

        pictures = await asyncio.gather(*map(one, range(1, 51)))
        assert backends(before)

    assert len(set(pictures)) == 50
    assert not backends(before)


async def test_a_server_that_does_not_start_says_why() -> None:
    command = [*options()["backend"]["command"], "--no-such-flag"]
    with pytest.raises(RuntimeUnavailable, match=r"(?s)exit code 2.*--no-such-flag"):
        async with at_work(made(command=command)):
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
    async with served(WebUi().app) as url:
        adapter = SdWebUiAdapter(RuntimeSpec(name="web", options={"backend": {"url": url}}))
        await adapter.ready()
    with pytest.raises(RuntimeUnavailable, match="the server broke off"):
        await run(adapter, task())
    with pytest.raises(RuntimeUnavailable, match="the server broke off"):
        await adapter.check()

    await adapter.close()
