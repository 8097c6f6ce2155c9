"""Names of weights: whatever people call them, one is found, or it is said which there are."""

from pathlib import Path

import pytest

from deployments.runtimes.comfyui.workspace import bucket_paths
from models.errors import NameRefused
from models.weights.entries import entries, find
from models.weights.kinds import FOLDERS, OTHER, Kind, as_there, folder_for, kind_of, kind_of_folder
from models.weights.store import WeightFile

NAMES = [
    "Stable-diffusion/v1-5.safetensors",
    "Stable-diffusion/sub/anime.v2.safetensors",
    "Stable-diffusion/shapes/model_index.json",
    "Stable-diffusion/shapes/unet/weights.safetensors",
    "Stable-diffusion/shapes/README.md",
    "Stable-diffusion/notes.txt",
    "Stable-diffusion/twin.safetensors",
    "checkpoints/sdxl [base] v1.0.ckpt",
    "Lora/twin.safetensors",
    "loras/Gru\u0308n.safetensors",
    "text_encoders/t5.gguf",
    "loose.safetensors",
    "packs/own/face.pth",
]
KNOWN = entries(
    WeightFile(name=name, size=1, version="1", modified=number) for number, name in enumerate(NAMES)
)


def test_files_are_grouped_to_weights() -> None:
    found = {entry.name: (entry.kind, entry.size, entry.is_folder) for entry in KNOWN}

    assert found["Stable-diffusion/shapes"] == (Kind.CHECKPOINT, 3, True)
    assert found["Lora/twin.safetensors"] == (Kind.LORA, 1, False)
    assert found["loose.safetensors"] == found["packs/own/face.pth"] == (OTHER, 1, False)
    assert "Stable-diffusion/notes.txt" not in found
    assert list(found) == sorted(found)


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("Stable-diffusion/v1-5.safetensors", "Stable-diffusion/v1-5.safetensors"),
        ("v1-5", "Stable-diffusion/v1-5.safetensors"),
        ("v1-5.safetensors [6ce0161689]", "Stable-diffusion/v1-5.safetensors"),
        (" v1-5 [6ce0161689] ", "Stable-diffusion/v1-5.safetensors"),
        ("checkpoints/v1-5.safetensors", "Stable-diffusion/v1-5.safetensors"),
        ("CHECKPOINTS/v1-5", "Stable-diffusion/v1-5.safetensors"),
        ("anime.v2", "Stable-diffusion/sub/anime.v2.safetensors"),
        ("sub/anime.v2", "Stable-diffusion/sub/anime.v2.safetensors"),
        ("sub\\anime.v2.safetensors", "Stable-diffusion/sub/anime.v2.safetensors"),
        ("checkpoints/sub/anime.v2", "Stable-diffusion/sub/anime.v2.safetensors"),
        ("shapes", "Stable-diffusion/shapes"),
        ("Stable-diffusion/shapes/", "Stable-diffusion/shapes"),
        ("sdxl [base] v1.0", "checkpoints/sdxl [base] v1.0.ckpt"),
        ("Stable-diffusion/sdxl [base] v1.0", "checkpoints/sdxl [base] v1.0.ckpt"),
        ("Lora/twin", "Lora/twin.safetensors"),
        ("loras/twin.safetensors", "Lora/twin.safetensors"),
        ("checkpoints/twin", "Stable-diffusion/twin.safetensors"),
        ("Gr\u00fcn", "loras/Gru\u0308n.safetensors"),
        ("clip/t5", "text_encoders/t5.gguf"),
        ("loose", "loose.safetensors"),
        ("face", "packs/own/face.pth"),
    ],
)
def test_weights_are_found_by_any_name_that_people_use(said: str, name: str) -> None:
    entry = find(KNOWN, said)

    assert entry
    assert entry.name == name


@pytest.mark.parametrize(
    "said", ["", "v1", "V1-5", "Lora/v1-5", "../v1-5", "notes", "weights", "vae/t5"]
)
def test_nothing_else_is_found(said: str) -> None:
    assert find(KNOWN, said) is None


def test_a_name_that_means_several_is_refused_with_all_of_them() -> None:
    with pytest.raises(NameRefused, match=r"Lora/twin\.safetensors, Stable-diffusion/twin"):
        find(KNOWN, "twin")


@pytest.mark.parametrize(
    ("kind", "names", "folder"),
    [
        (Kind.LORA, [], "Lora"),
        (Kind.LORA, ["loras/a.safetensors"], "loras"),
        (Kind.LORA, ["loras/a", "Lora/b"], "Lora"),
        (Kind.CHECKPOINT, ["CheckPoints/a"], "CheckPoints"),
        (Kind.VAE, ["vae", "Lora/a"], "VAE"),
    ],
)
def test_a_new_file_goes_to_the_folder_that_is_there(
    kind: Kind, names: list[str], folder: str
) -> None:
    assert folder_for(kind, names) == folder


def test_a_folder_is_called_as_it_is_there() -> None:
    assert as_there("loras", ["LORAS/a"]) == "LORAS"
    assert as_there("loras", ["LORAS/a", "loras/b"]) == "loras"
    assert as_there("loras", ["Lora/a"]) == "loras"


def test_comfyui_takes_a_folder_for_what_it_is_here(tmp_path: Path) -> None:
    for folder in {name for names in FOLDERS.values() for name in names}:
        (tmp_path / folder).mkdir(exist_ok=True)
    kinds = {
        sort: {kind_of_folder(folder.name) for folder in folders}
        for sort, folders in bucket_paths(tmp_path).items()
    }

    assert all(len(found) == 1 and None not in found for found in kinds.values())
    assert len({kind for found in kinds.values() for kind in found}) == len(kinds)


def test_a_kind_is_that_of_the_first_folder() -> None:
    assert kind_of("embeddings/checkpoints/a.pt") == Kind.EMBEDDING
    assert kind_of("checkpoints") == OTHER
    assert {*FOLDERS} == {*Kind}
