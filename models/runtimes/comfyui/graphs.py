"""Graphs in ComfyUI's API format: what they must look like; never what a node does."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from models.runtimes.comfyui.files import NO_FILE, NOT_ITS_OWN, foreign_fields, lacks_name
from models.runtimes.comfyui.links import link_mistake, taken_from
from models.runtimes.content import Fault, shown

EDITOR_FORMAT = (
    "this is the format of ComfyUI's editor; export the workflow with Workflow > Export (API)"
    ' (in older versions "Save (API Format)" of the dev mode), and send that'
)
_NOT_A_GRAPH = "must be a graph: an object of nodes by their ids, in ComfyUI's API format"
_NO_GRAPH_IN_IT = "must be the graph: an object of nodes by their ids, in ComfyUI's API format"
_WRAPPING = frozenset({"prompt", "client_id", "extra_data", "prompt_id", "front", "number"})
"""Fields of the body of ComfyUI's own API."""
_LONGEST_NAME = 60
_LONGEST_CIRCLE = 5  # nodes that are told of one
_MOST_NODES = 10_000


def unwrapped(content: Any) -> Any:
    """Take the graph out of ``{"prompt": graph, …}``, the body of ComfyUI's own API."""
    match content:
        # A bare graph may have a node with the id "prompt", and a node has a class.
        case {"prompt": dict(graph)} if "class_type" not in graph:
            return graph
    return content


def graph_faults(
    content: Any, allowed: Collection[str] | None, files: Collection[str] = ()
) -> Iterator[Fault]:
    """Find what is wrong with a graph, one by one: its shape, and files that are not the task's.

    ``allowed``: the node classes that it may have; None for any. ``files``: names of ComfyUI's own
    files that it may load.
    """
    graph = unwrapped(content)
    if _is_empty_wrapper(content):
        given = f"given: {shown(content['prompt'])}" if "prompt" in content else "it is missing"
        yield Fault("prompt", f"{_NO_GRAPH_IN_IT} ({given})")
    elif not isinstance(graph, dict) or not graph:
        yield Fault("", _NOT_A_GRAPH)
    # The editor's format lists its nodes; here even a node whose id is "nodes" is an object.
    elif isinstance(graph.get("nodes"), list):
        yield Fault("", EDITOR_FORMAT)
    elif len(graph) > _MOST_NODES:
        yield Fault("", f"{len(graph)} nodes are more than the {_MOST_NODES} of a graph")
    else:
        under = "" if graph is content else "prompt."
        for name in graph:
            for fault in _node_faults(name, graph, allowed, files):
                field = f".{fault.field}" if fault.field else ""
                yield Fault(f"{under}{name[:_LONGEST_NAME]}{field}", fault.message)
        yield from _circles(graph)


def _is_empty_wrapper(content: Any) -> bool:
    """Tell whether a content is a body of ComfyUI's own API, and has no graph in it."""
    if not isinstance(content, dict) or not content.keys() & _WRAPPING:
        return False
    if content.get("prompt"):
        # What is an object there is the graph, or a node of that name in a bare one.
        return not isinstance(content["prompt"], dict) and not _has_nodes(content)
    return not _has_nodes(content)


def _has_nodes(content: Mapping[str, Any]) -> bool:
    marks = {"class_type", "inputs"}
    return any(isinstance(node, dict) and node.keys() & marks for node in content.values())


def _node_faults(
    name: str, graph: Mapping[str, Any], allowed: Collection[str] | None, files: Collection[str]
) -> Iterator[Fault]:
    node = graph[name]
    if not isinstance(node, dict):
        yield Fault("", f"must be a node with class_type and inputs (given: {shown(node)})")
        return
    kind = node.get("class_type")
    if not isinstance(kind, str) or not kind:
        yield Fault("class_type", "is missing; is the graph in the API format?")
    elif allowed is not None and kind not in allowed:
        yield Fault("class_type", f"{shown(kind)} is a class that options.allowNodes lacks")
    inputs = node.get("inputs")
    if not isinstance(inputs, dict):
        yield Fault("inputs", "must be an object, empty if the node has none")
        return
    kind = kind if isinstance(kind, str) else ""
    mistakes = {
        field: message
        for field, value in inputs.items()
        if (message := _input_mistake(name, kind, field, value, graph))
    }
    mistakes |= dict.fromkeys(foreign_fields(kind, inputs, files), NOT_ITS_OWN)
    for field, message in mistakes.items():
        yield Fault(f"inputs.{field[:_LONGEST_NAME]}", message)


def _input_mistake(
    name: str, kind: str, field: str, value: Any, graph: Mapping[str, Any]
) -> str | None:
    if (taken := taken_from(value)) is not None and taken not in graph:
        return f"is taken from node {shown(taken)}, which the graph does not have"
    if (mistake := link_mistake(value, name, graph)) is not None:
        return mistake
    return f"{NO_FILE} (given: {shown(value)})" if lacks_name(kind, field, value) else None


def _circles(graph: Mapping[str, Any]) -> Iterator[Fault]:
    """Find nodes that wait for each other in a circle: ComfyUI could never run them."""
    waits = {name: _sources(node) & graph.keys() for name, node in graph.items()}
    takers: dict[str, list[str]] = {name: [] for name in graph}
    for name, sources in waits.items():
        for source in sources:
            takers[source].append(name)
    # What waits for nothing can run, and frees those that take from it. What is left when nobody is
    # ready any more waits in a circle, or behind one; a circle that was told frees the others.
    ready = [name for name, sources in waits.items() if not sources]
    while waits:
        if not ready:
            circle = _circle(waits)
            yield _circle_fault(circle, graph)
            ready = circle
        done = ready.pop()
        if waits.pop(done, None) is None:
            continue
        for taker in takers[done]:
            if taker in waits:
                waits[taker].discard(done)
                if not waits[taker]:
                    ready.append(taker)


def _circle(waits: Mapping[str, set[str]]) -> list[str]:
    """Find a circle among nodes that wait and so each have a source there; a taker comes first."""
    walked: dict[str, int] = {}
    name = next(iter(waits))
    while name not in walked:
        walked[name] = len(walked)
        # Each step leads to a source that waits as well, so the walk must come back to a node.
        name = min(waits[name])
    return list(walked)[walked[name] :]


def _circle_fault(circle: Sequence[str], graph: Mapping[str, Any]) -> Fault:
    name, source = circle[0], circle[1 % len(circle)]
    inputs = graph[name]["inputs"].items()
    field = next(field for field, value in inputs if taken_from(value) == source)
    path = " <- ".join(shown(each) for each in [*circle[:_LONGEST_CIRCLE], name])
    where = f"{name[:_LONGEST_NAME]}.inputs.{field[:_LONGEST_NAME]}"
    return Fault(where, f"nodes take from one another in a circle: {path}")


def _sources(node: Any) -> set[str]:
    inputs = node.get("inputs") if isinstance(node, dict) else None
    if not isinstance(inputs, dict):
        return set()
    return {taken for value in inputs.values() if (taken := taken_from(value)) is not None}
