"""Extra requests of the Web UI: pictures made larger."""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass

from PIL import Image

from deployments.adapter import Artifact
from deployments.runtimes.diffusers.answer import extra_answer
from deployments.runtimes.diffusers.generation import Steps
from deployments.runtimes.diffusers.pixels import opaque, picture, png
from deployments.runtimes.diffusers.upscaling import NONE, Upscalers, with_progress
from models.errors import TaskFailed
from models.report import Progress
from models.runtimes.diffusers import Options
from models.runtimes.diffusers.extras import ExtraBatch, ExtraSingle, Upscaling
from models.task import Task

_TO_SIZE = 1


@dataclass(frozen=True)
class Extras:
    """Runs extra requests."""

    upscalers: Upscalers
    options: Options

    def single(self, task: Task, inputs: Mapping[str, bytes]) -> Steps:
        """Enlarge one picture.

        Raises:
            TaskFailed: the request is wrong.
        """
        request = ExtraSingle.read(task.content, self.options)
        images = [picture(request.image, inputs, "image")]
        yield from self._steps(task, request, images, batch=False)

    def batch(self, task: Task, inputs: Mapping[str, bytes]) -> Steps:
        """Enlarge each of several pictures.

        Raises:
            TaskFailed: the request is wrong.
        """
        request = ExtraBatch.read(task.content, self.options)
        images = [
            picture(entry.data, inputs, f"imageList[{index}].data")
            for index, entry in enumerate(request.imageList)
        ]
        yield from self._steps(task, request, images, batch=True)

    def _steps(
        self, task: Task, request: Upscaling, images: Sequence[Image.Image], *, batch: bool
    ) -> Steps:
        self.upscalers.check(request.upscaler_1, "upscaler_1")
        self.upscalers.check(request.upscaler_2, "upscaler_2")
        sizes = [self._size(request, image) for image in images]
        artifacts = []
        for done, (image, size) in enumerate(zip(images, sizes, strict=True)):
            progress = Progress(step=done, of=len(images))
            larger = yield from with_progress(
                self._enlarged(request, opaque(image), size), progress
            )
            artifacts.append(Artifact(data=png(_cropped(request, larger))))
            yield Progress(step=done + 1, of=len(images))
            yield artifacts[-1]
        yield extra_answer(task.id, artifacts, batch=batch)

    def _size(self, request: Upscaling, image: Image.Image) -> tuple[int, int]:
        by = request.upscaling_resize
        if request.resize_mode == _TO_SIZE:
            wide, high = request.upscaling_resize_w, request.upscaling_resize_h
            by = max(wide / image.width, high / image.height)
        size = max(1, round(image.width * by)), max(1, round(image.height * by))
        if size[0] * size[1] > self.options.max_upscaled_pixels:
            raise TaskFailed(
                f"upscaling_resize: {size[0]}x{size[1]} has more than the "
                f"{self.options.max_upscaled_pixels} pixels allowed in one picture"
            )
        return size

    def _enlarged(
        self, request: Upscaling, image: Image.Image, size: tuple[int, int]
    ) -> Generator[None, None, Image.Image]:
        """Enlarge by the first upscaler, blended with the second as far as that is visible."""
        if request.upscaler_1 == NONE:
            return image
        first = yield from self.upscalers.enlarge(image, size, request.upscaler_1)
        visible = request.extras_upscaler_2_visibility
        if request.upscaler_2 == NONE or not visible:
            return first
        second = yield from self.upscalers.enlarge(image, size, request.upscaler_2)
        return Image.blend(first, second, visible)


def _cropped(request: Upscaling, image: Image.Image) -> Image.Image:
    if request.resize_mode != _TO_SIZE or not request.upscaling_crop or request.upscaler_1 == NONE:
        return image
    wide, high = request.upscaling_resize_w, request.upscaling_resize_h
    left, top = (image.width - wide) // 2, (image.height - high) // 2
    return image.crop((left, top, left + wide, top + high))
