"""Files of `submit --image` beside a graph."""

import json
from pathlib import Path

import pytest

from atelier import Kind, Misused, TaskRequest
from cli.payload import payload
from cli.picture_options import PictureOptions
from tests.atelier.served_platform import png
from tests.cli.conftest import Atelier


@pytest.fixture
def local(tmp_path: Path) -> Path:
    path = tmp_path / "in.png"
    path.write_bytes(png())
    return path


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    """A graph that names three files, one of them twice."""
    names = {"1": "cat.png", "2": "sub/in.png [input]", "3": "cat.png"}
    nodes = {
        node: {"class_type": "LoadImage", "inputs": {"image": name}} for node, name in names.items()
    }
    file = tmp_path / "graph.json"
    file.write_text(json.dumps(nodes))
    return file


@pytest.mark.parametrize(
    ("images", "given"),
    [
        (["{local}"], {"2": "iVBORw0KGgo"}),
        (["{local}", "https://example.org/cat.png"], {"2": "iVBOR", "1": "https", "3": "https"}),
        (["{local}", "https://example.org/a.png"], {"2": "iVBOR", "1": "https", "3": "https"}),
        (["3={local}"], {"3": "iVBOR"}),
        (["3=s3://a/circle.png", "{local}"], {"3": "s3://a/circle.png", "2": "iVBOR"}),
    ],
)
def test_an_image_is_put_where_a_graph_names_it(
    graph: Path, local: Path, images: list[str], given: dict[str, str]
) -> None:
    task = payload(graph.read_text()).task
    options = PictureOptions(image=[each.format(local=local) for each in images])

    for wrapped in (False, True):
        content = {"prompt": task.content, "client_id": "c"} if wrapped else task.content
        sent = options.onto(task.model_copy(update={"content": content}), None).content
        nodes = sent["prompt"] if wrapped else sent
        changed = {n: nodes[n]["inputs"]["image"] for n in nodes if nodes[n] != task.content[n]}
        assert sent.keys() == content.keys()
        assert changed.keys() == given.keys()
        assert all(changed[node].startswith(start) for node, start in given.items())


@pytest.mark.parametrize(
    ("images", "told"),
    [
        (["a.png"], "names files in 1 (image 'cat.png'), 2 (image 'sub/in.png [input]'), 3"),
        (["2=https://a/x.png", "https://a/y.png", "https://a/z.png"], "--image NODE=FILE"),
        (["1=nowhere.png"], "nowhere.png: No such file"),
    ],
)
def test_an_image_that_is_meant_for_no_single_name_is_refused(
    atelier: Atelier, graph: Path, images: list[str], told: str
) -> None:
    options = [word for image in images for word in ("--image", image)]
    result = atelier("submit", graph, *options)

    assert (result.exit_code, told in result.stderr) == (2, True), result.stderr


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"3": {"class_type": "KSampler"}}, "no node of the graph takes the name of a file"),
        ({"kind": "pipeline", "content": [1]}, "the content is no graph"),
    ],
)
def test_what_names_no_file_takes_no_image(
    atelier: Atelier, tmp_path: Path, content: object, told: str
) -> None:
    file = tmp_path / "graph.json"
    file.write_text(json.dumps(content))
    result = atelier("submit", file, "--image", "https://example.org/a.png")

    assert (result.exit_code, told in result.stderr) == (2, True), result.stderr


def test_one_picture_alone_is_enlarged_and_several_are_started_from() -> None:
    links = ["https://example.org/a.png", "https://example.org/b.png"]
    task = TaskRequest(kind=Kind.TEXT_TO_IMAGE, content={})

    assert PictureOptions(image=links).onto(task, "a").content["init_images"] == links
    with pytest.raises(Misused, match="a task for each"):
        PictureOptions(image=links, upscale=2).onto(task, None)
