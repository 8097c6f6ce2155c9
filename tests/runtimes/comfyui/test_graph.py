"""Graphs: what is one, where links stand in it, what its nodes count."""

from typing import Any

import pytest

from deployments.runtimes.comfyui.graph import Graph
from deployments.runtimes.comfyui.graph_progress import GraphProgress
from models.errors import TaskFailed
from tests.runtimes.comfyui.world import node, picture, sampled

LINK, OTHER = "https://example.com/a.png", "s3://bucket/b.wav"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"nodes": [{"id": 1}], "links": [], "last_node_id": 1}, r"Export \(API\)"),
        ([], "must be a graph"),
        ({}, "must be a graph"),
        ("graph", "must be a graph"),
        ({"1": node("SaveImage"), "version": 0.4}, "version: must be a node with class_type"),
        ({"1": {"inputs": {}}}, "1.class_type: is missing"),
        ({"1": {"class_type": "SaveImage"}}, "1.inputs: must be an object"),
    ],
)
def test_what_is_no_graph_is_refused_with_the_reason(content: Any, told: str) -> None:
    with pytest.raises(TaskFailed, match=told):
        Graph.read(content)


@pytest.mark.parametrize(
    ("one", "links"),
    [
        (node("LoadImage", image=LINK), [LINK]),
        (node("LoadImageMask", image=LINK, channel="alpha"), [LINK]),
        (node("LoadAudio", audio=OTHER), [OTHER]),
        (node("LoadVideo", file=LINK), [LINK]),
        (node("VHS_LoadVideo", video=LINK, force_rate=0), [LINK]),
        (node("Load3D", model_file=LINK, width=1), [LINK]),
        (node("MyImageLoader", source=LINK), [LINK]),
        (node("Anything", mask=LINK), [LINK]),
        (node("CLIPTextEncode", text=LINK), []),
        (node("CLIPTextEncode", text=f"{LINK} in the rain"), []),
        (node("LoadImage", image="S3://bucket/in/my photo.png"), ["S3://bucket/in/my photo.png"]),
        (node("LoadImageFromUrl", image=LINK), []),
        (node("LoraLoader", lora_name=LINK), []),
    ],
)
def test_links_are_found_where_a_node_takes_a_file(one: dict[str, Any], links: list[str]) -> None:
    assert Graph.read({"1": one}).links == links


def test_links_are_replaced_in_a_copy() -> None:
    content = {"1": node("LoadImage", image=LINK), "2": node("CLIPTextEncode", text=LINK)}
    graph = Graph.read(content).with_files({LINK: "s1/1.png"})

    assert graph.nodes["1"]["inputs"] == {"image": "s1/1.png"}
    assert graph.nodes["2"]["inputs"] == {"text": LINK}
    assert content["1"]["inputs"] == {"image": LINK}


def test_a_class_that_is_not_allowed_is_told_with_its_node() -> None:
    Graph.read(picture(), {"EmptyImage", "ImageScale", "SaveImage"})

    with pytest.raises(TaskFailed, match=r"2.class_type: 'ImageScale' is a class that"):
        Graph.read(picture(), {"EmptyImage", "SaveImage"})


def test_the_body_of_comfyuis_own_api_is_taken_as_its_graph() -> None:
    graph = {"1": node("LoadImage", image=LINK), "2": node("SaveImage", images=["1", 0])}
    wrapped = Graph.read({"prompt": graph, "client_id": "8d1b", "extra_data": {"x": 1}})

    assert wrapped.nodes == graph
    assert wrapped.links == [LINK]


def test_a_graph_may_have_a_node_of_that_name() -> None:
    graph = {"prompt": node("CLIPTextEncode", text="a tram")}

    assert Graph.read(graph).nodes == graph


def test_a_sampler_counts_its_steps_and_any_other_node_one() -> None:
    flux = {
        "1": node("BasicScheduler", steps=8, denoise=1.0),
        "2": node("SamplerCustomAdvanced", sigmas=["1", 0], latent_image=["3", 0]),
        "3": node("EmptyLatentImage", width=64, height=64, batch_size=1),
    }

    assert Graph.read(sampled(12)).weights == {"1": 1, "2": 12, "3": 1}
    assert Graph.read(flux).weights == {"1": 1, "2": 8, "3": 1}


def test_progress_only_rises_and_ends_at_its_total() -> None:
    counter = GraphProgress({"1": 1, "2": 10})
    told = [counter.advance()]
    for part in (0.5, 0.2, 0.9):  # a second pass of the same node begins anew
        counter.reach("2", part)
        told.append(counter.advance())
    counter.reach("no node of it", 1)
    counter.finish()

    assert [*told, counter.advance(), counter.advance()] == [0, 5, None, 9, counter.total, None]
