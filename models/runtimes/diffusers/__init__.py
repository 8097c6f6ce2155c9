"""Type ``diffusers``: Stable Diffusion in the replica's own process, in the Web UI's words."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typing_extensions import override

from models.checkpoints import Checkpoints
from models.runtimes.content import Content, Fault, JsonSchema
from models.runtimes.diffusers import setting_names
from models.runtimes.diffusers.extras import ExtraBatch, ExtraSingle
from models.runtimes.diffusers.fates import Ignored, Refusals
from models.runtimes.diffusers.fields import IGNORED, SECOND_PASS_REFUSED
from models.runtimes.diffusers.generation_requests import ImageToImage, TextToImage
from models.runtimes.diffusers.options import Options
from models.runtimes.diffusers.request import Request
from models.runtimes.diffusers.samplers import SCHEMA
from models.runtimes.type import RuntimeType
from models.runtimes.weights import missing
from models.settings.base import Group
from models.settings.groups import Runtime
from models.task import Kind

__all__ = ["DIFFUSERS", "Options"]

_SCRIPTS = {
    "type": "object",
    "description": "The guide's routing keys; an extension with arguments is refused.",
}
_NEEDED = {ImageToImage: "init_images", ExtraSingle: "image", ExtraBatch: "imageList"}


@dataclass(frozen=True)
class RequestContent(Content):
    """Content that is a request of the Web UI."""

    model: type[Request]

    @override
    def faults(self, content: Any, options: Group) -> Sequence[Fault]:
        return self.model.judged(content, _own(options))[1]

    @override
    def schema(self, options: Group) -> JsonSchema:
        schema = self.model.model_json_schema()
        properties = schema["properties"]
        for field, most in self.model.most(_own(options)).items():
            properties[field]["maximum"] = most
        properties |= _unused({**SECOND_PASS_REFUSED, **self.model.refused}, IGNORED)
        if (settings := schema.get("$defs", {}).get("Overrides")) is not None:
            settings["properties"] |= _unused(setting_names.REFUSED, setting_names.IGNORED)
            settings["additionalProperties"] = False
        properties["sampler_index"] = {**SCHEMA, "deprecated": True}
        properties["alwayson_scripts"] = _SCRIPTS
        if (needed := _NEEDED.get(self.model)) is not None:
            properties[needed] |= {"minItems": 1} if properties[needed]["type"] == "array" else {}
            schema["required"] = [needed]
        return schema | {"additionalProperties": False}


def _unused(refused: Refusals, ignored: Ignored) -> dict[str, JsonSchema]:
    """Describe the fields that are not honoured: values that are taken, and why no others are."""
    unless: dict[str, JsonSchema] = {
        name: {"enum": list(refusal.unless), "description": f"No other: {refusal.reason}."}
        for name, refusal in refused.items()
    }
    free = {name: {"description": f"Changes nothing: {why}."} for name, why in ignored.items()}
    return {name: {**told, "deprecated": True} for name, told in {**unless, **free}.items()}


def _own(options: Group) -> Options:
    if not isinstance(options, Options):
        raise TypeError(f"options of another type: {type(options).__module__}")
    return options


def _lacks(runtime: Runtime, options: Group, folder: Path | None) -> Iterator[str]:
    if folder is None:
        yield f"checkpoints: a folder of weights is needed for {runtime.name}, of type diffusers"
        return
    pickles = _own(options).allow_pickle
    yield from missing(runtime, Checkpoints(folder, pickles=pickles).stable_diffusion)


_CONTENTS = {
    Kind.TEXT_TO_IMAGE: RequestContent(TextToImage),
    Kind.IMAGE_TO_IMAGE: RequestContent(ImageToImage),
    Kind.EXTRA_SINGLE_IMAGE: RequestContent(ExtraSingle),
    Kind.EXTRA_BATCH_IMAGES: RequestContent(ExtraBatch),
}
DIFFUSERS = RuntimeType(
    name="diffusers",
    kinds=frozenset(_CONTENTS),
    options=Options,
    contents=_CONTENTS,
    needs=("torch", "diffusers", "transformers", "safetensors"),
    lacks=_lacks,
)
