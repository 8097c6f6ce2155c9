"""Weights files are found in the nodes that load them, those of other authors too."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given

from deployments.runtimes.comfyui.loaders import weights_files
from tests.deployments.inputs.test_fields import JSON
from tests.runtimes.comfyui.world import node


@pytest.mark.parametrize(
    "field",
    [
        *("ckpt_name", "vae_name", "lora_name", "control_net_name", "unet_name", "clip_name"),
        *("clip_name1", "clip_name2", "clip_name3", "style_model_name", "gligen_name"),
        *("model_name", "hypernetwork_name", "photomaker_model_name", "audio_encoder_name"),
        *("lora_name_1", "controlnet_name", "model_patch_name"),
    ],
)
def test_a_loaders_field_names_a_file(field: str) -> None:
    assert weights_files({"1": node("Loader", **{field: "sub/name"})}) == ["sub/name"]


@pytest.mark.parametrize(
    ("inputs", "names"),
    [
        ({"ipadapter_file": "face.bin", "weight": 1.0}, ["face.bin"]),
        ({"sam": "SAM_H.PTH", "image": "a.png"}, ["SAM_H.PTH"]),
        ({"lora_1": {"on": True, "lora": "ink.safetensors", "strength": 1}}, ["ink.safetensors"]),
        ({"lora_1": {"on": False, "lora": "ink.safetensors", "strength": 1}}, []),
        ({"lora_name": "None"}, []),
        ({"vae_name": "pixel_space"}, []),
        ({"ckpt_name": ["2", 0]}, []),
        ({"ckpt_name": [["1", 0]]}, []),
        ({"loras": ["a.safetensors", "b.safetensors"]}, ["a.safetensors", "b.safetensors"]),
        ({"rows": [{"lora": "b.safetensors"}], "sam": "a.pth"}, ["b.safetensors", "a.pth"]),
        ({"rows": [{"on": False, "lora": "b.safetensors"}]}, []),
        ({"rows": [["b.safetensors", 0.8]]}, ["b.safetensors"]),
        ({"lora_name": ["ink", "None"]}, ["ink"]),
        ({"text": ["a poster of model.ckpt"]}, []),
        ({"sampler_name": "euler", "scheduler": "karras"}, []),
        ({"text": "a poster of model.ckpt"}, []),
    ],
)
def test_values_that_name_files(inputs: dict[str, Any], names: list[str]) -> None:
    assert weights_files({"1": {"class_type": "Node", "inputs": inputs}}) == names


def test_names_come_once_in_the_nodes_order_whether_the_graph_is_wrapped_or_not() -> None:
    graph = {
        "2": node("CheckpointLoaderSimple", ckpt_name="b"),
        "1": node("LoraLoader", lora_name="a"),
        "3": node("LoraLoader", lora_name="a"),
    }

    assert weights_files(graph) == weights_files({"prompt": graph}) == ["b", "a"]


def test_a_link_is_no_name_though_its_nodes_id_reads_like_one() -> None:
    loader = node("Loader", model=["a.pt", 0], rows=[["a.pt", 0]])

    assert weights_files({"a.pt": node("Other"), "1": loader}) == []


@pytest.mark.parametrize("wrap", [lambda inner: {"row": inner}, lambda inner: [inner]])
def test_a_name_is_found_however_deep_it_is(wrap: Callable[[Any], Any]) -> None:
    value: Any = "a.pt"
    for _ in range(5_000):
        value = wrap(value)

    found = weights_files({"1": {"class_type": "Node", "inputs": {"rows": value}}})

    assert found == ["a.pt"]


@given(JSON)
def test_what_is_no_graph_names_nothing_or_text(content: Any) -> None:
    assert all(
        isinstance(name, str) for name in weights_files({"1": content, "2": {"inputs": content}})
    )
