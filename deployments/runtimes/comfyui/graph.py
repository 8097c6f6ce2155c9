"""Graph of a task in ComfyUI's API format; knows its shape, never what a node does."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from deployments.runtimes.comfyui.words import LONGEST_NAME
from models.runtimes.comfyui.files import holds_file, takes_link
from models.runtimes.comfyui.graphs import graph_faults, unwrapped
from models.runtimes.comfyui.links import taken_from
from models.runtimes.content import first, refuse

_LONGEST_FIELD = 80  # characters
_DEFAULT_STEPS = 20  # of a sampler whose steps come from a node that does not tell them


@dataclass(frozen=True)
class Graph:
    """Nodes by their id, in the order in which the client wrote them."""

    nodes: Mapping[str, Mapping[str, Any]]

    @classmethod
    def read(
        cls, content: Any, allowed: Collection[str] | None = None, files: Collection[str] = ()
    ) -> Self:
        """Read a task's content as a graph of any nodes, or of these classes.

        ``files``: names of ComfyUI's own files that it may load.

        Raises:
            TaskFailed: naming each node and field that is wrong.
        """
        refuse(first(graph_faults(content, allowed, files)))
        return cls(unwrapped(content))

    @property
    def links(self) -> list[str]:
        """List the links that stand where a node takes the name of a file, each once."""
        return list(
            dict.fromkeys(
                value
                for name, field, value in self._inputs()
                if takes_link(self.kind(name), field, value)
            )
        )

    @property
    def pictures(self) -> dict[str, str]:
        """Find the files in base64 that stand where a node takes a name, each with its field."""
        found: dict[str, str] = {}
        for name, field, value in self._inputs():
            if holds_file(self.kind(name), field, value):
                found.setdefault(value, f"{name}.inputs.{field}"[:_LONGEST_FIELD])
        return found

    def with_files(self, names: Mapping[str, str]) -> "Graph":
        """Return the graph with a file's name in the place of each of `links` and `pictures`."""
        nodes = {name: {**node, "inputs": {**node["inputs"]}} for name, node in self.nodes.items()}
        for name, field, value in self._inputs():
            kind = self.kind(name)
            if takes_link(kind, field, value) or holds_file(kind, field, value):
                nodes[name]["inputs"][field] = names[value]
        return Graph(nodes)

    def kind(self, name: str) -> str:
        """Return the class of a node; empty if the graph has no such node."""
        return str(self.nodes[name]["class_type"]) if name in self.nodes else ""

    def title(self, name: str) -> str:
        """Name the node for a message."""
        kind, name = self.kind(name)[:LONGEST_NAME], name[:LONGEST_NAME]
        return f"node {name} ({kind})" if kind else f"node {name}"

    def position(self, name: str) -> int:
        """Return the node's index; what is not in the graph comes last."""
        return list(self.nodes).index(name) if name in self.nodes else len(self.nodes)

    def sends(self, name: str) -> bool:
        """Tell whether the node sends its pictures over the socket (``SaveImageWebsocket``)."""
        return "websocket" in self.kind(name).lower()

    @property
    def senders(self) -> set[str]:
        """Nodes that send their pictures over the socket."""
        return set(filter(self.sends, self.nodes))

    def of_unknown_classes(self, known: Collection[str]) -> dict[str, list[str]]:
        """Find the classes of nodes that are not among these, each with the ids of its nodes."""
        unknown: dict[str, list[str]] = {}
        for name in self.nodes:
            if (kind := self.kind(name)) not in known:
                unknown.setdefault(kind, []).append(name)
        return unknown

    @property
    def outputs(self) -> set[str]:
        """Nodes that no other takes anything from."""
        taken = {taken_from(value) for _, _, value in self._inputs()}
        return set(self.nodes) - taken

    @property
    def weights(self) -> dict[str, int]:
        """Share of each node in the progress: a sampler counts its steps, any other node 1."""
        counts = [
            value for _, field, value in self._inputs() if field == "steps" and _is_count(value)
        ]
        steps = max(counts, default=_DEFAULT_STEPS)
        return {name: _weight(node["inputs"], steps) for name, node in self.nodes.items()}

    def _inputs(self) -> Iterator[tuple[str, str, Any]]:
        for name, node in self.nodes.items():
            for field, value in node["inputs"].items():
                yield name, field, value


def _is_count(value: Any) -> bool:
    """Tell whether a value is a positive whole number; ``True`` is none."""
    return type(value) is int and value > 0


def _weight(inputs: Mapping[str, Any], steps: int) -> int:
    if "latent_image" not in inputs:  # what every sampler takes
        return 1
    own = inputs.get("steps", 0)
    return int(own) if _is_count(own) else steps
