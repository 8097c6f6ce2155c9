"""Checkpoints that are not whole are refused with the part named; common layouts are painted."""

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import CLIPTextConfig, CLIPTextModel

from deployments.runtimes.diffusers.families.loading import load
from deployments.runtimes.diffusers.families.vocabulary import write_tokenizer
from deployments.runtimes.diffusers.pipeline import open_pipeline
from models.errors import TaskFailed
from tests.runtimes.diffusers.ldm import single_file

CPU = torch.device("cpu")
Tensors = dict[str, torch.Tensor]
UNET, VAE = "model.diffusion_model.", "first_stage_model."
FIRST, SECOND = "conditioner.embedders.0.transformer.", "conditioner.embedders.1.model."
TEXT = "cond_stage_model.transformer."


@pytest.fixture(scope="module")
def files(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a single file of each family, and the configurations that it is read with."""
    made = tmp_path_factory.mktemp("single")
    for name, family in (("tiny", "sd15"), ("tiny-xl", "sdxl")):
        source = folder / "Stable-diffusion" / name
        single_file(source, made / f"{family}.safetensors")
        shutil.copytree(source, made / family, ignore=shutil.ignore_patterns("*.safetensors"))
    return made


@pytest.fixture
def changed(files: Path, tmp_path: Path) -> Callable[[str, Callable[[Tensors], Tensors]], Path]:
    """Write a family's file with other tensors."""

    def write(family: str, change: Callable[[Tensors], Tensors]) -> Path:
        tensors = change(load_file(files / f"{family}.safetensors"))
        save_file(tensors, tmp_path / "odd.safetensors")
        return tmp_path / "odd.safetensors"

    return write


def without(*prefixes: str) -> Callable[[Tensors], Tensors]:
    return lambda tensors: {
        name: tensor for name, tensor in tensors.items() if not name.startswith(prefixes)
    }


def only(*prefixes: str) -> Callable[[Tensors], Tensors]:
    return lambda tensors: {
        name: tensor for name, tensor in tensors.items() if name.startswith(prefixes)
    }


def plus(name: str, *shape: int) -> Callable[[Tensors], Tensors]:
    return lambda tensors: tensors | {name: torch.zeros(shape)}


BIAS = "lacks 1 of its 22 tensors: "


@pytest.mark.parametrize(
    ("family", "change", "told"),
    [
        ("sd15", only(f"{TEXT}text_model.final_layer_norm.bias"), "lacks the UNet .*, the VAE"),
        ("sd15", without(VAE), r"lacks the VAE \(first_stage_model\.\*\)$"),
        ("sd15", without(UNET), r"lacks the UNet \(model\.diffusion_model\.\*\)$"),
        ("sd15", only(UNET, VAE), r"lacks the text encoder \(cond_stage_model"),
        ("sdxl", only(UNET), "lacks the VAE .*, the first text encoder .*, the second text enc"),
        ("sdxl", without(SECOND), r"lacks the second text encoder \(conditioner\.embedders\.1"),
        ("sdxl", without(FIRST), r"lacks the first text encoder \(conditioner\.embedders\.0"),
        ("sd15", without(f"{UNET}out.2.bias"), "the UNet lacks 1 of its .*: conv_out.bias"),
        ("sdxl", without(f"{UNET}label_emb"), "the UNet cannot be read .*label_emb"),
        ("sd15", without(f"{VAE}decoder.conv_out"), "the VAE lacks 2 of its .*decoder.conv_out"),
        ("sd15", without(f"{TEXT}text_model.final"), "text encoder lacks 2 .*final_layer_norm"),
        ("sdxl", without(f"{SECOND}ln_final"), "second text encoder lacks 2 .*final_layer_norm"),
        ("sd15", plus(f"{UNET}scaled_fp8", 2), "the UNet has 1 .*: model.*scaled_fp8"),
        ("sd15", plus(f"{UNET}input_blocks.9.0.x", 2), "the UNet has 1 tensors that do not bel"),
        ("sd15", plus(f"{VAE}taesd.weight", 2), "the VAE has 1 .*: first_stage_model.taesd"),
        ("sd15", plus(f"{TEXT}text_model.x", 2), "the text encoder has 1 .*: x$"),
        ("sdxl", plus(f"{SECOND}visual.proj", 2), "the second text encoder has 1 .*: visual"),
        ("sd15", plus(f"{UNET}out.2.bias", 9), "another shape: conv_out.bias is 9, not 4$"),
        ("sd15", plus(f"{VAE}quant_conv.bias", 4), "VAE .*shape: quant_conv.bias is 4, not 8"),
        ("sd15", plus(f"{UNET}input_blocks.0.0.weight", 32, 9, 3, 3), "has 9 input channels"),
        ("sd15", plus("edm_mean", 4), r"trained with EDM's noise \(edm_mean\)"),
    ],
)
def test_a_file_that_is_not_whole_is_refused_with_the_part_named(
    changed: Callable[..., Path],
    files: Path,
    family: str,
    change: Callable[[Tensors], Tensors],
    told: str,
) -> None:
    with pytest.raises(TaskFailed, match=f"checkpoint odd.safetensors.* {told}"):
        load(changed(family, change), torch.float32, files)


def test_a_text_encoder_without_its_middle_name_is_read(
    changed: Callable[..., Path], files: Path
) -> None:
    path = changed(
        "sd15",
        lambda tensors: {
            name.replace(f"{TEXT}text_model.", TEXT): tensor for name, tensor in tensors.items()
        },
    )
    read = load(path, torch.float32, files).text_encoder.state_dict()
    wanted = load(files / "sd15.safetensors", torch.float32, files).text_encoder.state_dict()

    assert [name for name in wanted if not torch.equal(read[name], wanted[name])] == []


def test_what_is_of_no_part_is_logged_by_name(
    changed: Callable[..., Path], files: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        load(changed("sd15", plus("lora_unet_x", 2)), torch.float32, files)
        load(files / "sdxl.safetensors", torch.float32, files)  # has what training left

    (record,) = [one for one in caplog.records if one.message == "checkpoint_tensors_unused"]
    assert vars(record)["names"] == ["lora_unet_x"]


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder / "Stable-diffusion" / "tiny", tmp_path / "copy"))


@pytest.mark.parametrize(
    ("file", "told"),
    [
        ("tokenizer", "tokenizer/ lacks tokenizer.json, or vocab.json and merges.txt"),
        ("tokenizer/tokenizer.json", "tokenizer/ lacks tokenizer.json, or vocab.json and merges"),
        ("vae", "vae/ lacks config.json"),
        ("vae/diffusion_pytorch_model.safetensors", "vae/ lacks its weights"),
        ("scheduler", "scheduler/ lacks scheduler_config.json"),
    ],
)
def test_a_folder_without_a_part_is_refused_with_the_part_named(
    copy: Path, file: str, told: str
) -> None:
    path = copy / file
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()

    with pytest.raises(TaskFailed, match=f"checkpoint copy is not whole: {told}"):
        open_pipeline(copy, "copy", CPU)


@pytest.mark.parametrize("part", ["tokenizer", "vae"])
def test_a_folder_whose_index_names_no_such_part_is_refused(copy: Path, part: str) -> None:
    index = json.loads((copy / "model_index.json").read_text()) | {part: [None, None]}
    (copy / "model_index.json").write_text(json.dumps(index))

    with pytest.raises(TaskFailed, match=rf"model_index.json names no {part}"):
        open_pipeline(copy, "copy", CPU)


def test_a_folder_of_another_family_is_refused_before_its_weights_are_read(copy: Path) -> None:
    index = {"_class_name": "FluxPipeline", "transformer": ["diffusers", "FluxTransformer2DModel"]}
    (copy / "model_index.json").write_text(json.dumps(index))

    with pytest.raises(TaskFailed, match=r"copy is neither Stable Diffusion 1\.x nor SDXL"):
        open_pipeline(copy, "copy", CPU)


@pytest.mark.parametrize(
    ("part", "word"),
    [("unet", "the UNet"), ("vae", "the VAE"), ("text_encoder", "the text encoder")],
)
@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda tensors, name: tensors.pop(name), "lacks 1 of its [0-9]+ tensors: {name}"),
        (lambda tensors, _: tensors.update(x=torch.zeros(2)), "has 1 tensors .*belong to it: x"),
        (lambda tensors, name: tensors.update({name: torch.zeros(3)}), "shape.*|.*{name}"),
    ],
)
def test_a_folder_whose_weights_are_not_its_architectures_is_refused(
    copy: Path, part: str, word: str, change: Callable[[Tensors, str], None], told: str
) -> None:
    (path,) = (copy / part).glob("*.safetensors")
    tensors = load_file(path)
    name = next(name for name in tensors if name.endswith("bias"))
    change(tensors, name)
    save_file(tensors, path, metadata={"format": "pt"})

    with pytest.raises(TaskFailed, match=told.format(name=name)) as refused:
        open_pipeline(copy, "copy", CPU)
    assert word in str(refused.value) or name in str(refused.value)


def cut_short(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1000])


def with_facts(**facts: object) -> Callable[[Path], None]:
    return lambda file: void(file.write_text(json.dumps(json.loads(file.read_text()) | facts)))


def text(content: str) -> Callable[[Path], None]:
    return lambda file: void(file.write_text(content))


def void(_: object) -> None:
    """Drop a result."""


def of_other_shape(end: str) -> Callable[[Path], None]:
    def change(file: Path) -> None:
        tensors = load_file(file)
        save_file(tensors | {end: torch.zeros(9)}, file, metadata={"format": "pt"})

    return change


WEIGHTS = "diffusion_pytorch_model.safetensors"
FLOW = "FlowMatchEulerDiscreteScheduler"
SCHEDULE = "scheduler/scheduler_config.json"


@pytest.mark.parametrize(
    ("file", "change", "told"),
    [
        ("model_index.json", text("[]"), "the list of its parts .*model_index.json is no JSON obj"),
        ("model_index.json", text("{"), "the list of its parts .*model_index.json is no JSON obj"),
        ("model_index.json", with_facts(unet=["diffusers"]), "the UNet .*ValueError"),
        ("model_index.json", with_facts(unet=["diffusers", "X"]), "the UNet .*AttributeError: .*X"),
        ("model_index.json", with_facts(scheduler=["diffusers", FLOW]), "the scheduler .*flow mat"),
        ("unet/config.json", text("[1]"), r"the UNet .*config.json is no JSON object"),
        ("vae/config.json", text("null"), r"the VAE .*config.json is no JSON object"),
        ("text_encoder/config.json", text("7"), r"the text encoder .*config.json is no JSON obj"),
        ("tokenizer/tokenizer_config.json", text("[]"), "the tokenizer .*_config.json is no JSON"),
        ("tokenizer/tokenizer.json", text("[]"), "the tokenizer .*tokenizer.json is no JSON"),
        ("tokenizer/tokenizer.json", text("{}"), "the tokenizer "),
        (SCHEDULE, text("[]"), "the scheduler .*scheduler_config.json is no JSON object"),
        (SCHEDULE, with_facts(prediction_type="nonsense"), "the scheduler .*'nonsense' is none of"),
        (SCHEDULE, with_facts(prediction_type="flow_prediction"), "the scheduler .*'flow_predic"),
        (SCHEDULE, with_facts(use_flow_sigmas=True), "the scheduler .*flow matching"),
        (SCHEDULE, with_facts(_class_name=FLOW), f"the scheduler .*{FLOW} is of a family that is"),
        (SCHEDULE, with_facts(_class_name="EDMEulerScheduler"), "the scheduler .*not painted here"),
        (SCHEDULE, with_facts(_class_name="Tensor"), "the scheduler .*'Tensor' is no scheduler"),
        (SCHEDULE, with_facts(beta_schedule="nonsense"), "the scheduler .*nonsense"),
        (SCHEDULE, with_facts(beta_end="much"), "the scheduler "),
        (SCHEDULE, with_facts(num_train_timesteps=0), "the scheduler "),
        (SCHEDULE, with_facts(trained_betas=[0.1, 0.2, 1.5]), "the scheduler .*does not rise"),
        ("unet/config.json", with_facts(block_out_channels="wide"), "the UNet "),
        ("text_encoder/config.json", with_facts(num_attention_heads=7), "the text encoder "),
        (f"unet/{WEIGHTS}", cut_short, "the UNet "),
        (f"vae/{WEIGHTS}", cut_short, "the VAE "),
        ("text_encoder/model.safetensors", cut_short, "the text encoder "),
        (f"unet/{WEIGHTS}", of_other_shape("conv_in.bias"), "the UNet .*conv_in.bias"),
        (f"vae/{WEIGHTS}", of_other_shape("quant_conv.bias"), "the VAE .*quant_conv.bias"),
    ],
)
def test_a_part_that_cannot_be_read_is_named_without_paths_and_advice(
    copy: Path, file: str, change: Callable[[Path], None], told: str
) -> None:
    change(copy / file)

    with pytest.raises(TaskFailed, match=rf"^checkpoint copy: {told}") as refused:
        open_pipeline(copy, "copy", CPU)
    assert "cannot be read (" in str(refused.value)
    for unwanted in (str(copy.parent), "http", "=True", "=False", "`"):
        assert unwanted not in str(refused.value)


@pytest.fixture
def clip(copy: Path) -> Path:
    """Make a checkpoint whose tokenizer is CLIP's own, in the two files of older folders."""
    shutil.rmtree(copy / "tokenizer")
    write_tokenizer(copy / "tokenizer")
    config = CLIPTextConfig.from_pretrained(copy / "text_encoder")
    config.vocab_size = 49408
    CLIPTextModel(config).save_pretrained(copy / "text_encoder")
    return copy


def test_a_whole_tokenizer_in_two_files_is_read(clip: Path) -> None:
    assert len(load(clip, torch.float32).tokenizer) == 49408


@pytest.mark.parametrize(
    ("file", "content", "told"),
    [
        ("merges.txt", "", "its merges make none of 48894 of its 49406 words"),
        ("merges.txt", "#version: 0.2\ni n\nt h\n", "its merges make none of 48892 of"),
        ("vocab.json", "{}", ""),
        ("vocab.json", "[]", "vocab.json is no JSON object"),
    ],
)
def test_a_tokenizer_without_its_words_is_refused(
    clip: Path, file: str, content: str, told: str
) -> None:
    (clip / "tokenizer" / file).write_text(content)

    with pytest.raises(TaskFailed, match=rf"copy: the tokenizer cannot be read \(.*{told}"):
        open_pipeline(clip, "copy", CPU)


def test_a_tokenizer_of_another_text_encoder_is_refused(copy: Path) -> None:
    shutil.rmtree(copy / "tokenizer")
    write_tokenizer(copy / "tokenizer")

    with pytest.raises(TaskFailed, match=r"the tokenizer .*ids go up to 49407, .* to 513\)"):
        open_pipeline(copy, "copy", CPU)


@pytest.mark.parametrize("parts", [("unet", "vae", "text_encoder"), ("unet",)])
@pytest.mark.parametrize("variant", ["fp16", "non_ema"])
def test_a_folder_with_variants_only_is_read(
    copy: Path, folder: Path, parts: tuple[str, ...], variant: str
) -> None:
    for part in parts:
        (path,) = (copy / part).glob("*.safetensors")
        path.rename(path.with_suffix(f".{variant}.safetensors"))
    whole = load(folder / "Stable-diffusion" / "tiny", torch.float32)
    read = load(copy, torch.float32)

    for part in ("unet", "vae", "text_encoder"):
        wanted, given = getattr(whole, part).state_dict(), getattr(read, part).state_dict()
        assert all(torch.equal(given[name], wanted[name]) for name in wanted)


def test_a_folder_with_the_names_of_older_text_encoders_is_read(copy: Path, folder: Path) -> None:
    (path,) = (copy / "text_encoder").glob("*.safetensors")
    tensors = {f"text_model.{name}": tensor for name, tensor in load_file(path).items()}
    tensors["text_model.embeddings.position_ids"] = torch.arange(16)[None]
    save_file(tensors, path, metadata={"format": "pt"})
    read = load(copy, torch.float32).text_encoder.state_dict()
    wanted = load(folder / "Stable-diffusion" / "tiny", torch.float32).text_encoder.state_dict()

    assert all(torch.equal(read[name], wanted[name]) for name in wanted)
