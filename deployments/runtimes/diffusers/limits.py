"""Sizes of pictures: requested, possible with a checkpoint, and allowed."""

import math
from dataclasses import dataclass

from models.errors import TaskFailed
from models.runtimes.content import refuse
from models.runtimes.diffusers import Options
from models.runtimes.diffusers.generation_requests import TextToImage, too_many_pixels

Size = tuple[int, int]
"""Width and height in pixels."""


@dataclass(frozen=True)
class Limits:
    """Sizes that one checkpoint can make under a runtime's options."""

    options: Options
    factor: int
    """Pixels of a latent's side: sides of pictures are its multiples."""

    def size(self, request: TextToImage, default: Size) -> Size:
        """Return the requested size; a side that is not named has the default's, made to fit.

        Raises:
            TaskFailed: a side is no multiple of the factor, or the picture is too large.
        """
        width = self._side("width", request.width, default[0])
        height = self._side("height", request.height, default[1])
        self._check_pixels("width", width, height)
        return width, height

    def size_over(self, request: TextToImage, source: Size) -> Size:
        """Return the size of what is painted over a source image.

        Without a requested size it is the source's own, made smaller in proportion to be allowed;
        with one side, the other follows the source's proportions.

        Raises:
            TaskFailed: a requested side is no multiple of the factor, or the picture is too large.
        """
        width, height = source
        if request.width or request.height:
            by_width, by_height = (request.width or 0) / width, (request.height or 0) / height
            scale = by_width or by_height
            return self.size(request, (round(width * scale), round(height * scale)))
        most = self.options.max_pixels
        if self._fit(width) * self._fit(height) > most:
            scale = math.sqrt(most / (width * height))
            width, height = self._cut(width * scale), self._cut(height * scale)
        return self.size(request, (width, height))

    def second_size(self, request: TextToImage, size: Size) -> Size:
        """Return the size after the second pass of ``enable_hr``.

        Raises:
            TaskFailed: the picture is too large.
        """
        enlarged, cut = self.enlarged(request, size), self.enlarged_too_much(request, size)
        width, height = (
            max(self.factor, self._cut(side) - more * self.factor)
            for side, more in zip(enlarged, cut, strict=True)
        )
        self._check_pixels("hr_scale", width, height)
        return width, height

    def enlarged(self, request: TextToImage, size: Size) -> Size:
        """Return the size to which the first pass's picture is enlarged, in whole pixels.

        As in the Web UI: a side that is 0 follows the other one, both win over the scale, and with
        both the picture covers them.
        """
        x, y, (width, height) = request.hr_resize_x, request.hr_resize_y, size
        if not x and not y:
            return int(width * request.hr_scale), int(height * request.hr_scale)
        if x and (not y or width * y < x * height):
            return x, x * height // width
        return y * width // height, y

    def enlarged_too_much(self, request: TextToImage, size: Size) -> Size:
        """Return by how many latents the enlarged picture is larger than what is asked for."""
        x, y = request.hr_resize_x, request.hr_resize_y
        if not (x and y):
            return 0, 0
        width, height = self.enlarged(request, size)
        return (width - x) // self.factor, (height - y) // self.factor

    def _side(self, field: str, requested: int | None, default: int) -> int:
        if requested is None:
            return self._fit(default)
        if requested % self.factor:
            low = requested - requested % self.factor
            near = f"{low} or {low + self.factor}" if low else str(self.factor)
            raise TaskFailed(
                f"{field}: must be a multiple of {self.factor}, such as {near}: {requested}"
            )
        return requested

    def _cut(self, side: float) -> int:
        return int(side) // self.factor * self.factor

    def _fit(self, side: float) -> int:
        return max(self.factor, round(side / self.factor) * self.factor)

    def _check_pixels(self, field: str, width: int, height: int) -> None:
        if width * height > self.options.max_pixels:
            refuse([too_many_pixels(field, width, height, self.options.max_pixels)])
