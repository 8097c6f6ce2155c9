"""Upscalers by the Web UI's names: two of Pillow's, and every network in the upscalers' folders."""

from collections.abc import Generator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import torch
import torch.nn.functional as F  # noqa: N812
from PIL import Image

from deployments.runtimes.diffusers.limits import Size
from deployments.runtimes.diffusers.pixels import to_image, to_tensor
from deployments.runtimes.diffusers.rrdb import Rrdb, read_rrdb
from models.checkpoints import Shelf
from models.errors import TaskFailed
from models.report import Progress

Result = TypeVar("Result")

NONE = "None"
RESAMPLING = {"Lanczos": Image.Resampling.LANCZOS, "Nearest": Image.Resampling.NEAREST}
"""Upscalers that only resize, by their names."""
_DISPLAYED = {
    "R-ESRGAN 4x+": "RealESRGAN_x4plus",
    "R-ESRGAN 4x+ Anime6B": "RealESRGAN_x4plus_anime_6B",
    "R-ESRGAN 2x+": "RealESRGAN_x2plus",
    "ESRGAN_4x": "ESRGAN",
}
"""Names that the Web UI shows for files with other names."""
_PASSES = 3
"""Passes of a network over one picture, at most."""
_MARGIN = 16
"""Pixels round a tile that are computed and thrown away, so that no seam is seen."""


@dataclass(frozen=True)
class Upscalers:
    """Upscalers of a folder of weights."""

    shelf: Shelf
    device: torch.device
    tile: int = 256
    """Side of a tile in pixels."""

    @property
    def names(self) -> list[str]:
        """Names that a request may have."""
        files = [Path(name).stem for name in self.shelf.names]
        shown = [name for name, stem in _DISPLAYED.items() if stem in files and name not in files]
        return [NONE, *RESAMPLING, *sorted(files), *shown]

    def check(self, name: str, field: str) -> None:
        """Check a name before any work.

        Raises:
            TaskFailed: there is no upscaler of this name; the message lists them.
        """
        if name not in (NONE, *RESAMPLING):
            self._file(name, field)

    def enlarge(
        self, image: Image.Image, size: Size, name: str
    ) -> Generator[None, None, Image.Image]:
        """Return the picture in this size; yields after each tile, as a point to stop at.

        Raises:
            TaskFailed: there is no upscaler of this name, or it is no network of a known sort.
        """
        if name == NONE:
            name = "Lanczos"  # as in the Web UI, where none is a plain enlargement
        if name in RESAMPLING:
            return image.resize(size, RESAMPLING[name])
        path = self._file(name, "upscaler")
        network = _network(path, path.stat().st_mtime_ns, self.device)
        for _ in range(_PASSES):
            if image.width >= size[0] and image.height >= size[1]:
                break
            image = yield from self._pass(network, image)
            if network.scale == 1:  # a network that only cleans never gets larger
                break
        return image.resize(size, RESAMPLING["Lanczos"]) if image.size != size else image

    def _file(self, name: str, field: str) -> Path:
        known = [Path(file).stem for file in self.shelf.names]
        stem = name if name in known else _DISPLAYED.get(name, name)
        try:
            return self.shelf.find(stem)
        except TaskFailed as exc:
            # The file is there, and its own error says why it is not read.
            if stem in known or "pickled" in str(exc):
                raise
            available = ", ".join(self.names)
            raise TaskFailed(f"{field}: no upscaler {name!r}; there is: {available}") from None

    def _pass(self, network: Rrdb, image: Image.Image) -> Generator[None, None, Image.Image]:
        values, scale = to_tensor(image), network.scale
        height, width = values.shape[-2:]
        whole = torch.empty(1, 3, height * scale, width * scale)
        for top in range(0, height, self.tile):
            for left in range(0, width, self.tile):
                bottom, right = min(top + self.tile, height), min(left + self.tile, width)
                tile = _tile(network, values, (left, top, right, bottom))
                whole[..., top * scale : bottom * scale, left * scale : right * scale] = tile
                yield
        return to_image(whole)


def with_progress(
    parts: Generator[None, None, Result], progress: Progress
) -> Generator[Progress, None, Result]:
    """Run a generator to its result, yielding this same progress after each of its parts."""
    while True:
        try:
            next(parts)
        except StopIteration as end:
            result: Result = end.value
            return result
        yield progress


@torch.inference_mode()
def _tile(network: Rrdb, values: torch.Tensor, box: tuple[int, int, int, int]) -> torch.Tensor:
    """Enlarge a tile of 1 x 3 x height x width, computed with a margin of its surroundings."""
    left, top, right, bottom = box
    height, width = values.shape[-2:]
    x, y = max(0, left - _MARGIN), max(0, top - _MARGIN)
    piece = values[..., y : min(height, bottom + _MARGIN), x : min(width, right + _MARGIN)]
    weight = network.first.weight
    larger = network(_padded(piece, network.shuffle).to(weight.device, weight.dtype))
    scale = network.scale
    from_y, from_x = (top - y) * scale, (left - x) * scale
    to_y, to_x = from_y + (bottom - top) * scale, from_x + (right - left) * scale
    return larger[..., from_y:to_y, from_x:to_x].float().cpu()  # type: ignore[no-any-return]


def _padded(piece: torch.Tensor, multiple: int) -> torch.Tensor:
    """Pad to sides that are multiples of the network's fold."""
    extra_y, extra_x = -piece.shape[-2] % multiple, -piece.shape[-1] % multiple
    return F.pad(piece, (0, extra_x, 0, extra_y), mode="replicate") if extra_y or extra_x else piece


@lru_cache(maxsize=2)  # an extra request blends two
def _network(path: Path, changed: int, device: torch.device) -> Rrdb:
    del changed  # a file replaced under its name is another network
    return read_rrdb(path).to(device, torch.float16 if device.type == "cuda" else torch.float32)
