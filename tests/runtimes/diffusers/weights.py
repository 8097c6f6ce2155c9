"""Random weights of every sort, as small as the architectures allow; made in under a second."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    PNDMScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from safetensors.torch import save_file
from tokenizers import pre_tokenizers
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from deployments.runtimes.diffusers.rrdb import Rrdb

WINDOW = 16
WIDTH = 32
WIDER = 48
"""Width of SDXL's second text encoder."""
START, END = "<|startoftext|>", "<|endoftext|>"


def sd15(folder: Path) -> None:
    """Write a pipeline folder of the Stable Diffusion 1.x architecture; pictures of 32 pixels."""
    torch.manual_seed(0)
    tokenizer = _tokenizer(folder / "words")
    pipeline = StableDiffusionPipeline(
        vae=_vae(),
        text_encoder=CLIPTextModel(_text(tokenizer)),
        tokenizer=tokenizer,
        unet=_unet(cross_attention_dim=WIDTH),
        scheduler=_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(folder)


def sdxl(folder: Path) -> None:
    """Write a pipeline folder of the SDXL architecture."""
    torch.manual_seed(1)
    tokenizer = _tokenizer(folder / "words")
    unet = _unet(
        cross_attention_dim=WIDTH + WIDER,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=6 * 8 + WIDER,
        transformer_layers_per_block=(1, 1),
        use_linear_projection=True,
    )
    pipeline = StableDiffusionXLPipeline(
        vae=_vae(),
        text_encoder=CLIPTextModel(_text(tokenizer)),
        text_encoder_2=CLIPTextModelWithProjection(_text(tokenizer, WIDER)),
        tokenizer=tokenizer,
        tokenizer_2=tokenizer,
        unet=unet,
        scheduler=_scheduler(),
    )
    pipeline.save_pretrained(folder)


def kohya_lora(path: Path, *, scale: float = 1.0, text: bool = True) -> None:
    """Make a LoRA for the tiny pipeline's attention, with the names of kohya's trainer."""
    torch.manual_seed(2)
    tensors = {}
    blocks = {"lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k": (WIDTH, 32)}
    if text:
        layer = "lora_te_text_model_encoder_layers_0_self_attn"
        blocks |= {f"{layer}_{part}_proj": (WIDTH, WIDTH) for part in ("q", "out")}
    for name, (into, out) in blocks.items():
        tensors[f"{name}.lora_down.weight"] = torch.randn(2, into)
        tensors[f"{name}.lora_up.weight"] = torch.randn(out, 2) * scale
        tensors[f"{name}.alpha"] = torch.tensor(2.0)
    save_file(tensors, path)


def rrdb(*, ups: int = 2, shuffle: int = 1, seed: int = 3) -> Rrdb:
    torch.manual_seed(seed)
    return Rrdb(width=8, growth=4, blocks=2, ups=ups, shuffle=shuffle).eval()


def numbered(network: Rrdb) -> Mapping[str, torch.Tensor]:
    """Make an upscaler's tensors under the names of the first ESRGAN."""
    blocks, ups = len(network.blocks), len(network.ups)
    ends = {f"ups.{n}": f"model.{3 * (n + 1)}" for n in range(ups)}
    after = 3 * ups + 2
    ends |= {"full": f"model.{after}", "last": f"model.{after + 2}"}
    ends |= {"first": "model.0", "trunk": f"model.1.sub.{blocks}"}
    dense = "model.1.sub.{}.RDB{}.conv{}.0"
    return _renamed(network, ends, dense)


def esrgan(network: Rrdb) -> Mapping[str, torch.Tensor]:
    """Make the same tensors under the names of the second ESRGAN."""
    ends = {f"ups.{n}": f"upconv{n + 1}" for n in range(len(network.ups))}
    ends |= {"full": "HRconv", "last": "conv_last", "first": "conv_first", "trunk": "trunk_conv"}
    return _renamed(network, ends, "RRDB_trunk.{}.RDB{}.conv{}")


def realesrgan(network: Rrdb) -> Mapping[str, torch.Tensor]:
    """Make the same tensors under the names of Real-ESRGAN."""
    ends = {f"ups.{n}": f"conv_up{n + 1}" for n in range(len(network.ups))}
    ends |= {"full": "conv_hr", "last": "conv_last", "first": "conv_first", "trunk": "conv_body"}
    return _renamed(network, ends, "body.{}.rdb{}.conv{}")


def _renamed(network: Rrdb, ends: Mapping[str, str], dense: str) -> Mapping[str, torch.Tensor]:
    tensors = {}
    for name, tensor in network.state_dict().items():
        layer, _, kind = name.rpartition(".")
        if layer.startswith("blocks."):
            _, block, _, number, _, place = layer.split(".")
            layer = dense.format(block, number, place)
        else:
            layer = ends[layer]
        tensors[f"{layer}.{kind}"] = tensor.contiguous()
    return tensors


def _tokenizer(folder: Path) -> CLIPTokenizer:
    """Make a tokenizer whose words are bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = [*letters, *(f"{letter}</w>" for letter in letters), START, END]
    vocab = {word: number for number, word in enumerate(words)}
    marks = {"bos_token": START, "eos_token": END, "pad_token": END, "unk_token": END}
    return CLIPTokenizer(vocab=vocab, merges=[], model_max_length=WINDOW, **marks)


def _text(tokenizer: CLIPTokenizer, width: int = WIDTH) -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=2 * width,
        projection_dim=width,
        num_hidden_layers=3,
        num_attention_heads=2,
        max_position_embeddings=WINDOW,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def _unet(**more: Any) -> UNet2DConditionModel:
    return UNet2DConditionModel(
        sample_size=16,
        block_out_channels=(32, 64),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        attention_head_dim=4,
        norm_num_groups=8,
        **more,
    )


def _vae() -> AutoencoderKL:
    return AutoencoderKL(
        block_out_channels=(16, 32),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        norm_num_groups=8,
        latent_channels=4,
        sample_size=32,
    )


def _scheduler() -> PNDMScheduler:
    return PNDMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        skip_prk_steps=True,
        steps_offset=1,
        set_alpha_to_one=False,
    )
