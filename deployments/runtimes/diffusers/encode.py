"""Encoding of prompts for the UNet: own code, with weights and of any length.

A prompt longer than the encoder's window is cut into chunks, each encoded by itself, side by side.
"""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch

from deployments.runtimes.diffusers.pipeline import Pipeline
from deployments.runtimes.diffusers.prompt import Break, Span, spans
from models.errors import TaskFailed
from models.runtimes.diffusers.prompt_editing import MOST_WEIGHT
from models.runtimes.diffusers.prompts import chunk_fault, encoded_fault

_PENULTIMATE = 2
_LEAST_MEAN = 0.02
"""Least mean of encoded words, as a share of their mean magnitude, that tells their strength."""


@dataclass(frozen=True, eq=False)
class Condition:
    """Encoded prompt, as the UNet takes it."""

    words: torch.Tensor
    """1 x tokens x width, of the text encoder's type; tokens are 77 for each chunk."""
    pooled: torch.Tensor | None = None
    """1 x width, of the whole prompt; SDXL only."""

    def of_length(self, tokens: int) -> "Condition":
        """Return the same with its last token again and again, up to this many."""
        more = self.words[:, -1:].expand(-1, tokens - self.words.shape[1], -1)
        return replace(self, words=torch.cat([self.words, more], dim=1))


@dataclass(frozen=True)
class _Token:
    id: int
    weight: float


@dataclass(frozen=True)
class Encoder:
    """Text encoder with its tokenizer."""

    tokenizer: Any
    network: Any

    @property
    def room(self) -> int:
        """Tokens of a chunk, without its start and its end: 75."""
        # A tokenizer that was told no limit says 1e30.
        window = min(self.tokenizer.model_max_length, self.network.config.max_position_embeddings)
        return int(window) - 2

    @cached_property
    def comma(self) -> int | None:
        """Token of a comma, if it is one token."""
        ids = self.tokenizer(",", add_special_tokens=False).input_ids
        return int(ids[0]) if len(ids) == 1 else None

    def chunks(self, text: Sequence[Span | Break], backtrack: int = 20) -> list[list[_Token]]:
        """Cut the text into chunks of tokens that fit; at least one, which may be empty.

        What stands behind a full chunk's last comma goes to the next one if it has fewer tokens
        than ``backtrack``, so that no phrase is torn.
        """
        chunks: list[list[_Token]] = [[]]
        comma = 0  # tokens of the last chunk up to its last comma, which is one of them
        for span in text:
            if isinstance(span, Break):
                chunks.append([])
                comma = 0
                continue
            for token in self._tokens(span):
                if len(chunks[-1]) == self.room:
                    behind = self.room - comma
                    moves = comma and behind < backtrack and token.id != self.comma
                    chunks.append(chunks[-1][comma:] if moves else [])
                    if moves:
                        del chunks[-2][comma:]
                    comma = 0
                chunks[-1].append(token)
                if token.id == self.comma:
                    comma = len(chunks[-1])
        return chunks

    def encode(self, chunk: Sequence[_Token], skip: int, *, is_sdxl: bool) -> Condition:
        """Encode a chunk into words of 1 x 77 x width; weights keep the whole at its strength.

        Raises:
            TaskFailed: ``skip`` is more than the layers that the encoder has.
        """
        ids = torch.tensor([self._framed(chunk)], device=self.network.device)
        output = self.network(ids, output_hidden_states=True)
        words = self._layer(output, skip, is_sdxl=is_sdxl)
        return Condition(_weighted(words, chunk), getattr(output, "text_embeds", None))

    def _tokens(self, span: Span) -> list[_Token]:
        # Not verbose: it would warn of a text beyond the window, which is cut into chunks anyway.
        ids = self.tokenizer(span.text, add_special_tokens=False, verbose=False).input_ids
        return [_Token(id_, span.weight) for id_ in ids]

    def _framed(self, chunk: Sequence[_Token]) -> list[int]:
        start, end = self.tokenizer.bos_token_id, self.tokenizer.eos_token_id
        padding = [self.tokenizer.pad_token_id] * (self.room - len(chunk))
        return [start, *(token.id for token in chunk), end, *padding]

    def _layer(self, output: Any, skip: int, *, is_sdxl: bool) -> torch.Tensor:
        layers = self.network.config.num_hidden_layers
        if skip > layers:
            raise TaskFailed(
                f"override_settings.CLIP_stop_at_last_layers: {skip} is more than the {layers} "
                "layers of the checkpoint's text encoder"
            )
        if is_sdxl:  # SDXL was trained on the last layer but one, not normalised
            layer: torch.Tensor = output.hidden_states[-max(skip, _PENULTIMATE)]
            return layer
        if skip == 1:
            return output.last_hidden_state  # type: ignore[no-any-return]  # untyped library
        # The inner layers' outputs are not normalised, and the UNet was trained on normalised ones.
        return self.network.final_layer_norm(output.hidden_states[-skip])  # type: ignore[no-any-return]


@torch.inference_mode()
def encode(
    pipeline: Pipeline,
    groups: Sequence[Mapping[str, str]],
    skip: int = 1,
    backtrack: int = 20,
) -> Generator[None, None, list[dict[str, Condition]]]:
    """Encode groups of texts, each text with the field that it is from; yields after each chunk.

    The texts of a group are padded to the same number of chunks. ``skip`` is the Web UI's clip
    skip: 1 is the text encoder's last layer, 2 the one before. Conditions have words of
    1 x 77 * chunks x width; SDXL's width is that of both encoders.

    Raises:
        TaskFailed: there are too many chunks, a word's weight is more than any picture bears, or
            ``skip`` is more than there are layers.
    """
    encoders = [Encoder(*pair) for pair in pipeline.encoders]
    chunked = {
        text: [encoder.chunks(_weighed(spans(text), field), backtrack) for encoder in encoders]
        for group in groups
        for text, field in group.items()
    }
    lengths = {text: max(map(len, chunks)) for text, chunks in chunked.items()}
    longest, count = max(lengths.values()), sum(map(len, groups))
    for text, field in ((text, field) for group in groups for text, field in group.items()):
        if long := chunk_fault(lengths[text]) or encoded_fault(count * longest):
            raise TaskFailed(f"{field}: {long}")
    found = []
    for group in groups:
        length = max(lengths[text] for text in group)
        conditions = {}
        for text in group:
            encoded: list[list[Condition]] = []
            for encoder, chunks in zip(encoders, chunked[text], strict=True):
                encoded.append([])
                for chunk in _padded(chunks, length):
                    encoded[-1].append(encoder.encode(chunk, skip, is_sdxl=pipeline.is_sdxl))
                    yield
            conditions[text] = _joined(encoded)
        found.append(conditions)
    return found


def _weighed(read: list[Span | Break], field: str) -> list[Span | Break]:
    """Return the pieces of a text if their weights can be borne."""
    for piece in read:
        if isinstance(piece, Span) and abs(piece.weight) > MOST_WEIGHT:
            raise TaskFailed(
                f"{field}: a word's weight of {piece.weight:.3g} is more than the {MOST_WEIGHT} "
                "allowed"
            )
    return read


def _padded(chunks: list[list[_Token]], length: int) -> list[list[_Token]]:
    return chunks + [[] for _ in range(length - len(chunks))]


def _joined(encoded: list[list[Condition]]) -> Condition:
    """Join chunks one after another and encoders side by side; the first chunk is pooled."""
    words = [torch.cat([chunk.words for chunk in chunks], dim=1) for chunks in encoded]
    return Condition(torch.cat(words, dim=-1), encoded[-1][0].pooled)


def _weighted(words: torch.Tensor, chunk: Sequence[_Token]) -> torch.Tensor:
    """Multiply each token's row by its weight, in words of 1 x tokens x width."""
    if all(token.weight == 1 for token in chunk):
        return words
    weights = torch.ones(words.shape[1], device=words.device, dtype=words.dtype)
    weights[1 : len(chunk) + 1] = weights.new_tensor([token.weight for token in chunk])
    weighted = words * weights[None, :, None]
    return weighted * _restoring(words, weighted)


def _restoring(words: torch.Tensor, weighted: torch.Tensor) -> torch.Tensor:
    """Return the factor that brings weighted words back to the strength that they had.

    It is that of their means, as in the Web UI; but of their magnitudes where the mean is next to
    nothing, and the factor would be anything.
    """
    if all(each.mean().abs() > _LEAST_MEAN * each.abs().mean() for each in (words, weighted)):
        return words.mean() / weighted.mean()
    return words.abs().mean() / weighted.abs().mean().clamp_min(1e-6)
