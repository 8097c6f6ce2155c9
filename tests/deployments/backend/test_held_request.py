"""A request goes out before its turn, and begins only with its turn."""

import asyncio
from typing import Any

import pytest

from deployments.backend import held_request
from models.task import Kind
from tests.runtimes.sdwebui.double import WebUi
from tests.runtimes.sdwebui.world import LONG, driving, png, task
from tests.runtimes.world import run

LINK = "https://example.com/a.png"


class Heard(WebUi):
    """Counts the requests whose headers have come."""

    heard = 0

    async def api(self, request: Any) -> Any:
        self.heard += request.url.path.endswith("2img")
        return await super().api(request)


def posted(web_ui: WebUi, *paths: str) -> list[str]:
    return [path for path, _ in web_ui.asked if path in paths]


async def until_heard(web_ui: Heard, count: int) -> None:
    async with asyncio.timeout(5):
        while web_ui.heard < count:
            await asyncio.sleep(0.001)


async def test_a_task_that_is_cancelled_while_it_waits_never_begins_nor_disturbs_another() -> None:
    web_ui = Heard()
    async with driving(web_ui) as adapter:
        running = asyncio.create_task(run(adapter, task(seed=1, steps=50)))
        await until_heard(web_ui, 1)
        waiting = asyncio.create_task(run(adapter, task(seed=2)))
        await until_heard(web_ui, 2)
        waiting.cancel()
        await asyncio.wait([waiting])
        done = await running
        await run(adapter, task(seed=3))

    assert waiting.cancelled()
    assert len(done.pictures) == 1
    assert [body["seed"] for path, body in web_ui.asked if path == "txt2img"] == [1, 3]
    assert posted(web_ui, "interrupt") == []


async def test_it_begins_when_the_one_before_has_ended() -> None:
    web_ui = Heard()
    async with driving(web_ui) as adapter:
        running = asyncio.create_task(run(adapter, task(**LONG)))
        await until_heard(web_ui, 1)
        image = task(Kind.IMAGE_TO_IMAGE, init_images=[LINK])
        waiting = asyncio.create_task(run(adapter, image, {LINK: png("red", (512, 512))}))
        await until_heard(web_ui, 2)
        before = posted(web_ui, "txt2img", "img2img")
        running.cancel()
        done = await waiting

    assert before == ["txt2img"]
    assert len(done.pictures) == 1
    assert posted(web_ui, "txt2img", "img2img") == ["txt2img", "img2img"]


async def test_one_that_waits_for_long_is_sent_anew_with_its_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(held_request, "_HELD_SECONDS", 0.05)
    web_ui = Heard()
    async with driving(web_ui) as adapter:
        running = asyncio.create_task(run(adapter, task(seed=1, steps=50)))
        await until_heard(web_ui, 1)
        waiting = asyncio.create_task(run(adapter, task(seed=2)))
        await asyncio.gather(running, waiting)

    assert web_ui.heard == 3
    assert [body["seed"] for path, body in web_ui.asked if path == "txt2img"] == [1, 2]
