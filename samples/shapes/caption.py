"""Scenes as they are dreamt up for training, each with words that name what is drawn.

Knows how often what is said and how; leaves drawing to `draw`. One triple of colour, shape and
background in eleven is never shown in training, so that the evaluation asks for unseen ones.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from samples.shapes.draw import COLOURS, SHAPES, Figure, Scene

PLACES: Mapping[str, tuple[float, float]] = {
    "on the left": (-0.42, 0.0),
    "on the right": (0.42, 0.0),
    "at the top": (0.0, -0.42),
    "at the bottom": (0.0, 0.42),
    "in the center": (0.0, 0.0),
}
SIZES: Mapping[str, float] = {"small": 0.40, "medium": 0.62, "large": 0.85, "big": 0.85}
MEDIUMS = (
    "a photo of",
    "a picture of",
    "an image of",
    "a drawing of",
    "an icon of",
    "a painting of",
)
PRAISE = (
    "masterpiece",
    "best quality",
    "highly detailed",
    "8k",
    "sharp",
    "flat design",
    "minimal",
    "clean",
)
LETTERS = "abcdefghijklmnopqrstuvwxyz"
VAGUE = 0.04
"""The part of captions that tell no shape, and of those that tell no colour."""
HELD_OUT_EVERY = 11


@dataclass(frozen=True)
class Sample:
    """A scene and one way to ask for it."""

    scene: Scene
    caption: str


@dataclass(frozen=True)
class Manner:
    """Wording of a caption: with articles or in telegram style, background told or left out."""

    articles: bool
    background: bool


def imagine(rng: Random) -> Sample:
    """Dream up one scene and its caption."""
    manner = Manner(articles=_chance(rng, 0.7), background=_chance(rng, 0.85))
    sample = _pair(rng, manner) if _chance(rng, 0.07) else _single(rng, manner)
    return Sample(sample.scene, _garnish(rng, sample.caption))


def held_out(colour: str, shape: str, background: str) -> bool:
    """Tell whether this triple is kept from training."""
    # No factor shares a divisor with 11: each colour and each shape is held out somewhere.
    place = COLOURS.index(colour) + 4 * SHAPES.index(shape) + 7 * COLOURS.index(background)
    return place % HELD_OUT_EVERY == 0


def untold_background(*colours: str) -> str:
    """Name the background of a scene whose caption tells none: the first that differs."""
    return next(plain for plain in ("white", "black", "gray") if plain not in colours)


def words() -> list[str]:
    """List every word captions are made of, most to be one token each."""
    phrases = [*COLOURS, *SHAPES, *PLACES, *SIZES, *MEDIUMS, *PRAISE]
    extra = "a an the on of in and with background at grey shape plain next to above below middle"
    return sorted({word for phrase in [*phrases, extra] for word in phrase.split()})


def _single(rng: Random, manner: Manner) -> Sample:
    colour, shape, background = _triple(rng, manner)
    size = rng.choice([*SIZES]) if _chance(rng, 0.3) else None
    place = rng.choice([*PLACES]) if _chance(rng, 0.25) else None
    figure = _placed(rng, Figure(shape, colour), size, place)
    what = _noun(rng, figure, size, manner)
    caption = f"{what} {_said(place, manner)}" if place else what
    return Sample(Scene(background, (figure,)), caption + _backdrop(rng, background, manner))


def _triple(rng: Random, manner: Manner) -> tuple[str, str, str]:
    # Drawn again and again: ten triples of eleven are allowed.
    while True:
        colour, background = rng.sample(COLOURS, 2)
        shape = rng.choice(SHAPES)
        if not manner.background:
            background = untold_background(colour)
        if not held_out(colour, shape, background):
            return colour, shape, background


def _placed(rng: Random, figure: Figure, size: str | None, place: str | None) -> Figure:
    radius = SIZES[size or "medium"] * (1 + _jitter(rng, 0.06))
    room = max(0.0, 1 - radius)
    x, y = PLACES[place or "in the center"]
    # Kept within the frame by its radius; the jitter after it may cross the edge a little.
    x = min(room, max(-room, x)) + _jitter(rng, 0.04)
    y = min(room, max(-room, y)) + _jitter(rng, 0.04)
    return Figure(figure.shape, figure.colour, x, y, radius)


def _noun(rng: Random, figure: Figure, size: str | None, manner: Manner) -> str:
    colour, luck = spelled(rng, figure.colour), rng.random()
    shape = "shape" if luck < VAGUE else figure.shape
    if VAGUE <= luck < 2 * VAGUE:
        colour = ""
    return _with_article(" ".join(word for word in (size, colour, shape) if word), manner)


def _pair(rng: Random, manner: Manner) -> Sample:
    first, second, background = rng.sample(COLOURS, 3)
    if not manner.background:
        background = untold_background(first, second)
    left = Figure(rng.choice(SHAPES), first, -0.47 + _jitter(rng, 0.04), _jitter(rng, 0.06), 0.38)
    right = Figure(rng.choice(SHAPES), second, 0.47 + _jitter(rng, 0.04), _jitter(rng, 0.06), 0.38)
    named = (f"{spelled(rng, figure.colour)} {figure.shape}" for figure in (left, right))
    caption = " and ".join(_with_article(name, manner) for name in named)
    scene = Scene(background, (left, right))
    return Sample(scene, caption + _backdrop(rng, background, manner))


def _backdrop(rng: Random, background: str, manner: Manner) -> str:
    if not manner.background:
        return ""
    colour = spelled(rng, background)
    plain = [f" on {colour}", f" on {colour} background", f", {colour} background"]
    told = [f" on {_with_article(f'{colour} background', manner)}", *plain]
    return rng.choice(told)


def spelled(rng: Random, colour: str) -> str:
    """Spell a colour; gray has two spellings."""
    return "grey" if colour == "gray" and _chance(rng, 0.3) else colour


def _with_article(phrase: str, manner: Manner) -> str:
    if not manner.articles:
        return phrase
    return f"an {phrase}" if phrase[0] in "aeiou" else f"a {phrase}"


def _said(place: str, manner: Manner) -> str:
    return place if manner.articles else place.replace("the ", "")


def _garnish(rng: Random, caption: str) -> str:
    """Add, now and then, the words people add which say nothing about the scene."""
    if _chance(rng, 0.08):
        caption = f"{rng.choice(MEDIUMS)} {caption}"
    if _chance(rng, 0.05):
        caption = f"{rng.choice(PRAISE)}, {caption}"
    if _chance(rng, 0.06):
        caption = ", ".join([caption, *rng.sample(PRAISE, rng.randint(1, 2))])
    if _chance(rng, 0.04):
        caption = f"{caption}, {_unknown_word(rng)}"
    return caption


def _unknown_word(rng: Random) -> str:
    """Make up a word, so that pieces of unknown words are seen and found to mean nothing."""
    return "".join(rng.choices(LETTERS, k=rng.randint(3, 6)))


def _chance(rng: Random, part: float) -> bool:
    return rng.random() < part


def _jitter(rng: Random, reach: float) -> float:
    return rng.uniform(-reach, reach)
