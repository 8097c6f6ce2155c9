"""Checkpoint that a task gets, by any of its names, and the error if it gets another."""

import asyncio
import json
from typing import Any

import pytest

from models.errors import SettingsError, TaskFailed
from models.task import Kind
from tests.runtimes.sdwebui.double import WebUi
from tests.runtimes.sdwebui.world import driving, png, task
from tests.runtimes.world import run

BOTH = "there is: first.safetensors.*, sub/second.safetensors"


def switched(web_ui: WebUi) -> list[str]:
    return [body["sd_model_checkpoint"] for path, body in web_ui.asked if path == "options"]


async def test_the_runtimes_own_is_current_once_it_is_ready() -> None:
    web_ui = WebUi()
    async with driving(web_ui, checkpoint="second.safetensors", dynamic=False) as adapter:
        assert web_ui.current.startswith("sub/second.safetensors")

        await run(adapter, task())
        assert adapter.checkpoint == "second.safetensors"
        assert len(switched(web_ui)) == 1


async def test_a_checkpoint_that_the_server_lacks_is_a_setting_that_is_wrong() -> None:
    with pytest.raises(SettingsError, match=f"modelFilename: .*'third'; {BOTH}"):
        async with driving(WebUi(), checkpoint="third"):
            pass


@pytest.mark.parametrize(
    "name",
    [
        "sub/second.safetensors",
        "second.safetensors",
        "second",
        "sub/second",
        "sub_second",
        "second.safetensors [0123456789]",
        "sub/second.safetensors [01234567]",
    ],
)
async def test_a_task_may_use_any_of_its_names(name: str) -> None:
    web_ui = WebUi()
    async with driving(web_ui) as adapter:
        await run(adapter, task(alwayson_scripts={"sd_model_checkpoint": name}))
        await run(adapter, task(override_settings={"sd_model_checkpoint": name}))

        assert web_ui.current.startswith("sub/second.safetensors [")
        assert adapter.checkpoint == name
    assert switched(web_ui) == ["sub/second.safetensors"]


async def test_a_title_is_still_known_after_it_grew_a_hash() -> None:
    web_ui = WebUi()
    async with driving(web_ui, checkpoint="first", dynamic=False) as adapter:
        own = web_ui.current
        await run(adapter, task(override_settings={"sd_model_checkpoint": own}))
        await run(adapter, task(override_settings={"sd_model_checkpoint": "first.safetensors"}))

        with pytest.raises(TaskFailed, match=r"runtime web has 'first.safetensors.*only"):
            await run(adapter, task(override_settings={"sd_model_checkpoint": "second"}))


async def test_a_task_that_names_none_gets_the_runtimes_own_again() -> None:
    web_ui = WebUi()
    async with driving(web_ui, checkpoint="first") as adapter:
        await run(adapter, task(override_settings={"sd_model_checkpoint": "second"}))
        await run(adapter, task())

        assert web_ui.current.startswith("first")


async def test_a_dynamic_runtime_without_its_own_keeps_the_servers() -> None:
    web_ui = WebUi()
    async with driving(web_ui) as adapter:
        await run(adapter, task(alwayson_scripts={}))
        assert not switched(web_ui)

        await run(adapter, task(override_settings={"sd_model_checkpoint": "second"}))
        await run(adapter, task())
        assert adapter.checkpoint == "sub/second.safetensors"
    assert len(switched(web_ui)) == 1


async def test_a_checkpoint_that_is_new_on_the_disk_is_found() -> None:
    web_ui = WebUi()
    async with driving(web_ui) as adapter:
        web_ui.disk.append("third.safetensors")
        await run(adapter, task(override_settings={"sd_model_checkpoint": "third"}))

    assert web_ui.current.startswith("third")


async def test_a_missing_one_is_told_after_one_refresh() -> None:
    web_ui = WebUi()
    async with driving(web_ui) as adapter:
        before = len(web_ui.asked)
        with pytest.raises(TaskFailed, match=f"no checkpoint 'third'; {BOTH}"):
            await run(adapter, task(override_settings={"sd_model_checkpoint": "third"}))

    assert [path for path, _ in web_ui.asked[before:]] == ["refresh-checkpoints"]


async def test_a_server_that_did_not_load_it_is_found_out() -> None:
    web_ui = WebUi()
    async with driving(web_ui, checkpoint="first") as adapter:
        web_ui.faults.keeps_checkpoint = True
        with pytest.raises(TaskFailed, match=r"did not load 'sub/second.*it kept 'first"):
            await run(adapter, task(override_settings={"sd_model_checkpoint": "second"}))

        assert (await run(adapter, task())).pictures


async def test_a_picture_by_another_checkpoint_is_refused_and_the_next_is_right() -> None:
    web_ui = WebUi()
    async with driving(web_ui, checkpoint="second") as adapter:
        web_ui.faults.draws_with = {"sd_model_name": "first"}
        with pytest.raises(TaskFailed, match="drew with the checkpoint 'first', not 'sub/second"):
            await run(adapter, task())
        web_ui.faults.draws_with = {}

        assert (await run(adapter, task())).pictures
        assert len(switched(web_ui)) == 2


async def test_upscaling_needs_no_checkpoint() -> None:
    web_ui = WebUi()
    async with driving(web_ui, checkpoint="first") as adapter:
        before = len(switched(web_ui))
        image = {"https://x/a.png": png()}
        await run(adapter, task(Kind.EXTRA_SINGLE_IMAGE, image="https://x/a.png"), image)

    assert len(switched(web_ui)) == before


async def test_after_a_load_that_was_left_nobody_knows_what_the_server_has() -> None:
    web_ui = WebUi()
    async with driving(web_ui, checkpoint="first") as adapter:
        second = task(override_settings={"sd_model_checkpoint": "second"})
        loading = asyncio.create_task(run(adapter, second))
        while len(switched(web_ui)) < 2:
            await asyncio.sleep(0.001)
        loading.cancel()
        await asyncio.wait([loading])
        await run(adapter, task())

    assert len(switched(web_ui)) == 3


async def test_it_is_not_changed_while_a_picture_is_drawn() -> None:
    class Watching(WebUi):
        drew = False

        def _set(self, options: dict[str, Any]) -> None:
            self.drew = self.drew or bool(self.state.job)
            super()._set(options)

    web_ui, names = Watching(), ["first", "second"] * 3
    async with driving(web_ui) as adapter:
        tasks = [task(override_settings={"sd_model_checkpoint": name}) for name in names]
        done = await asyncio.gather(*(run(adapter, one) for one in tasks))

    assert [json.loads(one.body["info"])["sd_model_name"] for one in done] == names
    assert len(switched(web_ui)) > 1
    assert not web_ui.drew


async def test_a_bound_runtime_without_its_own_has_what_the_server_has() -> None:
    async with driving(WebUi(), dynamic=False) as adapter:
        await run(adapter, task(override_settings={"sd_model_checkpoint": "first"}))
        with pytest.raises(TaskFailed, match=r"has 'first.safetensors.*' only"):
            await run(adapter, task(override_settings={"sd_model_checkpoint": "second"}))
