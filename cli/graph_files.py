"""Files of `submit --image` in a graph: put where its nodes name some."""

from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

from atelier import Misused, picture
from models.runtimes.comfyui.files import NamedFile, named_files
from models.runtimes.comfyui.graphs import unwrapped

_MOST_TOLD = 10


def with_files(content: Any, sources: Sequence[str]) -> Any:
    """Return a graph with files, or links to some, in the place of the names they are meant for.

    A source is ``NODE=FILE``, or a file that takes the place of its own name; one of another name
    takes that of the only name that is left.

    Raises:
        Misused: it is not clear for which name one is meant, or a file cannot be read.
    """
    graph = unwrapped(content)
    if not isinstance(graph, dict):
        raise Misused("--image: the content is no graph in ComfyUI's API format")
    names = named_files(graph)
    given: dict[NamedFile, str] = {}
    others = []
    for source in sources:
        node, _, file = source.partition("=")
        meant = [name for name in names if name.node == node]
        if file and node in graph:
            given |= dict.fromkeys(_only(source, meant, names), picture(file))
        elif called := [name for name in names if name.file_name == PurePath(source).name]:
            given |= dict.fromkeys(called, picture(source))
        else:
            others.append(source)
    left = [name for name in names if name not in given]
    for source in others:
        given |= dict.fromkeys(
            _only(source, left, names, is_last=len(others) == 1), picture(source)
        )
    return _placed(content, graph, given)


def _only(
    source: str, meant: Sequence[NamedFile], names: Sequence[NamedFile], *, is_last: bool = True
) -> Sequence[NamedFile]:
    """Return the names that one source takes the place of: the same name, in one node or several.

    Raises:
        Misused: there is none, or not a single one.
    """
    if is_last and len({name.name for name in meant}) == 1:
        return meant
    if not names:
        raise Misused(f"--image {source}: no node of the graph takes the name of a file")
    ways = [f"{each.node} ({each.field} {each.name!r:.60})" for each in names[:_MOST_TOLD]]
    told = f"the graph names files in {', '.join(ways)}"
    raise Misused(f"--image {source}: {told}; say in which node with --image NODE=FILE")


def _placed(content: Any, graph: Any, given: dict[NamedFile, str]) -> Any:
    nodes = {**graph}
    for name, text in given.items():
        node = nodes[name.node]
        nodes[name.node] = {**node, "inputs": {**node["inputs"], name.field: text}}
    return nodes if graph is content else {**content, "prompt": nodes}
