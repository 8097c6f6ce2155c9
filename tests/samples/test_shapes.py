"""The sample checkpoint draws what it is asked for, and the judge who says so can be trusted."""

from __future__ import annotations

import json
from random import Random
from typing import TYPE_CHECKING

import pytest
import torch
from PIL import Image

from samples.shapes.caption import Sample, held_out, imagine
from samples.shapes.draw import COLOURS, SHAPES, Figure, Scene, draw
from samples.shapes.evaluate import CHECKPOINT, WORDINGS, grant, load, unseen, wish
from samples.shapes.judge import Seen, judge

if TYPE_CHECKING:
    from collections.abc import Iterator

MEGABYTE = 2**20


@pytest.fixture(scope="module")
def drawn() -> list[Sample]:
    """Hundreds of drawn scenes of one figure."""
    rng = Random(5)
    samples = (imagine(rng) for _ in range(440))
    return [sample for sample in samples if len(sample.scene.figures) == 1]


def _right(samples: list[Sample], size: int, shown_at: int) -> float:
    """Tell how many of the scenes, drawn at one size and shown at another, the judge has right."""
    right = 0
    for sample in samples:
        image = draw(sample.scene, size).resize((shown_at, shown_at), Image.Resampling.LANCZOS)
        right += judge(image) == _truth(sample.scene)
    return right / len(samples)


def _truth(scene: Scene) -> Seen:
    (figure,) = scene.figures
    return Seen(scene.background, figure.colour, figure.shape)


@pytest.mark.parametrize("shown_at", [64, 256, 512])
def test_the_judge_is_right_on_drawn_pictures_as_drawn_and_enlarged(
    drawn: list[Sample], shown_at: int
) -> None:
    some = drawn if shown_at == 64 else drawn[::4]

    assert _right(some, 64, shown_at) >= 0.99


def test_the_judge_is_right_on_pictures_drawn_large(drawn: list[Sample]) -> None:
    assert _right(drawn[::8], 256, 256) >= 0.99


def test_the_judge_sees_no_figure_where_there_is_none() -> None:
    assert judge(draw(Scene("pink", ()))) == Seen("pink")


def test_the_judge_looks_at_wide_pictures_too() -> None:
    wide = Image.new("RGB", (128, 64), (245, 245, 245))
    wide.paste(draw(Scene("white", (Figure("star", "blue"),))), (32, 0))

    assert judge(wide) == Seen("white", "blue", "star")


def test_captions_name_what_is_drawn(drawn: list[Sample]) -> None:
    for sample in drawn:
        said = sample.caption.replace("grey", "gray")
        (figure,) = sample.scene.figures
        colours = {word for word in COLOURS if word in said.replace(",", "").split()}
        shapes = {word for word in SHAPES if word in said.replace(",", "").split()}

        assert colours <= {figure.colour, sample.scene.background}
        assert shapes <= {figure.shape}
        assert colours or shapes


def test_captions_that_name_no_background_mean_a_plain_one(drawn: list[Sample]) -> None:
    untold = [sample for sample in drawn if " on " not in sample.caption.replace(" on the ", " ")]
    untold = [sample for sample in untold if "background" not in sample.caption]
    untold = [sample for sample in untold if not sample.caption.endswith((" left", " right"))]

    assert untold
    assert {sample.scene.background for sample in untold} <= {"white", "black"}


def test_training_never_shows_what_is_held_out() -> None:
    rng = Random(9)
    scenes = [imagine(rng).scene for _ in range(4000)]
    shown = {
        (scene.figures[0].colour, scene.figures[0].shape, scene.background)
        for scene in scenes
        if len(scene.figures) == 1
    }

    assert not any(held_out(*triple) for triple in shown)
    assert len(list(unseen())) > 80


def test_the_checkpoint_is_small_and_complete() -> None:
    size = sum(path.stat().st_size for path in CHECKPOINT.rglob("*") if path.is_file())
    index = json.loads((CHECKPOINT / "model_index.json").read_text())
    tokenizer = json.loads((CHECKPOINT / "tokenizer" / "tokenizer_config.json").read_text())

    assert size <= 12 * MEGABYTE
    assert index["_class_name"] == "StableDiffusionPipeline"
    assert tokenizer["model_max_length"] == 32
    for file in (
        "README.md",
        "scheduler/scheduler_config.json",
        "text_encoder/config.json",
        "text_encoder/model.safetensors",
        "tokenizer/merges.txt",
        "tokenizer/vocab.json",
        "unet/config.json",
        "unet/diffusion_pytorch_model.safetensors",
        "vae/config.json",
        "vae/diffusion_pytorch_model.safetensors",
    ):
        assert (CHECKPOINT / file).is_file(), file


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Keep torch to one core while pictures are made."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("one_thread")
def test_the_checkpoint_draws_unseen_scenes_as_asked_however_worded() -> None:
    forms = [WORDINGS[name] for name in ("full", "short", "mixed", "terse")]
    triples = list(unseen())[::6]
    group = [wish(forms[n % 4], triple, n) for n, triple in enumerate(triples[:16])]
    verdicts = grant(load(), group)

    wrong = [(v.wish.prompt, v.seen) for v in verdicts if v.seen != v.wish.expected]
    assert len(wrong) <= 2, wrong
