"""LoRAs, applied for one picture and gone for the next."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from models.errors import TaskFailed
from tests.runtimes.diffusers import weights
from tests.runtimes.diffusers.conftest import Ask


async def test_a_lora_changes_its_picture_and_no_other(ask: Ask) -> None:
    before = (await ask()).pixels
    applied = (await ask(prompt="a tram <lora:bold:1>")).pixels
    after = (await ask()).pixels

    assert (applied != before).any()
    assert (after == before).all()


async def test_a_weight_of_nothing_is_the_checkpoint_alone(ask: Ask) -> None:
    assert ((await ask(prompt="a tram<lora:bold:0>")).pixels == (await ask()).pixels).all()


async def test_a_weight_counts(ask: Ask) -> None:
    some, more = [(await ask(prompt=f"a tram <lora:bold:{w}>")).pixels for w in (0.3, 0.9)]

    assert (some != more).any()


async def test_two_at_half_are_one(ask: Ask, folder: Path) -> None:
    weights.kohya_lora(folder / "Lora" / "twin.safetensors")
    both = await ask(prompt="a tram <lora:bold:0.5> <lora:twin:0.5>")
    one = await ask(prompt="a tram <lora:bold:1>")
    (folder / "Lora" / "twin.safetensors").unlink()

    assert abs(both.pixels - one.pixels).max() <= 1


async def test_its_text_half_counts_too(ask: Ask, folder: Path) -> None:
    """Files of kohya's trainer name the text encoder's layers by an older layout."""
    weights.kohya_lora(folder / "Lora" / "mute.safetensors", text=False)
    mute = await ask(prompt="a tram <lora:mute:1>")
    whole = await ask(prompt="a tram <lora:bold:1>")
    (folder / "Lora" / "mute.safetensors").unlink()

    assert (mute.pixels != whole.pixels).any()


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k", 99),
        ("lora_unet_nothing_of_the_sort", 32),
    ],
)
async def test_a_lora_for_another_checkpoint_is_refused_and_the_next_picture_is_clean(
    ask: Ask, folder: Path, name: str, shape: int
) -> None:
    before = (await ask()).pixels
    tensors = {
        f"{name}.lora_down.weight": torch.randn(2, shape),
        f"{name}.lora_up.weight": torch.randn(shape, 2),
    }
    save_file(tensors, folder / "Lora" / "odd.safetensors")
    with pytest.raises(TaskFailed, match=r"LoRA 'odd' .*'tiny'"):
        await ask(prompt="a tram <lora:bold:1> <lora:odd:1>")
    (folder / "Lora" / "odd.safetensors").unlink()

    assert ((await ask()).pixels == before).all()
