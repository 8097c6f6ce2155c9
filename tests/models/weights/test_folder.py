"""Weights in a folder: links stay within it, and what is no file is none."""

import os
from pathlib import Path

import pytest

from models.errors import NameRefused, Unavailable, WeightsChanged
from models.weights.folder import FolderWeights


@pytest.fixture
def home(tmp_path: Path) -> Path:
    root = tmp_path / "home"
    (root / "Lora").mkdir(parents=True)
    (root / "Lora/a.safetensors").write_bytes(b"inside")
    (tmp_path / "secret.safetensors").write_bytes(b"outside")
    (tmp_path / "other").mkdir()
    (tmp_path / "other/b.safetensors").write_bytes(b"outside")
    return root


async def test_links_that_lead_outside_are_as_good_as_not_there(home: Path, tmp_path: Path) -> None:
    (home / "Lora/file.safetensors").symlink_to(tmp_path / "secret.safetensors")
    (home / "folder").symlink_to(tmp_path / "other")
    (home / "loop").symlink_to(home / "loop")
    store = FolderWeights(home)

    assert [file.name for file in await store.list()] == ["Lora/a.safetensors"]
    for name in ("Lora/file.safetensors", "folder/b.safetensors", "folder/new.safetensors"):
        with pytest.raises(NameRefused):
            await store.look_up(name)
        with pytest.raises(NameRefused):
            await store.write(name, home / "Lora/a.safetensors", replace=True)
        with pytest.raises(NameRefused):
            await store.delete(name)
    assert (tmp_path / "other/b.safetensors").read_bytes() == b"outside"
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["b.safetensors"]


async def test_links_within_the_folder_are_followed(home: Path) -> None:
    (home / "loras").symlink_to(home / "Lora")
    (home / "around").symlink_to(home)
    store = FolderWeights(home)
    file = await store.look_up("loras/a.safetensors")

    assert file
    assert await store.read(file, 0, 6) == b"inside"
    assert "Lora/a.safetensors" in [file.name for file in await store.list()]


async def test_hidden_files_folders_and_pipes_are_no_files(home: Path) -> None:
    (home / ".cache").mkdir()
    (home / ".cache/x.safetensors").write_bytes(b"x")
    (home / "Lora/.b.safetensors").write_bytes(b"x")
    os.mkfifo(home / "Lora/pipe.safetensors")
    store = FolderWeights(home)

    assert [file.name for file in await store.list()] == ["Lora/a.safetensors"]
    assert await store.look_up("Lora/pipe.safetensors") is None
    assert await store.look_up("Lora") is None


async def test_a_file_that_became_a_pipe_is_not_waited_for(home: Path) -> None:
    store = FolderWeights(home)
    file = await store.look_up("Lora/a.safetensors")
    assert file
    (home / "Lora/a.safetensors").unlink()
    os.mkfifo(home / "Lora/a.safetensors")

    with pytest.raises(WeightsChanged):
        await store.read(file, 0, 1)


async def test_what_the_system_refuses_is_unavailable(home: Path) -> None:
    (home / "Lora" / "x").symlink_to(home / "Lora/a.safetensors")
    store = FolderWeights(home / "Lora/a.safetensors")

    with pytest.raises(Unavailable, match="Not a directory"):
        await store.list()
