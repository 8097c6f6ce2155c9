"""Names that the server would silently take for others are caught before, or after."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from deployments.runtimes.sdwebui import SdWebUiAdapter
from models.errors import TaskFailed
from models.task import Kind
from tests.runtimes.sdwebui.double import WebUi
from tests.runtimes.sdwebui.world import driving, task
from tests.runtimes.world import run

API = "/sdapi/v1"


@dataclass(frozen=True)
class Driven:
    adapter: SdWebUiAdapter
    web_ui: WebUi

    async def sent(self, **content: Any) -> dict[str, Any]:
        """Return the body of the request that a task becomes."""
        self.web_ui.asked.clear()
        await run(self.adapter, task(**content))
        body: dict[str, Any] = dict(self.web_ui.asked)["txt2img"]
        return body


@pytest.fixture(scope="module")
async def driven() -> AsyncIterator[Driven]:
    web_ui = WebUi()
    async with driving(web_ui) as adapter:
        yield Driven(adapter, web_ui)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"sampler_name": "Eular"}, "sampler_name: no 'Eular'; there is: DPM\\+\\+ 2M, Euler a"),
        ({"sampler_index": "Eular"}, "sampler_index: no 'Eular'"),
        ({"sampler_name": "Euler", "scheduler": "Beta"}, "scheduler: no 'Beta'; .*Karras"),
        ({"enable_hr": True, "hr_upscaler": "4x"}, "hr_upscaler: no '4x'; .*4x-Ultra.*Latent"),
        ({"enable_hr": True, "hr_sampler_name": "x"}, "hr_sampler_name: no 'x'"),
        ({"enable_hr": True, "hr_scheduler": "x"}, "hr_scheduler: no 'x'"),
    ],
)
async def test_an_unknown_name_fails_before_anything_is_drawn(
    driven: Driven, content: Any, told: str
) -> None:
    with pytest.raises(TaskFailed, match=told):
        await driven.sent(**content)

    assert not driven.web_ui.asked


@pytest.mark.parametrize(
    ("content", "spelt"),
    [
        ({"sampler_name": "k_euler_a"}, {"sampler_name": "Euler a"}),
        ({"sampler_name": "dpm++ 2m"}, {"sampler_name": "DPM++ 2M"}),
        ({"scheduler": "sgm_uniform"}, {"scheduler": "SGM Uniform"}),
        (
            {"sampler_name": "DPM++ 2M Karras", "scheduler": "Automatic"},
            {"sampler_name": "DPM++ 2M", "scheduler": "Karras"},
        ),
        (
            {"enable_hr": True, "hr_sampler_name": "Euler a karras", "hr_upscaler": "latent"},
            {"hr_sampler_name": "Euler a", "hr_scheduler": "Karras", "hr_upscaler": "Latent"},
        ),
        ({"sampler_name": None, "sampler_index": "euler"}, {"sampler_index": "Euler"}),
        ({"sampler_name": "Euler", "sampler_index": "unused"}, {"sampler_index": "unused"}),
        ({"hr_upscaler": "unused"}, {"hr_upscaler": "unused"}),
        ({"enable_hr": True, "hr_sampler_name": "Use same sampler"}, {}),
    ],
)
async def test_a_known_name_goes_out_as_the_server_spells_it(
    driven: Driven, content: Any, spelt: Any
) -> None:
    body = await driven.sent(**content)

    assert body == body | spelt


async def test_a_name_that_is_new_since_is_found() -> None:
    web_ui = WebUi()
    async with driving(web_ui) as adapter:
        await run(adapter, task(sampler_name="Euler"))
        web_ui.samplers = {**web_ui.samplers, "Restart": ()}

        assert (await run(adapter, task(sampler_name="Restart"))).pictures


@pytest.mark.parametrize("field", ["upscaler_1", "upscaler_2"])
async def test_an_unknown_upscaler_is_told(driven: Driven, field: str) -> None:
    one = task(Kind.EXTRA_SINGLE_IMAGE, image="x", **{field: "8x-Absent"})
    with pytest.raises(TaskFailed, match=f"{field}: no '8x-Absent'; there is: None, Lanczos"):
        await run(driven.adapter, one)


async def test_a_server_without_the_lists_draws_what_it_is_asked() -> None:
    web_ui = WebUi()
    web_ui.faults.hidden = frozenset({f"{API}/samplers", f"{API}/schedulers"})
    async with driving(web_ui) as adapter:
        body = await Driven(adapter, web_ui).sent(sampler_name="Euler", scheduler="Karras")

    assert (body["sampler_name"], body["scheduler"]) == ("Euler", "Karras")


async def test_another_sampler_than_asked_is_seen_afterwards() -> None:
    web_ui = WebUi()
    web_ui.faults.hidden = frozenset({f"{API}/samplers"})
    async with driving(web_ui) as adapter:
        with pytest.raises(TaskFailed, match=r"drew with the sampler 'DPM.. 2M', not 'Eular'"):
            await run(adapter, task(sampler_name="Eular"))
