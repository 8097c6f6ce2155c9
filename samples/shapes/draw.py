"""Coloured shapes on a plain background: the words for them and how each is drawn.

Knows palette, outlines and rendering, with numpy and pillow alone, so that drawing and judging
need no torch. What scenes are likely, and what is said of them, is left to `caption`.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Plane = NDArray[np.float64]
Pixels = NDArray[np.uint8]
Outline = Callable[[Plane, Plane], Plane]

PALETTE: Mapping[str, tuple[int, int, int]] = {
    "red": (220, 40, 40),
    "green": (40, 165, 70),
    "blue": (40, 80, 220),
    "yellow": (245, 215, 50),
    "orange": (245, 135, 25),
    "purple": (135, 55, 180),
    "pink": (245, 145, 195),
    "cyan": (60, 205, 220),
    "white": (245, 245, 245),
    "black": (20, 20, 20),
    "gray": (130, 130, 130),
    "brown": (130, 80, 40),
}
COLOURS = tuple(PALETTE)


@dataclass(frozen=True)
class Figure:
    """Shape in a frame that reaches from -1 to 1 both ways, y downwards."""

    shape: str
    colour: str
    x: float = 0.0
    y: float = 0.0
    radius: float = 0.62


@dataclass(frozen=True)
class Scene:
    """Figures, later ones over earlier ones, on one background colour."""

    background: str
    figures: tuple[Figure, ...]


def draw(scene: Scene, size: int = 64) -> Image.Image:
    """Draw a scene as a square picture."""
    return Image.fromarray(render(scene, size))


def render(scene: Scene, size: int, samples: int = 2) -> Pixels:
    """Draw a scene as (size, size, 3) bytes, `samples` squared points to a pixel."""
    picture = np.broadcast_to(np.array(PALETTE[scene.background], np.float64), (size, size, 3))
    for figure in scene.figures:
        cover = coverage(figure, size, samples)[..., None]
        picture = picture * (1 - cover) + np.array(PALETTE[figure.colour]) * cover
    return picture.round().astype(np.uint8)


def coverage(figure: Figure, size: int, samples: int = 2) -> Plane:
    """Tell for each pixel how much of it the figure covers, 0 to 1."""
    # Points in the middle of their cells, so that a shape in the centre comes out symmetrical.
    points = (np.arange(size * samples) + 0.5) / (size * samples) * 2 - 1
    x = (points[None, :] - figure.x) / figure.radius
    y = (points[:, None] - figure.y) / figure.radius
    inside = (OUTLINES[figure.shape](x, y) < 0).astype(np.float64)
    share: Plane = inside.reshape(size, samples, size, samples).mean((1, 3))
    return share


def _circle(x: Plane, y: Plane) -> Plane:
    return np.hypot(x, y) - 0.95


def _square(x: Plane, y: Plane) -> Plane:
    return np.maximum(np.abs(x), np.abs(y)) - 0.82


def _triangle(x: Plane, y: Plane) -> Plane:
    side = math.sqrt(3) * np.abs(x) - 0.95 * (y + 0.95)
    return np.maximum(y - 0.78, side)


def _diamond(x: Plane, y: Plane) -> Plane:
    return np.abs(x) + np.abs(y) - 1.0


def _cross(x: Plane, y: Plane) -> Plane:
    upright = np.maximum(np.abs(x) - 0.30, np.abs(y) - 0.92)
    level = np.maximum(np.abs(x) - 0.92, np.abs(y) - 0.30)
    return np.minimum(upright, level)


def _ring(x: Plane, y: Plane) -> Plane:
    return np.abs(np.hypot(x, y) - 0.70) - 0.24


def _heart(x: Plane, y: Plane) -> Plane:
    # The heart curve (u² + v² - 1)³ = u²v³ in a frame whose y points up, moved to the centre.
    u, v = 1.2 * x, 0.12 - 1.2 * y
    return (u**2 + v**2 - 1) ** 3 - u**2 * v**3


def _star(x: Plane, y: Plane) -> Plane:
    """Fold the plane onto half a point of the star, where its edge is one straight line."""
    tip, notch, turn = 1.0, 0.42, 2 * math.pi / 5
    angle = np.abs(np.remainder(np.arctan2(x, -y) + turn / 2, turn) - turn / 2)
    radius = np.hypot(x, y)
    along, across = radius * np.cos(angle), radius * np.sin(angle)
    edge_x, edge_y = notch * math.cos(turn / 2) - tip, notch * math.sin(turn / 2)
    return (along - tip) * edge_y - across * edge_x


OUTLINES: Mapping[str, Outline] = {
    "circle": _circle,
    "square": _square,
    "triangle": _triangle,
    "star": _star,
    "heart": _heart,
    "cross": _cross,
    "diamond": _diamond,
    "ring": _ring,
}
SHAPES = tuple(OUTLINES)
