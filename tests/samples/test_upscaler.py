"""The sample upscaler gives sharper edges than Lanczos does, under ESRGAN's own names."""

from __future__ import annotations

import math
from pathlib import Path
from random import Random

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file

from deployments.runtimes.diffusers.rrdb import Rrdb, read_rrdb
from samples.shapes.caption import imagine
from samples.shapes.draw import draw
from samples.shapes.upscaler import esrgan_name, new_upscaler

FILE = Path(__file__).parents[2] / "samples" / "models" / "ESRGAN" / "4x-shapes.safetensors"


def _psnr(these: Image.Image, those: Image.Image) -> float:
    difference = np.asarray(these, np.float64) - np.asarray(those, np.float64)
    return 10 * math.log10(255**2 / float((difference**2).mean()))


def _enlarged(upscaler: Rrdb, image: Image.Image) -> Image.Image:
    picture = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None] / 255
    with torch.inference_mode():
        larger = (upscaler(picture)[0].clamp(0, 1) * 255).round().to(torch.uint8)
    return Image.fromarray(larger.permute(1, 2, 0).numpy())


def test_the_upscaler_comes_closer_than_lanczos_to_scenes_drawn_large() -> None:
    upscaler = read_rrdb(FILE)
    rng = Random(21)
    for _ in range(4):
        scene = imagine(rng).scene
        small, large = draw(scene, 64), draw(scene, 256)
        plain = small.resize(large.size, Image.Resampling.LANCZOS)

        assert _psnr(_enlarged(upscaler, small), large) > _psnr(plain, large)


def test_the_upscaler_is_small_and_keeps_to_the_first_names_of_esrgan() -> None:
    weights = load_file(FILE)

    assert FILE.stat().st_size < 1.5 * 2**20
    assert {"model.0.weight", "model.1.sub.0.RDB1.conv1.0.weight", "model.10.bias"} <= set(weights)
    assert {weight.dtype for weight in weights.values()} == {torch.float16}


def test_a_trained_upscaler_is_saved_under_the_same_names_and_shapes() -> None:
    weights = {name: weight.shape for name, weight in load_file(FILE).items()}
    trained = {esrgan_name(name): w.shape for name, w in new_upscaler().state_dict().items()}

    assert trained == weights
