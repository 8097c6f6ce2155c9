"""Pictures as requests carry them, as PNG files, as tensors and as latents of a VAE."""

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch
from PIL import Image, PngImagePlugin

from deployments.inputs.fields import is_link
from deployments.inputs.pictures import inline_bytes, opened
from deployments.runtimes.diffusers.decoding import decoded
from deployments.runtimes.diffusers.pipeline import Pipeline
from models.errors import InputRefused, TaskFailed

_SHOWN = 200  # characters


def picture(text: str, inputs: Mapping[str, bytes], field: str) -> Image.Image:
    """Read the picture that a field holds: base64, a data URL, or a link already fetched.

    It is RGB, or RGBA if any of it is transparent.

    Raises:
        TaskFailed: it is none of them, or no picture that can be read.
    """
    with _named(field):
        return decoded(_file(text, inputs))


def picture_size(text: str, inputs: Mapping[str, bytes], field: str) -> tuple[int, int]:
    """Read the width and height of the picture that a field holds, by its header alone.

    Raises:
        TaskFailed: as `picture` does.
    """
    with _named(field), opened(_file(text, inputs)) as image:
        return image.size


def _file(text: str, inputs: Mapping[str, bytes]) -> bytes:
    data = inputs.get(text)
    if data is None and is_link(text):
        raise InputRefused(f"the link {text[:_SHOWN]} was not fetched")
    return inline_bytes(text) if data is None else data


@contextmanager
def _named(field: str) -> Iterator[None]:
    """Name the field in a refusal."""
    try:
        yield
    except InputRefused as exc:
        raise InputRefused(f"{field}: {exc}") from exc


def opaque(image: Image.Image) -> Image.Image:
    """Convert to RGB; transparent parts become white."""
    if image.mode == "RGB":
        return image
    if image.mode != "RGBA":
        return image.convert("RGB")
    ground = Image.new("RGB", image.size, "white")
    ground.paste(image, mask=image.getchannel("A"))
    return ground


def png(image: Image.Image, parameters: str = "") -> bytes:
    """Write a PNG file, with the text that the Web UI's "PNG info" reads."""
    info = PngImagePlugin.PngInfo()
    if parameters:
        info.add_text("parameters", parameters)
    file = io.BytesIO()
    image.save(file, "PNG", pnginfo=info)
    return file.getvalue()


def to_tensor(image: Image.Image) -> torch.Tensor:
    """Convert to a tensor of 1 x 3 x height x width on the CPU, float32 from 0 to 1."""
    values = torch.from_numpy(np.array(image.convert("RGB"), dtype=np.uint8))
    return values.permute(2, 0, 1)[None].float() / 255


def to_image(values: torch.Tensor) -> Image.Image:
    """Convert a tensor of 1 x 3 x height x width to a picture; values are cut to 0 to 1."""
    whole = (values.float().clamp(0, 1) * 255).round().to(torch.uint8)
    return Image.fromarray(whole[0].permute(1, 2, 0).cpu().numpy())


@torch.inference_mode()
def to_latents(pipeline: Pipeline, image: Image.Image) -> torch.Tensor:
    """Encode by the checkpoint's VAE, to 1 x 4 x height / factor x width / factor, float32.

    Latents are scaled as the UNet takes them, and on the pipeline's device.
    """
    vae = pipeline.vae
    values = (to_tensor(image) * 2 - 1).to(pipeline.device, vae.dtype)
    # The mode, not a sample: the same picture gives the same latents each time.
    latents = vae.encode(values).latent_dist.mode().float()
    shifted: torch.Tensor = latents - (vae.config.get("shift_factor") or 0)
    return shifted * float(vae.config.scaling_factor)


@torch.inference_mode()
def from_latents(pipeline: Pipeline, latents: torch.Tensor) -> Image.Image:
    """Decode latents of 1 x 4 x height x width by the checkpoint's VAE.

    Raises:
        TaskFailed: the picture came out as NaN.
    """
    vae = pipeline.vae
    scaled = latents / vae.config.scaling_factor + (vae.config.get("shift_factor") or 0)
    values = vae.decode(scaled.to(vae.dtype)).sample
    if not torch.isfinite(values).all():
        raise TaskFailed("the picture came out as no numbers (NaN): the checkpoint's VAE is broken")
    return to_image(values / 2 + 0.5)
