"""Encoding of prompts."""

from pathlib import Path

import pytest
import torch

from deployments.runtimes.diffusers.encode import Condition, Encoder, encode
from deployments.runtimes.diffusers.pipeline import Pipeline, open_pipeline
from deployments.runtimes.diffusers.prompt import Span
from models.errors import TaskFailed
from models.runtimes.diffusers.prompts import MOST_CHUNKS
from tests.runtimes.diffusers.conftest import conditions
from tests.runtimes.diffusers.weights import WIDER, WIDTH, WINDOW

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def pipeline(folder: Path) -> Pipeline:
    return open_pipeline(folder / "Stable-diffusion" / "tiny", "tiny", CPU)


def words(pipeline: Pipeline, prompt: str, skip: int = 1) -> torch.Tensor:
    return conditions(pipeline, prompt, "", skip)[0].words


def test_a_plain_prompt_is_what_the_encoder_itself_says(pipeline: Pipeline) -> None:
    tokenizer, encoder = pipeline.encoders[0]
    ids = tokenizer("a tram", padding="max_length", max_length=WINDOW, return_tensors="pt")

    assert torch.equal(words(pipeline, "a tram"), encoder(ids.input_ids).last_hidden_state.detach())


def test_the_last_layer_is_the_same_by_way_of_all_layers(pipeline: Pipeline) -> None:
    """The list of layers ends before the last normalisation, as the library says."""
    _, encoder = pipeline.encoders[0]
    seen = encoder(torch.tensor([[1, 2, 3]]), output_hidden_states=True)

    torch.testing.assert_close(
        encoder.final_layer_norm(seen.hidden_states[-1]), seen.last_hidden_state
    )


def test_clip_skip_takes_an_earlier_layer(pipeline: Pipeline) -> None:
    layers = [words(pipeline, "a tram", skip) for skip in (1, 2, 3)]

    assert not torch.equal(layers[0], layers[1])
    assert not torch.equal(layers[1], layers[2])


def test_a_weight_of_one_is_exactly_none(pipeline: Pipeline) -> None:
    assert torch.equal(words(pipeline, "a (tram:1)"), words(pipeline, "a tram"))


def test_a_weight_moves_its_word_and_the_whole_keeps_its_strength(pipeline: Pipeline) -> None:
    plain, heavy = words(pipeline, "a b"), words(pipeline, "a (b:2)")
    ratio = (heavy / plain)[0].mean(dim=-1)

    torch.testing.assert_close(plain.abs().mean(), heavy.abs().mean())
    assert ratio[2] == pytest.approx(2 * ratio[1].item(), rel=1e-3)


@pytest.mark.parametrize(("letters", "chunks"), [(0, 1), (14, 1), (15, 2), (40, 3)])
def test_a_long_prompt_is_more_chunks_for_both(
    pipeline: Pipeline, letters: int, chunks: int
) -> None:
    positive, negative = conditions(pipeline, "a " * letters, "b")

    assert positive.words.shape == negative.words.shape == (1, chunks * WINDOW, WIDTH)


def test_break_starts_a_chunk(pipeline: Pipeline) -> None:
    first = words(pipeline, "a BREAK b")

    assert first.shape[1] == 2 * WINDOW
    assert torch.equal(first[:, WINDOW:], words(pipeline, "b"))


def test_each_chunk_is_a_place_to_stop(pipeline: Pipeline) -> None:
    texts = {"a BREAK b BREAK c": "prompt", "": "negative_prompt"}

    assert sum(1 for _ in encode(pipeline, [texts])) == 2 * 3


def test_too_many_chunks_are_refused_before_any_is_encoded(pipeline: Pipeline) -> None:
    at_most = "a " * (WINDOW - 2) * MOST_CHUNKS
    next(encode(pipeline, [{at_most: "prompt", "": "negative_prompt"}]))

    for field in ("prompt", "negative_prompt"):
        with pytest.raises(TaskFailed, match=rf"^{field}: {MOST_CHUNKS + 1} chunks .* shorten it"):
            next(encode(pipeline, [{"": "prompt", at_most + "a": field}]))


def test_too_many_chunks_of_all_texts_are_refused(pipeline: Pipeline) -> None:
    texts = {"a " * (WINDOW - 2) * MOST_CHUNKS + " " * n: "prompt" for n in range(5)}

    with pytest.raises(TaskFailed, match=r"^prompt: with its edits, .* 320 chunks"):
        next(encode(pipeline, [texts]))


def test_a_weight_that_no_picture_bears_is_refused(pipeline: Pipeline) -> None:
    with pytest.raises(TaskFailed, match=r"^prompt: a word's weight of 1e\+06 is more"):
        next(encode(pipeline, [{"((a:1000):1000)": "prompt"}]))


@pytest.mark.parametrize(
    ("backtrack", "chunks"), [(20, ["aaaaaaaa,", "bbbbbbb"]), (3, ["aaaaaaaa,bbbbb", "bb"])]
)
def test_what_stands_behind_the_last_comma_goes_to_the_next_chunk(
    pipeline: Pipeline, backtrack: int, chunks: list[str]
) -> None:
    encoder = Encoder(*pipeline.encoders[0])
    cut = encoder.chunks([Span("a " * 8 + ", " + "b " * 7)], backtrack)
    letters = [[encoder.tokenizer.decode([token.id]).strip() for token in one] for one in cut]

    assert ["".join(one) for one in letters] == chunks


def test_sdxl_has_both_encoders_side_by_side_and_the_whole_in_one(folder: Path) -> None:
    pipeline = open_pipeline(folder / "Stable-diffusion" / "tiny-xl", "tiny-xl", CPU)
    condition: Condition = conditions(pipeline, "a (tram:1.2)", "")[0]
    stock = pipeline.parts.encode_prompt("a tram", device=CPU, do_classifier_free_guidance=False)

    assert condition.words.shape == (1, WINDOW, WIDTH + WIDER)
    assert condition.pooled is not None
    torch.testing.assert_close(words(pipeline, "a tram"), stock[0])
    torch.testing.assert_close(condition.pooled, stock[2])
