"""What a graph gave, of every kind, in the order of its nodes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from deployments.adapter import Artifact
from deployments.runtimes.comfyui.client import File
from deployments.runtimes.comfyui.graph import Graph

Given = Mapping[str, Mapping[str, Any]]
"""By node, then by kind (``images``, ``gifs``, ``audio``, ``text``, ``3d`` …)."""

_PICTURES = "images"


@dataclass(frozen=True)
class Outputs:
    """What the nodes of one prompt gave: files, pictures that came over the socket, values."""

    given: Given
    """As history has it, its files as `File`, in the order of the nodes."""
    sent: Mapping[str, list[bytes]]

    @classmethod
    def of(cls, outputs: Given, sent: Mapping[str, list[bytes]], graph: Graph) -> "Outputs":
        names = sorted({*outputs, *sent}, key=graph.place)
        seen: set[File] = set()
        given = {name: _read(outputs.get(name, {}), seen) for name in names}
        return cls(given, sent)

    @property
    def files(self) -> list[tuple[str, File]]:
        """The files worth keeping, each with its node: previews only where there is no other."""
        every = [
            (name, value)
            for name, kinds in self.given.items()
            for value in _each(kinds)
            if isinstance(value, File)
        ]
        final = [(name, file) for name, file in every if file.place == "output"]
        return final or ([] if self.sent else every)

    @property
    def is_empty(self) -> bool:
        """Whether there is neither a file nor a picture nor a word."""
        words = (value for kinds in self.given.values() for value in _each(kinds))
        return not self.files and not self.sent and not any(isinstance(w, str) for w in words)

    def answer(self, fetched: Mapping[File, Artifact]) -> dict[str, Any]:
        """The same with an artifact in the place of each file that was fetched."""
        answer: dict[str, Any] = {
            name: {kind: _placed(value, fetched) for kind, value in kinds.items()}
            for name, kinds in self.given.items()
        }
        for name, images in self.sent.items():
            shown = answer[name].setdefault(_PICTURES, [])
            shown.extend(Artifact(data=image) for image in images)
        return answer


def artifacts(answer: Mapping[str, Mapping[str, Any]]) -> Iterator[Artifact]:
    """Those in an answer, in its order."""
    for kinds in answer.values():
        for value in _each(kinds):
            if isinstance(value, Artifact):
                yield value


def _each(kinds: Mapping[str, Any]) -> Iterator[Any]:
    for value in kinds.values():
        yield from value if isinstance(value, list) else [value]


def _read(kinds: Mapping[str, Any], seen: set[File]) -> dict[str, Any]:
    """A node's outputs, its files as `File`; one that is told twice stands there once."""
    return {
        kind: list(_items(value, seen)) if isinstance(value, list) else value
        for kind, value in kinds.items()
    }


def _items(values: list[Any], seen: set[File]) -> Iterator[Any]:
    for value in values:
        match value:
            case {"filename": str(name)} if name:
                folder, place = value.get("subfolder") or "", value.get("type") or "output"
                file = File(name, folder, place)
                if file not in seen:
                    yield file
                seen.add(file)
            case _:
                yield value


def _placed(value: Any, fetched: Mapping[File, Artifact]) -> Any:
    match value:
        case [*values]:
            return [_placed(one, fetched) for one in values]
        case File():
            left_out = {"filename": value.name, "subfolder": value.folder, "type": value.place}
            return fetched.get(value, left_out)
        case _:
            return value
