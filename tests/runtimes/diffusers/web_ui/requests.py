"""Requests that ours and a real server of the Web UI's API are both sent.

Pictures in them stand as ``@name`` and are drawn here; `content` puts them in.
"""

import base64
import hashlib
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from models.runtimes.diffusers.samplers import SAMPLERS, SCHEDULES
from models.task import Kind
from tests.runtimes.diffusers.web_ui.checkpoint import EPSILON, SIDE, V_PREDICTION

IMAGE = Kind.IMAGE_TO_IMAGE
TEXT = Kind.TEXT_TO_IMAGE
WEB_UI, _FORGE = "AUTOMATIC1111", "Forge"
_UNKNOWN_THERE = ("TCD",)
_UNKNOWN_TO_FIRST = ("DDPM", "DEIS")
_USUAL: Mapping[str, Any] = {
    "prompt": "a red cat, on a wooden chair",
    "negative_prompt": "blurry",
    "seed": 1234,
    "steps": 8,
    "cfg_scale": 5,
    "width": SIDE,
    "height": SIDE,
    "sampler_name": "Euler",
    "scheduler": "Automatic",
}
_SETTINGS: Mapping[str, Any] = {
    "CLIP_stop_at_last_layers": 1,
    "eta_ancestral": 1.0,
    "eta_noise_seed_delta": 0,
    "img2img_fix_steps": False,
    "img2img_color_correction": False,
    "randn_source": "CPU",
}
"""Settings of each request: the server keeps one that it was sent for the requests that follow."""
_DEMANDING = ("Karras", "Beta", "SGM Uniform")
"""Schedules that are also taken with a sampler of several steps at once."""
_IMAGELESS = ("DPM++ 2M SDE Heun", "DDPM", "DPM2")
"""Samplers that differ from others of the set in what they do from noise alone."""
_LONG = ", ".join(f"{n} {word} of stone" for n in range(8) for word in ("house", "hill", "bird"))
_NO_COMMA = " ".join(f"{word} and" for word in ("tree", "lake", "road", "boat", "wind") * 9)


@dataclass(frozen=True)
class Request:
    """Request of the set."""

    name: str
    """Name of the files of its pictures."""
    sort: str
    """Row of the table that it belongs to."""
    content: Mapping[str, Any]
    kind: str = TEXT
    checkpoint: str = EPSILON
    most: float = 1.0
    """Largest mean difference that is allowed, of 255."""
    cause: str = ""
    """Cause of a difference that is larger than that of rounding."""
    server: str = WEB_UI
    """Server that was asked: one of those in the description of the recording."""
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def body(self) -> dict[str, Any]:
        """Return the request with its defaults, without its pictures."""
        settings = {"sd_model_checkpoint": self.checkpoint, **_SETTINGS, **self.settings}
        return {**_USUAL, **self.content, "override_settings": settings}

    @property
    def sent(self) -> dict[str, Any]:
        """Return the request as it is sent."""
        return {key: _filled(value) for key, value in self.body.items()}

    @property
    def digest(self) -> str:
        """Return a short digest of the request, by which a changed one is found."""
        written = json.dumps([self.kind, self.body], sort_keys=True)
        return hashlib.sha256(written.encode()).hexdigest()[:16]


_ROUNDED_TIME = "Forge rounds the timestep that it tells the UNet; the Web UI and ours do not"
_OTHER_SEED = "Forge draws this sampler's noise from another seed than the picture's"
_ONE_LESS = (
    "the Web UI adds the noise of one timestep more than this sampler then takes away, so that "
    "some of it stays; ours takes all of it away"
)
_CLEAN = (
    "with this sampler the Web UI shows the UNet what is kept without any noise; ours with the "
    "noise of the step, as both do with all others"
)
_INWARD = (
    "the feather of a mask goes inward in ours, so that pixels outside stay as they were; in the "
    "Web UI it goes outward, too"
)
_HARD = "a mask that is resized gets half-tones at its edge, which are cut off in ours"
_EIGHT_BITS = "colours are matched in 8 bits, by tables that round otherwise in OpenCV"
_CAUSES: Mapping[str, Any] = {
    "DEIS": {"most": 3.0, "cause": _ROUNDED_TIME},
    "DDPM": {"most": 60.0, "cause": _OTHER_SEED},
}
_IMAGE_CAUSES: Mapping[str, Any] = {
    "DEIS": {"most": 8.0, "cause": _ROUNDED_TIME},
    "DDIM": {"most": 12.0, "cause": _ONE_LESS},
    "PLMS": {"most": 20.0, "cause": _ONE_LESS},
    "UniPC": {"most": 18.0, "cause": _ONE_LESS},
}


def all_requests() -> list[Request]:
    """Return the set."""
    makers: tuple[Callable[[], Iterator[Request]], ...] = (
        _samplers,
        _schedules,
        _noise,
        _seeds,
        _prompts,
        _images,
        _masks,
        _second_passes,
        _v_prediction,
    )
    return [request for maker in makers for request in maker()]


def _samplers() -> Iterator[Request]:
    for name in SAMPLERS:
        if name in _UNKNOWN_THERE:
            continue
        slug = _slug(name)
        yield Request(
            f"sampler-{slug}",
            "samplers",
            {"sampler_name": name},
            server=_FORGE if name in _UNKNOWN_TO_FIRST else WEB_UI,
            **_CAUSES.get(name, {}),
        )
        if name not in _IMAGELESS:
            yield Request(
                f"sampler-{slug}-image",
                "samplers, from a picture",
                {"sampler_name": name, "denoising_strength": 0.6, "init_images": ["@wide"]},
                IMAGE,
                server=_FORGE if name in _UNKNOWN_TO_FIRST else WEB_UI,
                **_IMAGE_CAUSES.get(name, {}),
            )


def _schedules() -> Iterator[Request]:
    for name in SCHEDULES[1:]:
        for sampler in ("Euler", "DPM++ 2M") if name in _DEMANDING else ("Euler",):
            content = {"scheduler": name, "sampler_name": sampler, "steps": 7}
            yield Request(f"schedule-{_slug(name)}-{_slug(sampler)}", "schedules", content)
    for schedule, sampler in (
        ("Karras", "Euler a"),
        ("Karras", "DPM++ SDE"),
        ("SGM Uniform", "DPM++ 2M SDE"),
        ("Exponential", "Heun"),
        ("Uniform", "DPM2 a"),
        ("Simple", "LMS"),
        ("Normal", "DPM++ 3M SDE"),
        ("Beta", "DPM2"),
        ("Karras", "DDIM"),
    ):
        content = {"scheduler": schedule, "sampler_name": sampler, "steps": 9}
        yield Request(f"schedule-{_slug(schedule)}-{_slug(sampler)}", "schedules", content)


def _noise() -> Iterator[Request]:
    sort = "noise that samplers add"
    for name, content in _each(
        {
            "euler-a-eta-half": {"sampler_name": "Euler a", "eta": 0.5},
            "ddim-eta-1": {"sampler_name": "DDIM", "eta": 1.0},
            "euler-churn": {"s_churn": 4.0, "s_noise": 1.05},
            "euler-churn-between": {"s_churn": 8.0, "s_tmin": 0.5, "s_tmax": 8.0},
            "sde-noise": {"sampler_name": "DPM++ SDE", "s_noise": 0.9},
            "2m-sde-noise": {"sampler_name": "DPM++ 2M SDE", "s_noise": 0.9},
            "euler-a-noise": {"sampler_name": "Euler a", "s_noise": 0.5},
            "sde-eta-half": {"sampler_name": "DPM++ SDE", "eta": 0.5},
            "3m-sde-eta-half": {"sampler_name": "DPM++ 3M SDE", "eta": 0.5},
            "heun-churn": {"sampler_name": "Heun", "s_churn": 4.0},
            "dpm2-churn": {"sampler_name": "DPM2", "s_churn": 4.0, "s_noise": 1.05},
            "dpm2-a-noise": {"sampler_name": "DPM2 a", "s_noise": 0.9, "eta": 0.8},
            "2m-sde-eta-0": {"sampler_name": "DPM++ 2M SDE", "eta": 0.0},
            "dpm2-a-eta-0": {"sampler_name": "DPM2 a", "eta": 0.0},
        }
    ):
        yield Request(f"noise-{name}", sort, content)
    yield Request(
        "noise-delta", sort, {"sampler_name": "Euler a"}, settings={"eta_noise_seed_delta": 31337}
    )
    yield Request(
        "noise-eta-ancestral", sort, {"sampler_name": "Euler a"}, settings={"eta_ancestral": 0.7}
    )


def _seeds() -> Iterator[Request]:
    sort = "seeds"
    variation = {"subseed": 77, "subseed_strength": 0.3}
    for name, content in _each(
        {
            "batch": {"batch_size": 2, "n_iter": 2, "sampler_name": "Euler a"},
            "batch-sde": {"batch_size": 2, "sampler_name": "DPM++ 2M SDE"},
            "variation": variation,
            "variation-ancestral": {**variation, "sampler_name": "Euler a"},
            "resized": {"seed_resize_from_w": 48, "seed_resize_from_h": 96},
            "resized-variation": {**variation, "seed_resize_from_w": 96, "seed_resize_from_h": 96},
            "portrait": {"width": 64, "height": 96},
        }
    ):
        yield Request(f"seed-{name}", sort, content)


def _prompts() -> Iterator[Request]:
    for name, content in _each(
        {
            "empty": {"prompt": "", "negative_prompt": ""},
            "guidance-1": {"cfg_scale": 1},
            "unicode": {"prompt": "café, 東京 🐈; naïve   façade"},
        }
    ):
        yield Request(f"prompt-{name}", "prompts", content)
    for name, text in {
        "round": "a (red) ((cat)) on a chair",
        "square": "a [red] cat on a [[wooden]] chair",
        "number": "a (red:1.3) cat on a (wooden chair:0.7)",
        "nested": "a (red (furry:1.2) cat:1.1) on a chair \\(old\\)",
    }.items():
        yield Request(f"weight-{name}", "weights of words", {"prompt": text})
    yield Request("weight-negative", "weights of words", {"negative_prompt": "(blurry:1.4), dark"})
    for name, content in _each(
        {
            "long": {"prompt": _LONG},
            "no-comma": {"prompt": _NO_COMMA},
            "break": {"prompt": "a red cat BREAK on a wooden chair"},
            "negative": {"negative_prompt": _LONG},
        }
    ):
        yield Request(f"chunk-{name}", "prompts of several chunks", content)
    for name, content in _each(
        {
            "from-to": {"prompt": "a [cat:dog:0.5] on a chair"},
            "added": {"prompt": "a cat [on a wooden chair:0.25]"},
            "turns": {"prompt": "a [cat|dog|bird] on a chair"},
            "second-order": {"prompt": "a [cat:dog:0.5] on a chair", "sampler_name": "Heun"},
            "sde": {"prompt": "a [cat:dog:3] on a chair", "sampler_name": "DPM++ SDE"},
            "plms": {"prompt": "a [cat:dog:0.5] on a chair", "sampler_name": "PLMS"},
            "image": {"prompt": "a [cat:dog:0.5] on a chair", "init_images": ["@wide"]},
        }
    ):
        kind = IMAGE if "init_images" in content else TEXT
        yield Request(f"edit-{name}", "words that change", content, kind)
    for name, text in {
        "two": "a red cat AND a wooden chair",
        "weighed": "a red cat :1.2 AND a wooden chair :0.5",
        "negative": "a red cat AND a wooden chair :-0.4",
    }.items():
        yield Request(f"and-{name}", "AND", {"prompt": text})
    yield Request("clip-skip-2", "clip skip", {}, settings={"CLIP_stop_at_last_layers": 2})


def _images() -> Iterator[Request]:
    sort = "image-to-image"
    usual: dict[str, Any] = {"init_images": ["@square"], "denoising_strength": 0.5}
    for name, content in _each(
        {
            "little": {"denoising_strength": 0.1},
            "half": {},
            "all": {"denoising_strength": 1.0},
            "cropped": {"init_images": ["@wide"], "resize_mode": 1},
            "bordered": {"init_images": ["@wide"], "resize_mode": 2},
            "cropped-high": {"init_images": ["@high"], "resize_mode": 1},
            "transparent": {"init_images": ["@transparent"]},
            "noise-more": {"initial_noise_multiplier": 1.2},
            "batch": {"batch_size": 2, "sampler_name": "Euler a"},
            "ddim-little": {"denoising_strength": 0.1, "sampler_name": "DDIM"},
        }
    ):
        yield Request(f"image-{name}", sort, {**usual, **content}, IMAGE)
    for name, setting in {
        "fixed-steps": {"img2img_fix_steps": True},
        "colours": {"img2img_color_correction": True},
    }.items():
        given: dict[str, Any] = {"most": 2.0, "cause": _EIGHT_BITS} if name == "colours" else {}
        yield Request(f"image-{name}", sort, usual, IMAGE, settings=setting, **given)


def _masks() -> Iterator[Request]:
    usual: dict[str, Any] = {
        "init_images": ["@square"],
        "mask": "@disc",
        "denoising_strength": 0.7,
        "inpaint_full_res": False,
        "inpainting_fill": 1,
        "mask_blur": 0,
    }
    for name, content in _each(
        {
            "fill-surroundings": {"inpainting_fill": 0},
            "fill-original": {},
            "fill-noise": {"inpainting_fill": 2},
            "fill-nothing": {"inpainting_fill": 3},
            "blur": {"mask_blur": 4},
            "blur-x": {"mask_blur": None, "mask_blur_x": 6, "mask_blur_y": 0},
            "inverted": {"inpainting_mask_invert": 1},
            "inverted-blur": {"inpainting_mask_invert": 1, "mask_blur": 3},
            "ancestral": {"sampler_name": "Euler a"},
            "ddim": {"sampler_name": "DDIM"},
            "resized": {"init_images": ["@wide"], "mask": "@wide-disc", "resize_mode": 1},
            "colours": {"mask": "@transparent-disc"},
        }
    ):
        cause = _CLEAN if name == "ddim" else _INWARD if "blur" in name else ""
        cause = _HARD if name == "resized" else cause
        yield Request(
            f"mask-{name}",
            "masks",
            {**usual, **content},
            IMAGE,
            most=16.0 if cause else 1.0,
            cause=cause,
        )
    part = {**usual, "inpaint_full_res": True, "init_images": ["@large"], "mask": "@large-disc"}
    for name, content in _each(
        {
            "plain": {},
            "padding": {"inpaint_full_res_padding": 16},
            "blur": {"mask_blur": 4, "inpaint_full_res_padding": 8},
            "edge": {"mask": "@large-corner", "inpaint_full_res_padding": 32},
            "fill": {"inpainting_fill": 0, "inpaint_full_res_padding": 8},
        }
    ):
        given: dict[str, Any] = {"most": 4.0, "cause": _INWARD} if name == "blur" else {}
        yield Request(f"part-{name}", "masked part alone", {**part, **content}, IMAGE, **given)


def _second_passes() -> Iterator[Request]:
    usual: dict[str, Any] = {
        "enable_hr": True,
        "hr_scale": 1.5,
        "denoising_strength": 0.6,
        "steps": 6,
    }
    for name, content in _each(
        {
            "latent": {"hr_upscaler": "Latent"},
            "latent-bicubic": {"hr_upscaler": "Latent (bicubic antialiased)"},
            "lanczos": {"hr_upscaler": "Lanczos"},
            "nearest": {"hr_upscaler": "Nearest"},
            "prompt": {"hr_upscaler": "Latent", "hr_prompt": "a dog", "hr_negative_prompt": "dark"},
            "sampler": {
                "hr_upscaler": "Latent",
                "hr_sampler_name": "DPM++ 2M",
                "hr_scheduler": "Karras",
                "hr_second_pass_steps": 9,
            },
            "size": {"hr_upscaler": "Latent", "hr_resize_x": 96, "hr_resize_y": 80},
            "edited": {"hr_upscaler": "Latent", "prompt": "a [cat:dog:1.5] on a chair"},
            "ddim": {"hr_upscaler": "Latent", "sampler_name": "DDIM"},
            "batch": {"hr_upscaler": "Latent", "batch_size": 2},
        }
    ):
        yield Request(f"second-{name}", "second pass", {**usual, **content})


def _v_prediction() -> Iterator[Request]:
    for name, content in _each(
        {
            "euler": {},
            "2m": {"sampler_name": "DPM++ 2M"},
            "sde": {"sampler_name": "DPM++ SDE"},
            "ddim": {"sampler_name": "DDIM"},
            "plms": {"sampler_name": "PLMS"},
            "heun-karras": {"sampler_name": "Heun", "scheduler": "Karras"},
            "image": {"init_images": ["@square"], "denoising_strength": 0.5},
        }
    ):
        kind = IMAGE if "init_images" in content else TEXT
        yield Request(f"v-{name}", "v-prediction", content, kind, V_PREDICTION)


def _each(
    contents: Mapping[str, Mapping[str, Any]],
) -> Iterable[tuple[str, Mapping[str, Any]]]:
    return contents.items()


def _slug(name: str) -> str:
    return name.lower().replace("++", "pp").replace(" ", "-")


def _filled(value: Any) -> Any:
    if isinstance(value, list):
        return [_filled(each) for each in value]
    return _encoded(_PICTURES[value]()) if isinstance(value, str) and value in _NAMES else value


def _encoded(image: Image.Image) -> str:
    file = io.BytesIO()
    image.save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def _scene(width: int, height: int) -> Image.Image:
    """Draw a smooth ground with two figures on it."""
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    colours = [200 * x + 30, 180 * y + 40, 220 * (1 - x) * y + 20]
    image = Image.fromarray(np.stack(colours, axis=-1).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    draw.rectangle((width // 8, height // 8, width // 2, height // 3), fill=(230, 60, 40))
    draw.rectangle((width // 2, height // 2, width - 5, height - 9), fill=(20, 90, 200))
    return image


def _disc(width: int, height: int, box: tuple[int, int, int, int]) -> Image.Image:
    image = Image.new("L", (width, height))
    ImageDraw.Draw(image).ellipse(box, fill=255)
    return image


def _transparent() -> Image.Image:
    image = _scene(SIDE, SIDE)
    image.putalpha(_disc(SIDE, SIDE, (4, 10, 60, 54)))
    return image


def _transparent_disc() -> Image.Image:
    image = Image.new("RGBA", (SIDE, SIDE))
    ImageDraw.Draw(image).ellipse((16, 12, 50, 46), fill=(255, 0, 0, 255))
    return image


_PICTURES: Mapping[str, Callable[[], Image.Image]] = {
    "@square": lambda: _scene(SIDE, SIDE),
    "@wide": lambda: _scene(96, 60),
    "@high": lambda: _scene(50, 90),
    "@large": lambda: _scene(128, 112),
    "@transparent": _transparent,
    "@disc": lambda: _disc(SIDE, SIDE, (16, 12, 50, 46)),
    "@wide-disc": lambda: _disc(96, 60, (30, 10, 66, 46)),
    "@large-disc": lambda: _disc(128, 112, (40, 36, 83, 71)),
    "@large-corner": lambda: _disc(128, 112, (96, 80, 140, 130)),
    "@transparent-disc": _transparent_disc,
}
_NAMES = frozenset(_PICTURES)
