"""The folders of a ComfyUI that we start, and the arguments that it gets for them."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import yaml

from deployments.runtimes.comfyui.workspace import Workspace, bucket_paths, merged
from models.runtimes.backend import Process


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return Workspace.made()


def arguments(process: Process) -> dict[str, str]:
    words = process.command[2:]
    return dict(zip(words[::2], words[1::2], strict=True))


def test_what_the_command_lacks_is_added(workspace: Workspace) -> None:
    process = Process(command=("python", "main.py", "--output-directory", "/mine"))
    given = arguments(workspace.with_arguments(process, {}, previews=True))

    assert given == {
        "--listen": "127.0.0.1",
        "--port": "{port}",
        "--input-directory": str(workspace.folder / "input"),
        "--output-directory": "/mine",
        "--temp-directory": str(workspace.folder / "temp"),
        "--preview-method": "latent2rgb",
    }


def test_a_comfyui_with_a_database_gets_a_file_of_its_replicas_own(
    workspace: Workspace, tmp_path: Path
) -> None:
    arguments_of_comfyui = tmp_path / "comfy" / "cli_args.py"
    arguments_of_comfyui.parent.mkdir()
    arguments_of_comfyui.write_text('parser.add_argument("--database-url", type=str)')
    process = Process(command=("python", "main.py"), folder=tmp_path)
    mine = Process(command=("python", "main.py", "--database-url", "x"), folder=tmp_path)

    given = arguments(workspace.with_arguments(process, {}, previews=True))

    assert given["--database-url"] == f"sqlite:///{workspace.folder}/comfyui.db"
    assert workspace.with_arguments(mine, {}, previews=True).command.count("--database-url") == 1


@pytest.mark.parametrize(
    "words", [["--database-url", "sqlite:///:memory:"], ["--database-url=sqlite:///:memory:"]]
)
def test_a_database_in_memory_becomes_a_file_for_newer_ones_cannot_start_with_it(
    workspace: Workspace, tmp_path: Path, words: list[str]
) -> None:
    (tmp_path / "comfy").mkdir()
    (tmp_path / "comfy" / "cli_args.py").write_text('parser.add_argument("--database-url")')
    process = Process(command=("python", "main.py", *words, "--cpu"), folder=tmp_path)

    command = workspace.with_arguments(process, {}, previews=True).command

    assert command[:3] == ("python", "main.py", "--cpu")
    assert f"sqlite:///{workspace.folder}/comfyui.db" in command
    assert not any(":memory:" in word for word in command)


def test_what_the_command_has_stays_as_it_is(workspace: Workspace) -> None:
    process = Process(command=("python", "main.py", "--port=81", "--preview-method=taesd"))
    command = workspace.with_arguments(process, {}, previews=False).command

    assert "--port" not in command
    assert "--preview-method" not in command


def test_folders_of_weights_and_nodes_are_told_in_a_file(workspace: Workspace) -> None:
    paths = {"checkpoints": (Path("/a"), Path("/b")), "custom_nodes": (Path("/nodes"),)}
    process = workspace.with_arguments(Process(command=("c", "m")), paths, previews=True)
    file = Path(arguments(process)["--extra-model-paths-config"])

    assert yaml.safe_load(file.read_text()) == {
        "atelier": {"checkpoints": "/a\n/b", "custom_nodes": "/nodes"}
    }


def test_the_model_buckets_folders_have_comfyuis_names(tmp_path: Path) -> None:
    for name in ("Stable-diffusion", "ESRGAN", "SwinIR", "Codeformer"):
        (tmp_path / name).mkdir()
    found = merged({"checkpoints": [Path("/own")], "loras": []}, bucket_paths(tmp_path))

    assert found == {
        "checkpoints": [Path("/own"), tmp_path / "Stable-diffusion"],
        "upscale_models": [tmp_path / "ESRGAN", tmp_path / "SwinIR"],
    }
    assert merged(bucket_paths(None)) == merged(bucket_paths(tmp_path / "absent")) == {}


@pytest.mark.parametrize(
    ("name", "sort"),
    [
        *((sort, sort) for sort in ("checkpoints", "loras", "vae", "clip_vision", "controlnet")),
        *((sort, sort) for sort in ("diffusion_models", "text_encoders", "upscale_models")),
        *(("unet", "diffusion_models"), ("clip", "text_encoders"), ("CLIP", "text_encoders")),
        *(("VAE", "vae"), ("Lora", "loras"), ("ControlNet", "controlnet")),
        *(("stable-diffusion", "checkpoints"), ("vae-approx", "vae_approx")),
    ],
)
def test_weights_are_found_under_comfyuis_names_and_the_web_uis_whatever_their_capitals(
    tmp_path: Path, name: str, sort: str
) -> None:
    (tmp_path / name).mkdir()

    assert merged(bucket_paths(tmp_path)) == {sort: [tmp_path / name]}


def test_a_bucket_laid_out_for_both_has_both_folders_and_no_code(tmp_path: Path) -> None:
    for name in ("checkpoints", "Stable-diffusion", "VAE", "vae", "custom_nodes", "configs"):
        (tmp_path / name).mkdir(exist_ok=True)
    (tmp_path / "loras").touch()  # no folder

    assert merged(bucket_paths(tmp_path)) == {
        "checkpoints": [tmp_path / "checkpoints", tmp_path / "Stable-diffusion"],
        "vae": [tmp_path / "VAE", tmp_path / "vae"],
    }


def test_inputs_go_with_their_task_and_the_rest_with_the_server(workspace: Workspace) -> None:
    (workspace.inputs / "s1").mkdir()
    (workspace.inputs / "s1" / "1.png").write_bytes(bytes(3 * 2**20))

    assert workspace.mib() == 3
    workspace.clear("s1")
    workspace.clear("never there")
    assert list(workspace.inputs.iterdir()) == []
    workspace.remove()
    assert not workspace.folder.exists()


def test_folders_of_replicas_that_were_killed_are_removed(tmp_path: Path) -> None:
    script = (
        "import tempfile, sys; tempfile.tempdir = sys.argv[1];"
        "from deployments.runtimes.comfyui.workspace import Workspace;"
        "print(Workspace.made().folder)"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    left = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    assert Path(left).is_dir()

    mine = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    assert not Path(left).exists()
    assert Path(mine).is_dir()
    assert str(os.getpid()) not in mine
