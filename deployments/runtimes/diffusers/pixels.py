"""Pictures as requests carry them, as PNG files, as tensors and as latents of a VAE."""

import base64
import binascii
import io
from collections.abc import Mapping

import numpy as np
import torch
from PIL import Image, ImageOps, PngImagePlugin, UnidentifiedImageError

from deployments.inputs.fields import is_link
from deployments.runtimes.diffusers.pipeline import Pipeline
from models.errors import TaskFailed

_MOST_PIXELS = 8192 * 8192
"""Bound for a picture in a request, since a small file can hold a very large one."""
_NO_PICTURE = "is no picture: send a PNG, JPEG or WebP file as base64 or a link"


def picture(text: str, inputs: Mapping[str, bytes], field: str) -> Image.Image:
    """Read the picture that a field holds: base64, a data URL, or a link already fetched.

    Raises:
        TaskFailed: it is none of them, or no picture.
    """
    data = inputs.get(text)
    if data is None and is_link(text):
        raise TaskFailed(f"{field}: the link {text} was not fetched")
    try:
        with Image.open(io.BytesIO(_decoded(text) if data is None else data)) as image:
            # Pillow has read the header so far; `load` is what decodes the pixels.
            if image.width * image.height > _MOST_PIXELS:
                raise TaskFailed(f"{field}: {image.width}x{image.height} pixels are too many")
            image.load()
            return ImageOps.exif_transpose(image)  # cameras store how a picture is to be turned
    except UnidentifiedImageError:  # its words name an object of ours
        raise TaskFailed(f"{field}: {_NO_PICTURE}") from None
    except (OSError, ValueError, Image.DecompressionBombError) as exc:
        raise TaskFailed(f"{field}: {_NO_PICTURE} ({exc})") from None


def opaque(image: Image.Image) -> Image.Image:
    """Convert to RGB; transparent parts become white."""
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        layer = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
    return image.convert("RGB")


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


def _decoded(text: str) -> bytes:
    body = text.partition(",")[2] if text.startswith("data:") else text
    try:
        # Strict, or Python drops what is no base64 and decodes the rest. Line breaks are no fault.
        return base64.b64decode("".join(body.split()), validate=True)
    except binascii.Error as exc:
        raise ValueError(f"not base64: {exc}") from None
