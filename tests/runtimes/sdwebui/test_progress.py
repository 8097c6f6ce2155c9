"""Progress of a task, from either of the two paths where a server tells it."""

import io
from typing import Any

import pytest
from PIL import Image

from deployments.runtimes.sdwebui.progress import ProgressPoller
from deployments.runtimes.sdwebui.server import Server
from tests.runtimes.sdwebui.double import WebUi
from tests.runtimes.sdwebui.double_state import State
from tests.runtimes.sdwebui.world import driving, task
from tests.runtimes.world import Done, run
from tests.serving import served

# Each of 20 looks or more, and a job before it with other steps.
SLOW: dict[str, Any] = {"steps": 20, "n_iter": 2}


async def slowly(web_ui: WebUi, **options: Any) -> Done:
    async with driving(web_ui, **options) as adapter:
        await run(adapter, task(steps=3))
        return await run(adapter, task(**SLOW))


@pytest.mark.parametrize("page", [True, False])
async def test_it_rises_through_all_pictures_to_its_end(page: bool) -> None:
    done = await slowly(WebUi(page=page))
    steps = [told.step for told in done.progress]

    assert steps == sorted(set(steps))
    assert (steps[-1], {told.of for told in done.progress}) == (100, {100})
    assert [step for step in steps if 0 < step < 50]
    assert [step for step in steps if 50 < step < 100]


async def looked(web_ui: WebUi, **state: Any) -> list[int | None]:
    """Poll a server in this state twice, and return the steps."""
    web_ui.state = State(job="scripts_txt2img", **state)
    async with served(web_ui.app) as url:
        server = Server(url)
        poller = ProgressPoller(server, None, 0)
        told = [await poller.poll() for _ in range(2)]
        await server.close()
    return [one.step if one else None for one in told]


@pytest.mark.parametrize(
    ("state", "step"),
    [
        ({"job_count": -1, "sampling_steps": 3}, None),
        ({"job_count": 2, "sampling_steps": 3}, 0),
        ({"job_count": 2, "sampling_steps": 10, "sampling_step": 5}, 25),
        ({"job_count": 2, "job_no": 1, "sampling_steps": 10, "sampling_step": 5}, 75),
        ({"job_count": 1, "sampling_steps": 3, "sampling_step": 9}, 99),
        ({"job_count": 1, "sampling_step": 1}, 99),
        ({"job_count": 0, "sampling_steps": 3, "sampling_step": 3}, None),
    ],
)
async def test_a_look_says_each_step_once_and_nothing_of_the_job_before(
    state: dict[str, int], step: int | None
) -> None:
    assert await looked(WebUi(page=False), **state) == [step, None]


async def test_a_server_with_a_page_is_asked_for_the_task_by_its_name() -> None:
    web_ui = WebUi()
    async with driving(web_ui) as adapter:
        first = await run(adapter, task())
        second = await run(adapter, task())
        own = await run(adapter, task(force_task_id="mine"))
    names = [done.body["parameters"]["force_task_id"] for done in (first, second, own)]

    assert len(set(names)) == 3
    assert names[2] == "mine"


async def test_a_server_that_knows_no_names_tells_all_the_same() -> None:
    class Older(WebUi):
        async def own_progress(self, request: Any) -> Any:
            del request
            return {"active": False, "queued": False, "completed": False}

    done = await slowly(Older())

    assert len(done.progress) > 2


@pytest.mark.parametrize("page", [True, False])
async def test_previews_are_small_pictures(page: bool) -> None:
    done = await slowly(WebUi(page=page), previewEvery=0.01)
    previews = [told.preview for told in done.progress if told.preview]
    image = Image.open(io.BytesIO(previews[0]))

    assert (image.format, max(image.size) <= 256) == ("JPEG", True)


@pytest.mark.parametrize("page", [True, False])
async def test_previews_can_be_switched_off(page: bool) -> None:
    done = await slowly(WebUi(page=page), previewEvery=0)

    assert not [told for told in done.progress if told.preview]


async def test_previews_come_no_more_often_than_they_may() -> None:
    done = await slowly(WebUi(), previewEvery=60)

    assert len([told for told in done.progress if told.preview]) == 1


async def test_a_task_whose_progress_cannot_be_had_is_done_all_the_same() -> None:
    web_ui = WebUi(page=False)
    web_ui.faults.hidden = frozenset({"/sdapi/v1/progress"})
    done = await slowly(web_ui)

    assert [told.step for told in done.progress] == [100]
    assert len(done.pictures) == 2
