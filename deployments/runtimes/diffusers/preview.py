"""Previews of pictures while they are generated.

The VAE may take longer than a step: a map from latents to colours is fitted to it, once.
"""

import io
import logging
import math
from collections.abc import Sequence
from itertools import cycle, product
from weakref import WeakKeyDictionary, WeakSet

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  # the name everyone knows it by
from PIL import Image

from deployments.runtimes.diffusers.faults import first_line
from deployments.runtimes.diffusers.pipeline import Pipeline
from deployments.runtimes.diffusers.pixels import from_latents, to_image, to_latents, to_tensor
from deployments.runtimes.diffusers.sampling import Sampling
from deployments.runtimes.diffusers.source_image import SourceImage, shrunk

log = logging.getLogger("ray.serve.atelier.diffusers")

_MOST_PICTURES = 4
"""Pictures on a sheet, at most."""
_EXAMPLES = tuple(product((2, 4, 8), (1.0, 1.5)))
"""Colours on a side, and how far their latents are driven, as guidance does in early steps."""
_SIDE = 16
"""Side of an example, in latents."""
_MIXTURES = 48
"""Features that saturate. With none the map is linear, and a small VAE's red came out orange."""


class Previews:
    """Makes small pictures of running samplings, for all checkpoints in memory."""

    def __init__(self, every: int, side: int) -> None:
        self._every, self._side = every, side
        # Weak: a checkpoint that leaves memory takes its map along.
        self._colours: WeakKeyDictionary[Pipeline, torch.Tensor] = WeakKeyDictionary()
        self._off: WeakSet[Pipeline] = WeakSet()

    def is_due(self, shown: int, step: int) -> bool:
        """Tell whether a preview falls between the step shown last and this one."""
        return self._every > 0 and step // self._every > shown // self._every

    def sheet(
        self, pipeline: Pipeline, running: Sequence[Sampling], sources: Sequence[SourceImage]
    ) -> bytes | None:
        """Draw the first pictures on one JPEG, of ``side`` pixels at most.

        None if that fails, for no task may fail by it; the checkpoint gets no previews any more.
        """
        if pipeline in self._off:
            return None
        try:
            sheet = _sheet(self._pictures(pipeline, running, sources))
            sheet.thumbnail((self._side, self._side))
            return _jpeg(sheet)
        except Exception as exc:  # noqa: BLE001  # a preview must never end a generation
            self._off.add(pipeline)
            extra = {"checkpoint": pipeline.name, "error": first_line(exc)}
            log.warning("previews_off", extra=extra)
            return None

    @torch.inference_mode()
    def _pictures(
        self, pipeline: Pipeline, running: Sequence[Sampling], sources: Sequence[SourceImage]
    ) -> list[Image.Image]:
        if pipeline not in self._colours:
            self._colours[pipeline] = _fitted(pipeline)
        small = [
            _coloured(sampling.predicted(), self._colours[pipeline])
            for sampling in running[:_MOST_PICTURES]
        ]
        width, height = (side * pipeline.factor for side in small[0].size)
        smooth = [image.resize(shrunk((width, height), self._side)) for image in small]
        if not sources:
            return smooth
        return [source.finish(image) for source, image in zip(cycle(sources), smooth)]


def _sheet(images: Sequence[Image.Image]) -> Image.Image:
    """Paste pictures side by side, two in a row."""
    columns, rows = min(2, len(images)), math.ceil(len(images) / 2)
    width, height = (max(sides) for sides in zip(*(image.size for image in images), strict=True))
    sheet = Image.new("RGB", (columns * width, rows * height))
    for index, image in enumerate(images):
        sheet.paste(image, (index % 2 * width, index // 2 * height))
    return sheet


def _jpeg(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG")
    return file.getvalue()


def _fitted(pipeline: Pipeline) -> torch.Tensor:
    """Fit the map, features x 3, that comes nearest to what the VAE makes of bright examples."""
    random = np.random.default_rng(0)
    features, colours = [], []
    for count, drive in _EXAMPLES:
        values = random.integers(0, 256, (count, count, 3), dtype=np.uint8)
        side = _SIDE * pipeline.factor
        example = Image.fromarray(values).resize((side, side), Image.Resampling.NEAREST)
        latents = to_latents(pipeline, example) * drive
        decoded = from_latents(pipeline, latents).resize((_SIDE, _SIDE), Image.Resampling.BOX)
        features.append(_features(latents))
        colours.append(to_tensor(decoded)[0].flatten(1).T)
    solution: torch.Tensor = torch.linalg.lstsq(torch.cat(features), torch.cat(colours)).solution
    return solution


def _features(latents: torch.Tensor) -> torch.Tensor:
    """Turn latents of 1 x 4 x height x width into rows of features, one for each latent.

    A row has the latent itself, its surroundings, 1, and mixtures of them that saturate.
    """
    own = latents.float().cpu()
    around = F.avg_pool2d(F.pad(own, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    plain = torch.cat([own, around, torch.ones_like(own[:, :1])], dim=1)[0].flatten(1).T
    generator = torch.Generator().manual_seed(0)  # a map fits only the mixing it was made with
    mixing = torch.randn(plain.shape[1], _MIXTURES, generator=generator)
    return torch.cat([plain, torch.tanh(plain @ mixing)], dim=1)


def _coloured(latents: torch.Tensor, colours: torch.Tensor) -> Image.Image:
    """Draw a pixel for each latent, by a map of features x 3."""
    return to_image((_features(latents) @ colours).T.reshape(1, 3, *latents.shape[-2:]))
