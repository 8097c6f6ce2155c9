"""Progress: of the whole graph, in order, with previews."""

from tests.runtimes.comfyui.double import ComfyUi
from tests.runtimes.comfyui.world import driving, picture, sampled, task
from tests.runtimes.world import colour, run


async def test_a_samplers_steps_are_told_with_previews() -> None:
    async with driving(ComfyUi()) as adapter:
        done = await run(adapter, task(sampled(30)))

    previews = [step.preview for step in done.progress if step.preview]
    assert {step.of for step in done.progress} == {32}
    assert done.progress[-1].step == 32
    assert previews
    assert {colour(one) for one in previews} <= {(0, 0, step) for step in range(1, 31)}


async def test_previews_can_be_switched_off() -> None:
    async with driving(ComfyUi(), previews=False) as adapter:
        done = await run(adapter, task(sampled(30)))

    assert any(1 < step.step < step.of for step in done.progress)
    assert not any(step.preview for step in done.progress)


async def test_the_last_messages_of_one_prompt_do_not_end_the_next() -> None:
    comfyui = ComfyUi()
    async with driving(comfyui) as adapter:
        comfyui.faults.hold_trailers = True
        first = await run(adapter, task(picture(1)))
        second = await run(adapter, task(sampled(5), "s2"))

    assert (first.colours, second.colours) == ([(0, 0, 1)], [(255, 0, 0)])
