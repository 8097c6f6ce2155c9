"""The samples for ComfyUI are graphs that the runtime takes."""

import json
from pathlib import Path

import pytest

from deployments.runtimes.comfyui.graph import Graph
from deployments.runtimes.comfyui.loaders import weights_files
from deployments.runtimes.comfyui.workspace import Workspace, bucket_paths
from models.runtimes.backend import Process
from tests.runtimes.comfyui.double import checkpoints

SAMPLES = sorted(Path(__file__).parents[3].glob("samples/tasks/comfyui/*.json"))


@pytest.mark.parametrize("file", SAMPLES, ids=lambda file: file.name)
def test_a_sample_is_a_pipeline_with_a_graph(file: Path) -> None:
    given = json.loads(file.read_text())
    task = given.get("task", given)
    graph = Graph.read(task["content"])

    assert task.get("metadata", {}).get("tasktype", task.get("kind")) == "pipeline"
    assert {graph.kind(name) for name in graph.outputs} == {"SaveImage"}


@pytest.mark.parametrize("folder", ["checkpoints", "Stable-diffusion"])
@pytest.mark.parametrize("sample", ["flux", "sd3", "sdxl"])
def test_comfyui_finds_the_weights_of_a_sample_where_the_documents_put_them(
    tmp_path: Path, folder: str, sample: str
) -> None:
    (file,) = [each for each in SAMPLES if each.stem == sample]
    names = weights_files(json.loads(file.read_text())["content"])
    (tmp_path / folder).mkdir()
    for name in names:
        (tmp_path / folder / name).touch()
    paths, server = bucket_paths(tmp_path), Process(command=("python", "main.py"))

    command = Workspace(tmp_path).with_arguments(server, paths, previews=False).command

    assert list(checkpoints(Path(command[-1]))) == names != []


def test_there_are_samples() -> None:
    assert len(SAMPLES) == 5
