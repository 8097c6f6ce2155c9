"""The samples for ComfyUI are graphs that the runtime takes."""

import json
from pathlib import Path

import pytest

from deployments.runtimes.comfyui.graph import Graph

SAMPLES = sorted(Path(__file__).parents[3].glob("samples/tasks/comfyui/*.json"))


@pytest.mark.parametrize("file", SAMPLES, ids=lambda file: file.name)
def test_a_sample_is_a_pipeline_with_a_graph(file: Path) -> None:
    given = json.loads(file.read_text())
    task = given.get("task", given)
    graph = Graph.read(task["content"])

    assert task.get("metadata", {}).get("tasktype", task.get("kind")) == "pipeline"
    assert {graph.kind(name) for name in graph.outputs} == {"SaveImage"}


def test_there_are_samples() -> None:
    assert len(SAMPLES) == 5
