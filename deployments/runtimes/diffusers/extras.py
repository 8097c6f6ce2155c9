"""Extra requests of the Web UI: pictures made larger."""

from collections.abc import Generator, Mapping
from dataclasses import dataclass

from PIL import Image

from deployments.adapter import Artifact
from deployments.runtimes.diffusers.answer import extra_answer
from deployments.runtimes.diffusers.generation import Steps
from deployments.runtimes.diffusers.masks import bled
from deployments.runtimes.diffusers.pixels import picture, png
from deployments.runtimes.diffusers.upscaling import NONE, RESAMPLING, Upscalers, with_progress
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
        yield from self._steps(task, request, {"image": request.image}, inputs)

    def batch(self, task: Task, inputs: Mapping[str, bytes]) -> Steps:
        """Enlarge each of several pictures.

        Raises:
            TaskFailed: the request is wrong.
        """
        request = ExtraBatch.read(task.content, self.options)
        texts = {
            f"imageList[{index}].data": entry.data for index, entry in enumerate(request.imageList)
        }
        yield from self._steps(task, request, texts, inputs)

    def _steps(
        self,
        task: Task,
        request: Upscaling,
        texts: Mapping[str, str],
        inputs: Mapping[str, bytes],
    ) -> Steps:
        """Enlarge the picture of each field; all are looked at before the first is enlarged."""
        self.upscalers.check(request.upscaler_1, "upscaler_1")
        self.upscalers.check(request.upscaler_2, "upscaler_2")
        # Read twice, so that no more than one is in memory: sixteen may have a gigabyte each.
        for field, text in texts.items():
            self._size(request, picture(text, inputs, field))
            yield Progress(step=0, of=len(texts))
        artifacts = []
        for done, (field, text) in enumerate(texts.items()):
            progress = Progress(step=done, of=len(texts))
            image = picture(text, inputs, field)
            larger = yield from with_progress(self._enlarged(request, image), progress)
            artifacts.append(Artifact(data=png(_cropped(request, larger))))
            yield Progress(step=done + 1, of=len(texts))
            yield artifacts[-1]
        yield extra_answer(task.id, artifacts, batch=isinstance(request, ExtraBatch))

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
        self, request: Upscaling, image: Image.Image
    ) -> Generator[None, None, Image.Image]:
        """Enlarge the colours by the upscalers, and what is transparent smoothly."""
        if request.upscaler_1 == NONE:
            return image
        size = self._size(request, image)
        if image.mode != "RGBA":
            return (yield from self._blended(request, image, size))
        larger = yield from self._blended(request, bled(image), size)
        how = RESAMPLING.get(request.upscaler_1, Image.Resampling.LANCZOS)
        larger.putalpha(image.getchannel("A").resize(size, how))
        return larger

    def _blended(
        self, request: Upscaling, image: Image.Image, size: tuple[int, int]
    ) -> Generator[None, None, Image.Image]:
        """Enlarge by the first upscaler, blended with the second as far as that is visible."""
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
