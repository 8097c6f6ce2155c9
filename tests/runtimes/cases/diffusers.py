"""The contract test's case of the type ``diffusers``: a random checkpoint, as small as can be."""

from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deployments.adapter import RuntimeSpec
from deployments.runtimes.diffusers import DiffusersAdapter
from deployments.runtimes.diffusers.families.vocabulary import write_tokenizer
from models.task import Kind, Task
from tests.runtimes.cases import Case
from tests.runtimes.noise import ENLARGED, ENLARGED_BYTES, NOISE, noise
from tests.runtimes.world import at_work

torch = pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers")
transformers = pytest.importorskip("transformers")

CHANNELS = (8, 16)
WIDTH = 16


def save_checkpoint(folder: Path) -> None:
    """Write a pipeline of random weights in the layout of diffusers."""
    parts = {"vae": _vae(), "text_encoder": _encoder(), "unet": _unet()}
    write_tokenizer(folder / "tokenizer")
    tokenizer = transformers.CLIPTokenizer.from_pretrained(folder / "tokenizer")
    pipeline = diffusers.StableDiffusionPipeline(
        **parts,
        tokenizer=tokenizer,
        scheduler=diffusers.PNDMScheduler(skip_prk_steps=True, steps_offset=1),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(folder)


def _vae() -> Any:
    return diffusers.AutoencoderKL(
        block_out_channels=CHANNELS,
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=4,
        norm_num_groups=8,
    )


def _unet() -> Any:
    return diffusers.UNet2DConditionModel(
        sample_size=16,
        in_channels=4,
        out_channels=4,
        layers_per_block=1,
        block_out_channels=CHANNELS,
        norm_num_groups=8,
        attention_head_dim=4,
        cross_attention_dim=WIDTH,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
    )


def _encoder() -> Any:
    config = transformers.CLIPTextConfig(
        hidden_size=WIDTH,
        projection_dim=WIDTH,
        intermediate_size=2 * WIDTH,
        num_hidden_layers=2,
        num_attention_heads=2,
        bos_token_id=49_406,
        eos_token_id=49_407,
    )
    return transformers.CLIPTextModel(config)


def task(**content: Any) -> Task:
    size = {"width": 32, "height": 32, "steps": 2, "seed": 1}
    return Task(
        submission="s1",
        id="t1",
        runtime="tiny",
        kind=Kind.TEXT_TO_IMAGE,
        content={"prompt": "a tram"} | size | content,
    )


def fail(*_: Any) -> None:
    raise RuntimeError("CUDA error: an illegal memory access was encountered")


NEEDS: dict[tuple[str, ...], Task] = {
    ("base", "ink", "ESRGAN_4x"): task(
        prompt="a tram <lora:ink:0.8>",
        enable_hr=True,
        hr_upscaler="ESRGAN_4x",
        override_settings={"sd_model_checkpoint": "base"},
    ),
    ("ESRGAN_4x",): replace(
        task(), kind=Kind.EXTRA_SINGLE_IMAGE, content={"upscaler_1": "ESRGAN_4x"}
    ),
}


@asynccontextmanager
async def case(folder: Path) -> AsyncIterator[Case]:
    save_checkpoint(folder / "Stable-diffusion" / "tiny")
    options = {"device": "cpu", "threads": 1}
    spec = RuntimeSpec(name="tiny", dynamic=True, checkpoints=folder, options=options)
    with ExitStack() as hooks:

        def kill() -> None:
            made = torch.nn.modules.module.register_module_forward_pre_hook(fail)
            hooks.callback(made.remove)

        async with at_work(DiffusersAdapter(spec)) as adapter:
            yield Case(
                adapter=adapter,
                picture=task(),
                pictures=task(batch_size=2, n_iter=2),
                count=4,
                refused=(task(sampler_name="no such sampler"), task(batch_size=17)),
                missing=task(override_settings={"sd_model_checkpoint": "absent.safetensors"}),
                checkpoints=("tiny",),
                needs=NEEDS,
                needs_none=task(),
                long=task(steps=150, width=128, height=128),
                huge=replace(task(), kind=Kind.EXTRA_SINGLE_IMAGE, content=ENLARGED),
                huge_bytes=ENLARGED_BYTES,
                doomed=task(steps=150, width=128, height=128),
                kill=kill,
                last_words="the device failed",
                inputs={NOISE: noise()},
            )
