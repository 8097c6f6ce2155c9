"""Sorts of LoRA, by the definition of each; a file of any other sort is told what it is."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from safetensors.torch import save_file
from torch import Tensor

from deployments.runtimes.diffusers.lora import applied
from deployments.runtimes.diffusers.pipeline import Pipeline, open_pipeline
from deployments.runtimes.diffusers.prompt import LoraTag
from models.checkpoints import Shelf
from models.errors import TaskFailed

LINEAR = "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k"
FIRST = "input_blocks.1.1.transformer_blocks.0.attn2.to_k"
"""Name of the same layer in the first Stable Diffusion's own code."""
CONV = "down_blocks.0.resnets.0.conv1"
TEXT = "encoder.layers.1.self_attn.q_proj"
KOHYA = {name: f"lora_unet_{name.replace('.', '_')}" for name in (LINEAR, CONV)}
RANK, ALPHA, WEIGHT = 2, 3.0, 0.7
Parts = Mapping[str, Tensor]


@pytest.fixture(scope="module")
def pipeline(folder: Path) -> Pipeline:
    return open_pipeline(folder / "Stable-diffusion" / "tiny", "tiny", torch.device("cpu"))


@pytest.fixture(scope="module")
def pipeline_xl(folder: Path) -> Pipeline:
    return open_pipeline(folder / "Stable-diffusion" / "tiny-xl", "tiny-xl", torch.device("cpu"))


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf("LoRA", (tmp_path,))


def write(shelf: Shelf, tensors: Parts) -> list[LoraTag]:
    contiguous = {name: tensor.contiguous() for name, tensor in tensors.items()}
    save_file(contiguous, shelf.folders[0] / "a.safetensors")
    return [LoraTag("a", WEIGHT)]


def noise(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


def plain(weight: Tensor) -> tuple[Parts, Tensor]:
    down = noise(RANK, *weight.shape[1:])
    up = noise(weight.shape[0], RANK, *[1] * (weight.dim() - 2))
    change = (up.flatten(1) @ down.flatten(1)).reshape(weight.shape) * ALPHA / RANK
    return {"lora_down.weight": down, "lora_up.weight": up, "alpha": torch.tensor(ALPHA)}, change


def without_alpha(weight: Tensor) -> tuple[Parts, Tensor]:
    parts, change = plain(weight)
    return {name: each for name, each in parts.items() if name != "alpha"}, change * RANK / ALPHA


def tucker(weight: Tensor) -> tuple[Parts, Tensor]:
    out, into, *kernel = weight.shape
    kernel = kernel or [1, 1]
    down, up, mid = noise(RANK, into, 1, 1), noise(out, RANK, 1, 1), noise(RANK, RANK, *kernel)
    change = torch.zeros(out, into, *kernel)
    for n in range(RANK):
        for m in range(RANK):
            change += torch.outer(up[:, n, 0, 0], down[m, :, 0, 0])[..., None, None] * mid[n, m]
    parts = {"lora_down.weight": down, "lora_up.weight": up, "lora_mid.weight": mid}
    return parts | {"alpha": torch.tensor(ALPHA)}, change.reshape(weight.shape) * ALPHA / RANK


def loha(weight: Tensor) -> tuple[Parts, Tensor]:
    out, into = weight.flatten(1).shape
    a, b, c, d = noise(out, RANK), noise(RANK, into), noise(out, RANK) + 1, noise(RANK, into) - 1
    parts = {"hada_w1_a": a, "hada_w1_b": b, "hada_w2_a": c, "hada_w2_b": d}
    change = ((a @ b) * (c @ d)).reshape(weight.shape) * ALPHA / RANK
    return parts | {"alpha": torch.tensor(ALPHA)}, change


def lokr(weight: Tensor) -> tuple[Parts, Tensor]:
    out, into, *kernel = weight.shape
    left, right = noise(4, 4), noise(out // 4, into // 4, *kernel)
    change = torch.zeros(weight.shape)
    for i in range(4):
        for j in range(4):
            rows = slice(i * out // 4, (i + 1) * out // 4)
            columns = slice(j * into // 4, (j + 1) * into // 4)
            change[rows, columns] = left[i, j] * right
    # Two whole factors have no rank, so alpha says nothing.
    return {"lokr_w1": left, "lokr_w2": right, "alpha": torch.tensor(ALPHA)}, change


def lokr_in_factors(weight: Tensor) -> tuple[Parts, Tensor]:
    whole, change = lokr(weight)
    right = whole["lokr_w2"].flatten(1)
    left, values, other = torch.linalg.svd(right, full_matrices=False)
    rank = len(values)
    parts = {"lokr_w1": whole["lokr_w1"], "lokr_w2_a": left * values, "lokr_w2_b": other}
    if weight.dim() > 2:
        return dict(whole), change
    return parts | {"alpha": torch.tensor(ALPHA)}, change * ALPHA / rank


def dora(weight: Tensor) -> tuple[Parts, Tensor]:
    parts, change = plain(weight)
    changed = weight + change
    length = changed.flatten(1).norm(dim=1).reshape(-1, *[1] * (weight.dim() - 1))
    magnitude = noise(*length.shape).abs() + 0.5
    return {**parts, "dora_scale": magnitude}, changed * magnitude / length - weight


def dora_by_columns(weight: Tensor) -> tuple[Parts, Tensor]:
    parts, change = loha(weight)
    changed = weight + change
    columns = changed.transpose(0, 1).flatten(1)
    length = columns.norm(dim=1).reshape(1, -1, *[1] * (weight.dim() - 2))
    magnitude = noise(*length.shape).abs() + 0.5
    return {**parts, "dora_scale": magnitude}, changed * magnitude / length - weight


SORTS = (plain, without_alpha, tucker, loha, lokr, lokr_in_factors, dora, dora_by_columns)


@pytest.mark.parametrize("layer", [LINEAR, CONV])
@pytest.mark.parametrize("sort", SORTS, ids=lambda sort: sort.__name__)
def test_a_layer_changes_by_the_definition_of_its_sort(
    pipeline: Pipeline, shelf: Shelf, sort: Callable[[Tensor], tuple[Parts, Tensor]], layer: str
) -> None:
    module = pipeline.unet.get_submodule(layer)
    parts, change = sort(module.weight)
    weight = module.weight + WEIGHT * change
    if layer == CONV:
        given = noise(1, weight.shape[1], 5, 5)
        wanted = F.conv2d(given, weight, module.bias, padding=1)
    else:
        given = noise(1, 5, weight.shape[1])
        wanted = F.linear(given, weight)
    before = module(given)
    tags = write(shelf, {f"{KOHYA[layer]}.{name}": part for name, part in parts.items()})

    with applied(pipeline, tags, shelf):
        assert torch.allclose(module(given), wanted, rtol=1e-3, atol=1e-3)
        assert not torch.allclose(before, wanted, atol=0.1)
    assert torch.equal(module(given), before)


@pytest.mark.parametrize(
    ("name", "down", "up"),
    [
        (f"{KOHYA[LINEAR]}.", "lora_down.weight", "lora_up.weight"),
        (f"lora_unet_{FIRST.replace('.', '_')}.", "lora_down.weight", "lora_up.weight"),
        (f"diffusion_model.{FIRST}.", "lora_A.weight", "lora_B.weight"),
        (f"unet.{LINEAR}.", "lora_A.weight", "lora_B.weight"),
        (f"unet.{LINEAR}.", "lora.down.weight", "lora.up.weight"),
        (f"base_model.model.{LINEAR}.", "lora_A.weight", "lora_B.weight"),
        (f"{LINEAR.replace('attn2', 'attn2.processor')}_", "lora.down.weight", "lora.up.weight"),
        (f"lycoris_{LINEAR.replace('.', '_')}.", "lora_down.weight", "lora_up.weight"),
    ],
)
def test_a_layer_is_found_by_the_name_of_each_trainer(
    pipeline: Pipeline, shelf: Shelf, name: str, down: str, up: str
) -> None:
    module = pipeline.unet.get_submodule(LINEAR)
    parts, change = without_alpha(module.weight)
    tensors = {f"{name}{down}": parts["lora_down.weight"], f"{name}{up}": parts["lora_up.weight"]}
    given = noise(1, 5, module.weight.shape[1])

    with applied(pipeline, write(shelf, tensors), shelf):
        wanted = F.linear(given, module.weight + WEIGHT * change)
        assert torch.allclose(module(given), wanted, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("lora_unet_input_blocks_2_0_op", "down_blocks.0.downsamplers.0.conv"),
        ("lora_unet_output_blocks_1_1_conv", "up_blocks.0.upsamplers.0.conv"),
        ("lora_unet_output_blocks_3_1_proj_in", "up_blocks.1.attentions.1.proj_in"),
        ("lora_unet_middle_block_2_in_layers_2", "mid_block.resnets.1.conv1"),
        ("lora_unet_middle_block_1_proj_out", "mid_block.attentions.0.proj_out"),
        ("lora_unet_input_blocks_3_0_emb_layers_1", "down_blocks.1.resnets.0.time_emb_proj"),
        ("lora_unet_label_emb_0_2", "add_embedding.linear_2"),
        ("lora_unet_time_embed_0", "time_embedding.linear_1"),
        ("lora_unet_input_blocks_0_0", "conv_in"),
    ],
)
def test_sdxls_layers_are_found_by_the_names_of_its_first_code(
    pipeline_xl: Pipeline, shelf: Shelf, name: str, module: str
) -> None:
    found = pipeline_xl.unet.get_submodule(module)
    parts, _ = plain(found.weight)
    into = found.weight.shape[1]
    given = noise(1, into, 8, 8) if found.weight.dim() > 2 else noise(1, 5, into)
    before = found(given)

    with applied(pipeline_xl, write(shelf, {f"{name}.{n}": t for n, t in parts.items()}), shelf):
        assert not torch.allclose(found(given), before, atol=0.1)
    assert torch.equal(found(given), before)


@pytest.mark.parametrize(
    ("name", "encoder"),
    [
        ("lora_te1_text_model_encoder_layers_1_self_attn_q_proj", "text_encoder"),
        ("lora_te2_text_model_encoder_layers_1_self_attn_q_proj", "text_encoder_2"),
        ("text_encoder.text_model.encoder.layers.1.self_attn.q_proj", "text_encoder"),
        ("text_encoder_2.text_model.encoder.layers.1.self_attn.q_proj", "text_encoder_2"),
    ],
)
def test_a_lora_of_a_text_encoder_alone_changes_that_one(
    pipeline_xl: Pipeline, shelf: Shelf, name: str, encoder: str
) -> None:
    network = getattr(pipeline_xl.parts, encoder)
    module = next(m for n, m in network.named_modules() if n.removeprefix("text_model.") == TEXT)
    parts, change = plain(module.weight)
    given = noise(1, 5, module.weight.shape[1])

    with applied(pipeline_xl, write(shelf, {f"{name}.{n}": t for n, t in parts.items()}), shelf):
        wanted = F.linear(given, module.weight + WEIGHT * change, module.bias)
        assert torch.allclose(module(given), wanted, rtol=1e-3, atol=1e-3)


GOOD = KOHYA[LINEAR]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("bundle_emb.owl.string_to_param.*", "brings the embedding 'owl', which no prompt can"),
        (f"{GOOD}.oft_blocks", "is an OFT, which is unsupported"),
        (f"{GOOD}.on_input", "is an IA3, which is unsupported"),
        (f"{GOOD}.a1.weight", "is a GLoRA, which is unsupported"),
        (f"{GOOD}.diff", r"holds whole differences \(.diff\)"),
        (f"{GOOD}.w_norm", "changes layers of norms"),
        ("double_blocks.0.weight", "has a tensor that no LoRA has: double_blocks.0.weight"),
        ("lora_unet_owl.lora_up.weight", "is broken: lora_unet_owl lacks lora_down"),
        (
            f"{GOOD}.dora_scale",
            "does not fit the checkpoint 'tiny': .*to_k: ValueError: dora_scale of",
        ),
    ],
)
def test_a_file_that_is_not_honoured_whole_is_refused_as_what_it_is(
    pipeline: Pipeline, shelf: Shelf, name: str, told: str
) -> None:
    parts, _ = plain(pipeline.unet.get_submodule(LINEAR).weight)
    tensors = {f"{GOOD}.{part}": tensor for part, tensor in parts.items()} | {name: noise(7)}

    with (
        pytest.raises(TaskFailed, match=f"^LoRA 'a' .*{told}"),
        applied(pipeline, write(shelf, tensors), shelf),
    ):
        pass


def broken(name: str, tensor: Tensor | None) -> Parts:
    """Make a LoRA of one layer with another tensor of this name, or without it."""
    parts = {f"{GOOD}.{part}": each for part, each in plain(noise(32, 32))[0].items()}
    kept = {known: each for known, each in parts.items() if known != name}
    return kept if tensor is None else {**kept, name: tensor}


DOWN, UP, ALPHA_NAME = (
    f"{GOOD}.{part}" for part in ("lora_down.weight", "lora_up.weight", "alpha")
)


@pytest.mark.parametrize(
    ("name", "tensor", "told"),
    [
        (ALPHA_NAME, torch.tensor(torch.nan), f"{ALPHA_NAME} has values that are no numbers"),
        (ALPHA_NAME, torch.tensor(torch.inf), f"{ALPHA_NAME} has values that are no numbers"),
        (UP, torch.full((32, RANK), -torch.inf), f"{UP} has values that are no numbers"),
        (UP, torch.full((32, RANK), 1e30), f"{UP} has values that are no numbers"),
        (UP, torch.ones(32, RANK, dtype=torch.complex64), f"{UP} has values that are no numbers"),
        (DOWN, torch.tensor(1.0), f"{GOOD} has lora_down of a single number: it must be a matrix"),
        (DOWN, noise(32), f"{GOOD} has lora_down of 32: it must be a matrix"),
        (DOWN, torch.zeros(0, 32), f"{GOOD} has lora_down of 0x32: it holds nothing"),
        (UP, noise(32, 3), f"{GOOD} has lora_down of rank 2 and lora_up of rank 3"),
        (UP, None, f"{GOOD} lacks lora_up$"),
        (ALPHA_NAME, noise(4), f"{GOOD} has alpha of 4: it must be one number"),
        (f"{GOOD}.lora_mid.weight", noise(2, 2), f"{GOOD} has lora_mid of 2x2: it must have 4 dim"),
        (f"{GOOD}.hada_w1_a", noise(2, 2), f"{GOOD} has hada_w1_a beside lora_down, lora_up"),
        (f"{GOOD}.lokr_w1_b", noise(2, 2), f"{GOOD} has lokr_w1_b beside lora_down, lora_up"),
    ],
)
def test_a_broken_file_is_refused_with_what_is_broken(
    pipeline: Pipeline, shelf: Shelf, name: str, tensor: Tensor | None, told: str
) -> None:
    with (
        pytest.raises(TaskFailed, match=f"^LoRA 'a' is broken: {told}"),
        applied(pipeline, write(shelf, broken(name, tensor)), shelf),
    ):
        pass


@pytest.mark.parametrize("sort", SORTS, ids=lambda sort: sort.__name__)
def test_a_layer_that_lacks_any_of_its_tensors_is_refused_or_plain(
    pipeline: Pipeline, shelf: Shelf, sort: Callable[[Tensor], tuple[Parts, Tensor]]
) -> None:
    parts = {f"{GOOD}.{name}": part for name, part in sort(noise(32, 32))[0].items()}
    for name in parts:
        if name.endswith(("alpha", "dora_scale", "lora_mid.weight")):
            continue
        rest = {known: part for known, part in parts.items() if known != name}
        lacking = name.removeprefix(f"{GOOD}.").removesuffix(".weight")
        with (
            pytest.raises(TaskFailed, match=f"^LoRA 'a' is broken: {GOOD} .*{lacking[:6]}"),
            applied(pipeline, write(shelf, rest), shelf),
        ):
            pass


def test_a_change_that_is_beyond_numbers_is_refused(pipeline: Pipeline, shelf: Shelf) -> None:
    """Factors within half precision may have a product that is not."""
    parts = {name: each.sign() * 1000 for name, each in loha(noise(32, 32))[0].items()}
    tensors = {f"{GOOD}.{name}": each for name, each in parts.items()}

    with (
        pytest.raises(
            TaskFailed, match=rf"^LoRA 'a' does not fit .*: {GOOD}: its change is beyond"
        ),
        applied(pipeline, write(shelf, tensors), shelf),
    ):
        pass


def test_whatever_else_is_raised_names_the_lora_and_no_path(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    """A pickled file may hold anything; a broken one has the error's class and text."""
    torch.save([noise(2)], tmp_path / "list.pt")
    (tmp_path / "half.safetensors").write_bytes(b"\0" * 100)
    for name in ("list", "half"):
        with (
            pytest.raises(TaskFailed, match=rf"^LoRA '{name}' cannot be read \(\w+: ") as refused,
            applied(pipeline, [LoraTag(name, 1)], Shelf("LoRA", (tmp_path,), pickles=True)),
        ):
            pass
        assert str(tmp_path) not in str(refused.value)


def test_several_spellings_of_a_file_add_up(pipeline: Pipeline, shelf: Shelf) -> None:
    module = pipeline.unet.get_submodule(LINEAR)
    parts, change = plain(module.weight)
    write(shelf, {f"{GOOD}.{name}": part for name, part in parts.items()})
    tags = [LoraTag("a", 0.5), LoraTag("a.safetensors", 0.25), LoraTag("a [6ce0161689]", -0.25)]
    given = noise(1, 5, module.weight.shape[1])

    with applied(pipeline, tags, shelf):
        wanted = F.linear(given, module.weight + 0.5 * change)
        assert torch.allclose(module(given), wanted, rtol=1e-3, atol=1e-3)


def test_a_lora_without_any_of_the_checkpoints_layers_is_told_by_name(
    pipeline: Pipeline, shelf: Shelf
) -> None:
    parts = ("lora_down.weight", "lora_up.weight")
    tensors = {f"lora_te3_{n}.{part}": noise(2, 2) for n in range(5) for part in parts}

    with (
        pytest.raises(TaskFailed, match=r"has nothing .* made for lora_te3_0, .*, .*, …"),
        applied(pipeline, write(shelf, tensors), shelf),
    ):
        pass
