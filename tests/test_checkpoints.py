"""Names of weights, and that none leads out of its folder."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from models.checkpoints import Checkpoints
from models.errors import TaskFailed


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in (
        "secret.safetensors",
        "models/Stable-diffusion/v1-5.safetensors",
        "models/Stable-diffusion/sub/anime.v2.safetensors",
        "models/Stable-diffusion/old.ckpt",
        "models/Stable-diffusion/shapes/model_index.json",
        "models/Stable-diffusion/shapes/unet/weights.safetensors",
        "models/Stable-diffusion/notes.txt",
        "models/Stable-diffusion/.hidden.safetensors",
        "models/Lora/bold.safetensors",
        "models/ESRGAN/4x-UltraSharp.pth",
        "models/ESRGAN/4x-Soft.safetensors",
        "models/RealESRGAN/RealESRGAN_x4plus.safetensors",
    ):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return tmp_path / "models"


def test_there_is_what_can_be_asked_for(root: Path) -> None:
    shelves = Checkpoints(root)

    assert shelves.stable_diffusion.names == [
        "shapes",
        "sub/anime.v2.safetensors",
        "v1-5.safetensors",
    ]
    assert shelves.loras.names == ["bold.safetensors"]
    assert shelves.upscalers.names == ["4x-Soft.safetensors", "RealESRGAN_x4plus.safetensors"]


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("v1-5.safetensors", "v1-5.safetensors"),
        ("v1-5", "v1-5.safetensors"),
        ("v1-5.safetensors [6ce0161689]", "v1-5.safetensors"),
        ("v1-5 [6ce0161689]", "v1-5.safetensors"),
        ("shapes", "shapes"),
        ("sub/anime.v2.safetensors", "sub/anime.v2.safetensors"),
        ("anime.v2.safetensors", "sub/anime.v2.safetensors"),
        ("anime.v2", "sub/anime.v2.safetensors"),
    ],
)
def test_a_checkpoint_has_several_names(root: Path, name: str, file: str) -> None:
    assert Checkpoints(root).stable_diffusion.find(name) == root / "Stable-diffusion" / file


@pytest.mark.parametrize(
    "name",
    [
        "",
        "..",
        "../Lora/bold.safetensors",
        "../../secret",
        "/etc/passwd",
        "shapes/unet/weights.safetensors",
        "notes.txt",
        ".hidden",
        "anime",
        "V1-5",
    ],
)
def test_another_name_is_told_with_those_that_there_are(root: Path, name: str) -> None:
    with pytest.raises(TaskFailed, match=r"no checkpoint .*shapes, sub/anime.*, v1-5.safetensors"):
        Checkpoints(root).stable_diffusion.find(name)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.sampled_from("./\\ab [0]"), max_size=20))
def test_no_name_leads_out_of_the_folder(root: Path, name: str) -> None:
    shelf = Checkpoints(root, pickles=True).stable_diffusion
    try:
        found = shelf.find(name)
    except TaskFailed:
        return

    assert found.resolve().is_relative_to(root / "Stable-diffusion")


@pytest.mark.parametrize("name", ["old", "old.ckpt"])
def test_a_pickled_checkpoint_is_refused_and_told_why(root: Path, name: str) -> None:
    with pytest.raises(TaskFailed, match=r"pickled file.* allowPickle"):
        Checkpoints(root).stable_diffusion.find(name)


def test_a_pickled_checkpoint_is_found_where_that_is_allowed(root: Path) -> None:
    shelf = Checkpoints(root, pickles=True).stable_diffusion

    assert shelf.find("old") == root / "Stable-diffusion" / "old.ckpt"
    assert "old.ckpt" in shelf.names


def test_a_safe_file_comes_before_a_pickled_one_of_the_same_name(root: Path) -> None:
    (root / "ESRGAN" / "4x-UltraSharp.safetensors").touch()

    found = Checkpoints(root).upscalers.find("4x-UltraSharp")
    assert found.suffix == ".safetensors"


def test_an_empty_folder_has_nothing(tmp_path: Path) -> None:
    with pytest.raises(TaskFailed, match="there is: nothing"):
        Checkpoints(tmp_path).loras.find("bold")
