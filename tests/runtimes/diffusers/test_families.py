"""Families of single files, which are loaded whole."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from deployments.runtimes.diffusers.families.loading import HERE, load
from deployments.runtimes.diffusers.families.single_file import family
from deployments.runtimes.diffusers.families.vocabulary import write_tokenizer
from deployments.runtimes.diffusers.pipeline import open_pipeline
from models.errors import TaskFailed
from tests.runtimes.diffusers.ldm import single_file

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("tokenizer")
    write_tokenizer(folder)
    return CLIPTokenizer.from_pretrained(folder, local_files_only=True)


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("a photo of a cat", [320, 1125, 539, 320, 2368]),
        ("A Photo of a CAT", [320, 1125, 539, 320, 2368]),
        ("hello world!", [3306, 1002, 256]),
    ],
)
def test_the_vocabulary_is_clips_own(tokenizer: Any, text: str, ids: list[int]) -> None:
    assert tokenizer(text).input_ids == [49406, *ids, 49407]
    assert len(tokenizer) == 49408
    assert tokenizer.model_max_length == 77


@pytest.mark.parametrize(
    ("folder", "network", "count"),
    [
        ("sd15/unet", UNet2DConditionModel, 859_520_964),
        ("sd15/vae", AutoencoderKL, 83_653_863),
        ("sd15/text_encoder", CLIPTextModel, 123_060_480),
        ("sdxl/unet", UNet2DConditionModel, 2_567_463_684),
        ("sdxl/vae", AutoencoderKL, 83_653_863),
        ("sdxl/text_encoder", CLIPTextModel, 123_060_480),
        ("sdxl/text_encoder_2", CLIPTextModelWithProjection, 694_659_840),
    ],
)
def test_the_configurations_are_the_published_ones(folder: str, network: Any, count: int) -> None:
    """The published networks' numbers of parameters are well known."""
    given = json.loads((HERE / folder / "config.json").read_text())
    with torch.device("meta"):
        if folder.split("/")[1].startswith("text"):
            made = network(CLIPTextConfig(**given))
        else:
            made = network.from_config(given)

    assert sum(parameter.numel() for parameter in made.parameters()) == count


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["model.diffusion_model.x", "cond_stage_model.transformer.text_model.x"], "sd15"),
        (["conditioner.embedders.1.model.x", "model.diffusion_model.x"], "sdxl"),
        (["cond_stage_model.transformer.embeddings.x"], "sd15"),
        (["cond_stage_model.model.ln_final.weight"], None),
        (["conditioner.embedders.0.model.x"], None),
        (["double_blocks.0.img_attn.qkv.weight"], None),
        ([], None),
    ],
)
def test_a_family_is_told_by_its_text_encoder(names: list[str], found: str | None) -> None:
    assert family(names) == found


def test_a_file_of_no_known_family_is_refused(tmp_path: Path) -> None:
    save_file({"double_blocks.0.weight": torch.zeros(1)}, tmp_path / "flux.safetensors")

    with pytest.raises(TaskFailed, match=r"flux.safetensors is of no known family.*SDXL"):
        open_pipeline(tmp_path / "flux.safetensors", "flux", CPU)


def test_a_broken_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "half.safetensors").write_bytes(b"\0" * 100)

    with pytest.raises(TaskFailed, match="checkpoint half cannot be loaded"):
        open_pipeline(tmp_path / "half.safetensors", "half", CPU)


@pytest.mark.parametrize(
    ("name", "found", "parts"),
    [
        ("tiny", "sd15", ["unet", "vae", "text_encoder"]),
        ("tiny-xl", "sdxl", ["unet", "vae", "text_encoder", "text_encoder_2"]),
    ],
)
def test_a_single_file_is_loaded_whole(
    folder: Path, tmp_path: Path, name: str, found: str, parts: list[str]
) -> None:
    """Write a file with the family's names; a configuration as small as it gives its sizes."""
    source = folder / "Stable-diffusion" / name
    single_file(source, tmp_path / "one.safetensors")
    _as_family(source, tmp_path / found)
    whole = load(source, torch.float32)
    single = load(tmp_path / "one.safetensors", torch.float32, tmp_path)

    assert type(single) is type(whole)
    for part in parts:
        wanted = getattr(whole, part).state_dict()
        read = getattr(single, part).state_dict()
        assert [key for key in wanted if not torch.equal(read[key], wanted[key])] == [], part
    assert single.tokenizer("a tram").input_ids == whole.tokenizer("a tram").input_ids


def test_an_older_pickled_file_is_read_too(folder: Path, tmp_path: Path) -> None:
    """Pickles must be allowed; only the tensors in them are read."""
    source = folder / "Stable-diffusion" / "tiny"
    single_file(source, tmp_path / "old.ckpt")
    _as_family(source, tmp_path / "sd15")
    loaded = load(tmp_path / "old.ckpt", torch.float32, tmp_path)

    wanted = load(source, torch.float32).unet.conv_in.weight
    assert torch.equal(loaded.unet.conv_in.weight, wanted)


def test_a_pickle_that_would_run_code_is_refused(tmp_path: Path) -> None:
    torch.save({"state_dict": print}, tmp_path / "evil.ckpt")

    with pytest.raises(TaskFailed, match="checkpoint evil cannot be loaded"):
        open_pipeline(tmp_path / "evil.ckpt", "evil", CPU)


def test_a_single_file_gets_the_shipped_vocabulary(folder: Path, tmp_path: Path) -> None:
    source = folder / "Stable-diffusion" / "tiny"
    single_file(source, tmp_path / "tiny.safetensors")
    _as_family(source, tmp_path / "sd15")
    shutil.rmtree(tmp_path / "sd15" / "tokenizer")

    loaded = load(tmp_path / "tiny.safetensors", torch.float32, tmp_path)
    assert len(loaded.tokenizer) == 49408


def _as_family(source: Path, target: Path) -> None:
    """Copy a pipeline's folder without its weights."""
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("*.safetensors"))


@pytest.mark.parametrize("channels", [9, 8])
def test_a_checkpoint_made_for_inpainting_only_is_refused(
    folder: Path, tmp_path: Path, channels: int
) -> None:
    shutil.copytree(folder / "Stable-diffusion" / "tiny", tmp_path / "nine")
    file = tmp_path / "nine" / "unet" / "config.json"
    config = json.loads(file.read_text()) | {"in_channels": channels}
    file.write_text(json.dumps(config))
    (tmp_path / "nine" / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    made = UNet2DConditionModel.from_config(config)
    made.save_pretrained(tmp_path / "nine" / "unet")

    with pytest.raises(TaskFailed, match=f"nine has {channels} input channels"):
        open_pipeline(tmp_path / "nine", "nine", CPU)
