"""Type ``sdwebui``: a server of the Stable Diffusion Web UI's API (A1111, Forge, SD.Next)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from pydantic import ValidationError
from typing_extensions import override

from models.runtimes.content import (
    MOST_FAULTS,
    Content,
    Fault,
    JsonSchema,
    faults_in,
    first,
    nearest,
)
from models.runtimes.sdwebui.options import Options
from models.runtimes.sdwebui.requests import (
    KNOWN,
    ExtraBatch,
    ExtraSingle,
    ImageToImage,
    Request,
    TextToImage,
)
from models.runtimes.type import RuntimeType
from models.runtimes.webui import NOT_AN_OBJECT, crowd_faults, object_faults
from models.settings.base import Group
from models.task import Kind

__all__ = ["SDWEBUI", "Options"]

_MISSPELT = 0.8
"""Similarity, from 0 to 1, to a known field past which an unknown field is a misspelling.

A less similar one may be a field that the server has of its own.
"""


_MODELS: Mapping[Kind, type[Request]] = {
    Kind.TEXT_TO_IMAGE: TextToImage,
    Kind.IMAGE_TO_IMAGE: ImageToImage,
    Kind.EXTRA_SINGLE_IMAGE: ExtraSingle,
    Kind.EXTRA_BATCH_IMAGES: ExtraBatch,
}


@dataclass(frozen=True)
class RequestContent(Content):
    """Content that is a request to a server of the Web UI's API."""

    model: type[Request]

    @override
    def faults(self, content: Any, options: Group) -> Sequence[Fault]:
        del options
        if not isinstance(content, dict):
            return [Fault("", NOT_AN_OBJECT)]
        given = {str(key): value for key, value in content.items() if value is not None}
        if crowded := first(crowd_faults(given)):
            return crowded
        return first(dict.fromkeys([*object_faults(given), *self._faults(given)]))

    @override
    def schema(self, options: Group) -> JsonSchema:
        schema = self.model.model_json_schema()
        for field in self.model.needed:
            wanted = schema["properties"][field]
            wanted["minItems" if wanted["type"] == "array" else "minLength"] = 1
        return schema | ({"required": [*self.model.needed]} if self.model.needed else {})

    def _faults(self, given: Mapping[str, Any]) -> Iterator[Fault]:
        known = sorted(KNOWN)
        for field in islice(sorted(given.keys() - KNOWN), MOST_FAULTS):
            if (meant := nearest(field, known, _MISSPELT)) is not None:
                yield Fault(field[:80], f"unknown field; did you mean {meant!r}?")
        gathered = self.model.gathered(given)
        for field, remedy in self.model.lacking(gathered):
            yield Fault(field, remedy)
        try:
            self.model.model_validate(gathered)
        except ValidationError as exc:
            yield from (fault for fault in faults_in(exc) if _is_new(fault, given))


def _is_new(fault: Fault, given: Mapping[str, Any]) -> bool:
    """Tell whether a fault was not found before, as a value that must be an object."""
    return fault.field not in {found.field for found in object_faults(given)}


SDWEBUI = RuntimeType(
    name="sdwebui",
    kinds=frozenset(_MODELS),
    options=Options,
    contents={kind: RequestContent(model) for kind, model in _MODELS.items()},
    image_server={
        "command": ["python", "webui.py", "--api"],
        "folder": "/stable-diffusion-webui",
    },
)
