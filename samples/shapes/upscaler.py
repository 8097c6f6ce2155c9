"""A small upscaler of the ESRGAN family, four times larger, with ESRGAN's first names of weights.

So named, it loads wherever `4x-*.pth` files of that family load.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

SLOPE = 0.2
RESIDUE = 0.2
GROWTH = 32
COLOURS = 3
WHISPER = 0.2


class Upscaler(nn.Module):
    """RRDBNet: features, a trunk of dense blocks, two doublings, colours."""

    def __init__(self, features: int = 16, blocks: int = 2) -> None:
        super().__init__()
        self.model = nn.Sequential(
            _passing(COLOURS, features),
            Trunk(features, blocks),
            *_doubling(features),
            *_doubling(features),
            _passing(features, features),
            _activation(),
            _passing(features, COLOURS),
        )

    def forward(self, picture: Tensor) -> Tensor:
        """Enlarge pictures of 0 to 1 four times."""
        larger: Tensor = self.model(picture)
        return larger


class Trunk(nn.Module):
    """The blocks and a convolution after them, added to what came in."""

    def __init__(self, features: int, blocks: int) -> None:
        super().__init__()
        chain = [Block(features) for _ in range(blocks)]
        self.sub = nn.Sequential(*chain, _conv(features, features))

    def forward(self, features: Tensor) -> Tensor:
        """Add what the blocks make of the features."""
        made: Tensor = self.sub(features)
        return features + made


class Block(nn.Module):
    """Three dense blocks in a row, a fifth of it added to what came in."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.RDB1 = Dense(features)
        self.RDB2 = Dense(features)
        self.RDB3 = Dense(features)

    def forward(self, features: Tensor) -> Tensor:
        """Add a fifth of what the dense blocks make of the features."""
        made: Tensor = self.RDB3(self.RDB2(self.RDB1(features)))
        return features + RESIDUE * made


class Dense(nn.Module):
    """Five convolutions, each seeing what all before it saw and made."""

    def __init__(self, features: int) -> None:
        super().__init__()
        widths = [features + GROWTH * number for number in range(5)]
        self.conv1 = nn.Sequential(_conv(widths[0], GROWTH), _activation())
        self.conv2 = nn.Sequential(_conv(widths[1], GROWTH), _activation())
        self.conv3 = nn.Sequential(_conv(widths[2], GROWTH), _activation())
        self.conv4 = nn.Sequential(_conv(widths[3], GROWTH), _activation())
        self.conv5 = nn.Sequential(_conv(widths[4], features))

    def forward(self, features: Tensor) -> Tensor:
        """Add a fifth of what the last convolution makes of all the others."""
        seen = features
        for conv in (self.conv1, self.conv2, self.conv3, self.conv4):
            seen = torch.cat([seen, conv(seen)], dim=1)
        made: Tensor = self.conv5(seen)
        return features + RESIDUE * made


def _doubling(features: int) -> tuple[nn.Module, ...]:
    return nn.Upsample(scale_factor=2, mode="nearest"), _passing(features, features), _activation()


def _conv(into: int, out_of: int) -> nn.Conv2d:
    return nn.Conv2d(into, out_of, kernel_size=3, padding=1)


def _passing(into: int, out_of: int) -> nn.Conv2d:
    """Make a convolution that starts by passing the colours on, nearly as they are."""
    conv = _conv(into, out_of)
    with torch.no_grad():
        conv.weight[:COLOURS] *= WHISPER
        conv.weight[:COLOURS] += nn.init.dirac_(torch.empty_like(conv.weight[:COLOURS]))
    return conv


def _activation() -> nn.LeakyReLU:
    return nn.LeakyReLU(SLOPE, inplace=True)
