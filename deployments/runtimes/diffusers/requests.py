"""Requests become generations: whatever can be refused is refused here, before any step."""

import re
from collections.abc import Mapping
from pathlib import PurePosixPath

from deployments.runtimes.diffusers.generation import Generation, Steps, Tools
from deployments.runtimes.diffusers.masks import drawing
from deployments.runtimes.diffusers.pixels import opaque, picture, picture_size
from deployments.runtimes.diffusers.source_image import fit_source
from deployments.runtimes.diffusers.styles import styled
from models.errors import TaskFailed
from models.runtimes.diffusers import Options
from models.runtimes.diffusers.generation_requests import ImageToImage, TextToImage
from models.runtimes.diffusers.values import LATENT_UPSCALERS
from models.task import Task


def text_to_image(tools: Tools, task: Task, inputs: Mapping[str, bytes]) -> Steps:
    """Check the request, then generate.

    Raises:
        TaskFailed: the request is wrong, in words that say how to set it right.
    """
    del inputs
    request = styled(TextToImage.read(task.content, tools.options), tools.checkpoints.folder)
    _check(tools, request)
    size = tools.limits.size(request, (tools.pipeline.native_side, tools.pipeline.native_side))
    if request.enable_hr:
        tools.limits.second_size(request, size)
        if request.hr_upscaler not in LATENT_UPSCALERS:
            tools.upscalers.check(request.hr_upscaler, "hr_upscaler")
    yield from Generation(tools=tools, task=task, request=request, size=size).steps()


def image_to_image(tools: Tools, task: Task, inputs: Mapping[str, bytes]) -> Steps:
    """Check the request, then generate.

    Raises:
        TaskFailed: the request is wrong, in words that say how to set it right.
    """
    request = styled(ImageToImage.read(task.content, tools.options), tools.checkpoints.folder)
    _check(tools, request)
    _check_wholes(request, inputs, tools.options)
    mask = drawing(picture(request.mask, inputs, "mask")) if request.mask else None
    # One after another, so that no more than one is in memory at its full size.
    images = (
        opaque(picture(text, inputs, f"init_images[{index}]"))
        for index, text in enumerate(request.init_images)
    )
    first = next(images)
    size = tools.limits.size_over(request, first.size)
    sources = [fit_source(request, first, mask, size)]
    del first
    sources += [fit_source(request, image, mask, size) for image in images]
    yield from Generation(
        tools=tools, task=task, request=request, size=size, sources=sources
    ).steps()


def _check(tools: Tools, request: TextToImage) -> None:
    for prompt in request.prompts:
        _refuse_embeddings(tools, prompt.text)


def _check_wholes(request: ImageToImage, inputs: Mapping[str, bytes], options: Options) -> None:
    """Refuse pictures of which a part is repainted, if together they have too many pixels.

    All are kept as they are until the end. Their headers tell, before any is decoded.
    """
    if not request.mask or not request.inpaint_full_res:
        return
    sizes = [
        picture_size(text, inputs, f"init_images[{index}]")
        for index, text in enumerate(request.init_images)
    ]
    pixels = sum(width * height for width, height in sizes)
    if pixels > options.max_upscaled_pixels:
        raise TaskFailed(
            f"init_images: {len(sizes)} pictures to repaint parts of have {pixels} pixels, more "
            f"than {options.max_upscaled_pixels} (options.maxUpscaledPixels); send fewer in a task"
        )


def _refuse_embeddings(tools: Tools, text: str) -> None:
    """Refuse the bare name of a file in ``embeddings/``: in the Web UI it is more than a word."""
    words = set(re.findall(r"[\w.-]+", text))
    names = {PurePosixPath(name).stem for name in tools.checkpoints.embeddings.names}
    if found := words & names:
        raise TaskFailed(
            f"prompt: the embedding {min(found)!r} (textual inversion) is not supported here"
        )
