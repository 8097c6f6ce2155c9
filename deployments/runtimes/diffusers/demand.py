"""From a task to its painting: everything that can be refused is refused here, before any step."""

import re
from collections.abc import Mapping
from pathlib import PurePosixPath

from PIL import Image

from deployments.runtimes.diffusers.ground import Ground, ground
from deployments.runtimes.diffusers.painting import Easel, Painting, Steps
from deployments.runtimes.diffusers.pixels import opaque, picture
from models.errors import TaskFailed
from models.runtimes.diffusers.drawing import ImageToImage, TextToImage
from models.runtimes.diffusers.values import LATENT_UPSCALERS
from models.task import Task


def text_to_image(easel: Easel, task: Task, inputs: Mapping[str, bytes]) -> Steps:
    """Check the request, then paint.

    Raises:
        TaskFailed: the request is wrong, in words that say how to set it right.
    """
    del inputs
    request = TextToImage.read(task.content, easel.options)
    _check(easel, request)
    size = easel.limits.size(request, (easel.pipeline.native, easel.pipeline.native))
    if request.enable_hr:
        easel.limits.larger(request, size)
        if request.hr_upscaler not in LATENT_UPSCALERS:
            easel.upscalers.check(request.hr_upscaler, "hr_upscaler")
    yield from Painting(easel=easel, task=task, request=request, size=size).steps()


def image_to_image(easel: Easel, task: Task, inputs: Mapping[str, bytes]) -> Steps:
    """Check the request, then paint.

    Raises:
        TaskFailed: the request is wrong, in words that say how to set it right.
    """
    request = ImageToImage.read(task.content, easel.options)
    _check(easel, request)
    images = _init_images(request, inputs)
    size = easel.limits.size(request, images[0].size)
    mask = picture(request.mask, inputs, "mask") if request.mask else None
    grounds: list[Ground] = [ground(request, image, mask, size) for image in images]
    yield from Painting(easel=easel, task=task, request=request, size=size, grounds=grounds).steps()


def _check(easel: Easel, request: TextToImage) -> None:
    for text in (request.prompt, request.negative_prompt):
        _refuse_embeddings(easel, text)


def _refuse_embeddings(easel: Easel, text: str) -> None:
    """In the Web UI the bare name of a file in ``embeddings/`` is more than a word."""
    words = set(re.findall(r"[\w.-]+", text))
    names = {PurePosixPath(name).stem for name in easel.checkpoints.embeddings.names}
    if found := words & names:
        raise TaskFailed(
            f"prompt: the embedding {min(found)!r} (textual inversion) is not supported here"
        )


def _init_images(request: ImageToImage, inputs: Mapping[str, bytes]) -> list[Image.Image]:
    return [
        opaque(picture(text, inputs, f"init_images[{index}]"))
        for index, text in enumerate(request.init_images)
    ]
