"""Small checkpoint whose pictures depend on all that a request says, the same on each machine.

Its weights are random, but for a path through the UNet that hands the noisy latents on: so each
step takes noise away as in a trained checkpoint, and a rounded digit stays one.
"""

import hashlib
import math
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL, PNDMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from deployments.runtimes.diffusers.families.vocabulary import write_tokenizer
from tests.runtimes.diffusers.ldm import single_file

EPSILON, V_PREDICTION = "small", "small-v"
SIDE = 64
"""Side in pixels of its pictures."""
WIDTH = 64
"""Channels of the UNet's outer level, of the VAE, and of an encoded word."""
_LAYERS = 3
_SIGNS = (1.0, -1.0)
_HANDED_ON = 2 * 4
"""Channels of the UNet that carry the latents, each twice: as it is, and its negative."""
_GAINS = (
    # Parts of names, with the factor of their weights; the first that fits counts.
    ("token_embedding", 1.0),
    ("position_embedding", 0.3),
    ("attn2.to_q", 2.0),
    ("attn2.to_k", 2.0),
    ("attn2.to_out", 2.0),
    ("quant_conv", 1.0),
)


def write(folder: Path, name: str = EPSILON) -> None:
    """Write the pipeline folder of the checkpoint that predicts noise, or of that of v."""
    write_tokenizer(folder / "words")
    tokenizer = CLIPTokenizer.from_pretrained(folder / "words", local_files_only=True)
    with torch.device("meta"):
        parts = {"unet": _unet(), "vae": _vae(), "text_encoder": CLIPTextModel(_text(tokenizer))}
    for part, network in parts.items():
        _fill(part, network)
    _hand_latents_on(parts["unet"])
    _settle(parts["vae"])
    pipeline = StableDiffusionPipeline(
        **parts,
        tokenizer=tokenizer,
        scheduler=_scheduler("v_prediction" if name == V_PREDICTION else "epsilon"),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(folder)


def digest(folder: Path) -> str:
    """Return the SHA-256 of a folder's weights as a single file."""
    file = folder / "whole.safetensors"
    single_file(folder, file, rests=False)
    found = hashlib.sha256(file.read_bytes()).hexdigest()
    file.unlink()
    return found


def _fill(part: str, network: torch.nn.Module) -> None:
    """Give a network its weights; each tensor's are drawn by its name."""
    network.to_empty(device="cpu")
    for name, buffer in network.named_buffers():
        buffer.copy_(torch.arange(buffer.numel()).reshape(buffer.shape))
        assert name.endswith("position_ids"), name
    for name, tensor in network.named_parameters():
        tensor.data.copy_(torch.from_numpy(_values(f"{part}.{name}", tuple(tensor.shape))))


def _values(name: str, shape: tuple[int, ...]) -> Any:
    # Of uniform numbers alone, by sums and products: these come out the same everywhere.
    if name.endswith("final_layer_norm.bias"):
        # Encoded words have a mean that is not zero: weights of words are scaled by it.
        return (_drawn(name, shape) * 0.5 - 0.25).astype(np.float32)
    if len(shape) == 1:
        value = 1.0 if name.endswith("weight") else 0.0
        return np.full(shape, value, np.float32)
    inputs = 3 if "embedding" in name else 3 / math.prod(shape[1:])
    gain = next((gain for part, gain in _GAINS if part in name), 1.0)
    return (_drawn(name, shape) * (gain * math.sqrt(inputs))).astype(np.float32)


def _drawn(name: str, shape: tuple[int, ...]) -> Any:
    """Draw numbers from -1 to 1."""
    return np.random.default_rng(zlib.crc32(name.encode())).random(shape) * 2 - 1


def _hand_latents_on(unet: Any) -> None:
    """Make the prediction the noisy latents themselves, with what the random weights add.

    SiLU of a number less SiLU of its negative is the number.
    """
    last = unet.up_blocks[-1].resnets[-1]
    unet.conv_in.weight.data[:_HANDED_ON] = 0
    last.conv_shortcut.weight.data[:_HANDED_ON] = 0
    last.conv2.weight.data[:_HANDED_ON] = 0
    unet.up_blocks[-1].attentions[-1].proj_out.weight.data[:_HANDED_ON] = 0
    unet.conv_out.weight.data *= 0.5
    unet.conv_out.weight.data[:, :_HANDED_ON] = 0
    for channel in range(_HANDED_ON):
        latent, sign = channel // 2, _SIGNS[channel % 2]
        unet.conv_in.weight.data[channel, latent, 1, 1] = sign
        last.conv_shortcut.weight.data[channel, WIDTH + channel, 0, 0] = 1
        unet.conv_out.weight.data[latent, channel, 1, 1] = sign * 0.8


def _settle(vae: Any) -> None:
    """Bring what the VAE gives to the sizes that a trained one's has."""
    vae.decoder.conv_out.weight.data *= 0.6
    vae.encoder.conv_out.weight.data[:4] *= 8
    # Of the logarithm of the variance: next to none, as published VAEs have it.
    vae.encoder.conv_out.weight.data[4:] = 0
    vae.encoder.conv_out.bias.data[4:] = -20
    for conv in (vae.quant_conv, vae.post_quant_conv):
        conv.weight.data.copy_(torch.eye(len(conv.weight))[..., None, None])


def _text(tokenizer: CLIPTokenizer) -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        intermediate_size=2 * WIDTH,
        projection_dim=WIDTH,
        num_hidden_layers=_LAYERS,
        num_attention_heads=4,
        max_position_embeddings=tokenizer.model_max_length,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def _unet() -> UNet2DConditionModel:
    return UNet2DConditionModel(
        sample_size=SIDE // 8,
        block_out_channels=(WIDTH, 2 * WIDTH),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        attention_head_dim=8,
        cross_attention_dim=WIDTH,
    )


def _vae() -> AutoencoderKL:
    return AutoencoderKL(
        block_out_channels=(WIDTH,) * 4,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=4,
        sample_size=SIDE,
    )


def _scheduler(prediction: str) -> PNDMScheduler:
    return PNDMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        skip_prk_steps=True,
        steps_offset=1,
        set_alpha_to_one=False,
        prediction_type=prediction,
    )
