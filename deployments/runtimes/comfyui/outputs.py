"""Outputs of a graph, of every kind, in the order of its nodes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from deployments.adapter import Artifact
from deployments.runtimes.comfyui.client import File
from deployments.runtimes.comfyui.graph import Graph

NodeOutputs = Mapping[str, Mapping[str, Any]]
"""Outputs by node, then by kind (``images``, ``gifs``, ``audio``, ``text``, ``3d`` …)."""

_IMAGES = "images"


@dataclass(frozen=True)
class Outputs:
    """Outputs of the nodes of one prompt: files, pictures that came over the socket, values."""

    by_node: NodeOutputs
    """Outputs as the history has them, files as `File`, in the order of the nodes."""
    images: Mapping[str, list[bytes]]
    """Pictures that came over the socket, by node."""

    @classmethod
    def of(cls, outputs: NodeOutputs, images: Mapping[str, list[bytes]], graph: Graph) -> "Outputs":
        """Read the history's outputs; a file that is told twice stands there once."""
        names = sorted({*outputs, *images}, key=graph.position)
        seen: set[File] = set()
        by_node = {name: _read(outputs.get(name, {}), seen) for name in names}
        return cls(by_node, images)

    @property
    def files(self) -> list[tuple[str, File]]:
        """List the files worth keeping, each with its node; previews only if there is none else."""
        files = [
            (name, value)
            for name, kinds in self.by_node.items()
            for value in _each(kinds)
            if isinstance(value, File)
        ]
        final = [(name, file) for name, file in files if file.area == "output"]
        return final or ([] if self.images else files)

    @property
    def is_empty(self) -> bool:
        """Tell whether there is neither a file nor a picture nor a text."""
        values = [value for kinds in self.by_node.values() for value in _each(kinds)]
        texts = any(isinstance(value, str) for value in values)
        return not (self.files or self.images or texts)

    def answer(self, fetched: Mapping[File, Artifact]) -> dict[str, Any]:
        """Return the outputs with an artifact in the place of each file that was fetched."""
        answer: dict[str, Any] = {
            name: {kind: _placed(value, fetched) for kind, value in kinds.items()}
            for name, kinds in self.by_node.items()
        }
        for name, images in self.images.items():
            pictures = answer[name].setdefault(_IMAGES, [])
            pictures.extend(Artifact(data=image) for image in images)
        return answer


def artifacts(answer: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, Artifact]]:
    """Yield the artifacts in an answer, each with its node, in the answer's order."""
    for node, kinds in answer.items():
        for value in _each(kinds):
            if isinstance(value, Artifact):
                yield node, value


def file_names(answer: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """List the artifacts that were files of ComfyUI's: number, node, and name with its folder."""
    return [
        {"artifact": number, "node": node, "filename": artifact.name}
        for number, (node, artifact) in enumerate(artifacts(answer), start=1)
        if artifact.name
    ]


def _each(kinds: Mapping[str, Any]) -> Iterator[Any]:
    for value in kinds.values():
        yield from value if isinstance(value, list) else [value]


def _read(kinds: Mapping[str, Any], seen: set[File]) -> dict[str, Any]:
    """Read a node's outputs, files as `File`, without files that were seen before."""
    return {
        kind: list(_items(value, seen)) if isinstance(value, list) else value
        for kind, value in kinds.items()
    }


def _items(values: list[Any], seen: set[File]) -> Iterator[Any]:
    for value in values:
        match value:
            case {"filename": str(name)} if name:
                folder, area = value.get("subfolder") or "", value.get("type") or "output"
                file = File(name, folder, area)
                if file not in seen:
                    yield file
                seen.add(file)
            case _:
                yield value


def _placed(value: Any, fetched: Mapping[File, Artifact]) -> Any:
    match value:
        case [*values]:
            return [_placed(item, fetched) for item in values]
        case File():
            left_out = {"filename": value.name, "subfolder": value.folder, "type": value.area}
            return fetched.get(value, left_out)
        case _:
            return value
