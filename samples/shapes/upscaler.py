"""Small upscaler of the ESRGAN family, four times larger, with ESRGAN's first names of weights.

So named, it loads wherever `4x-*.pth` files of that family load.
"""

import re

import torch
from torch import nn

from deployments.runtimes.diffusers.rrdb import Rrdb

COLOURS = 3
WHISPER = 0.2
_BLOCKS = 2
_LAYERS = {
    "first": "model.0",
    "trunk": f"model.1.sub.{_BLOCKS}",
    "ups.0": "model.3",
    "ups.1": "model.6",
    "full": "model.8",
    "last": "model.10",
}
_IN_BLOCKS = re.compile(r"^blocks\.(\d)\.dense\.(\d)\.layers\.(\d)$")


def new_upscaler() -> Rrdb:
    """Make a network that starts by passing the colours on, nearly as they are."""
    upscaler = Rrdb(width=16, growth=32, blocks=_BLOCKS, ups=2, shuffle=1)
    for name, weight in upscaler.named_parameters():
        if name.endswith("weight") and not name.startswith(("blocks", "trunk")):
            with torch.no_grad():
                # Dirac's kernel passes a colour on as it is, and what is random is faint.
                weight[:COLOURS] *= WHISPER
                weight[:COLOURS] += nn.init.dirac_(torch.empty_like(weight[:COLOURS]))
    return upscaler


def esrgan_name(name: str) -> str:
    """Name a weight of this network as the first ESRGAN named it."""
    layer, _, parameter = name.rpartition(".")
    known = _LAYERS.get(layer) or _IN_BLOCKS.sub(r"model.1.sub.\1.RDB\2.conv\3.0", layer)
    return f"{known}.{parameter}"
