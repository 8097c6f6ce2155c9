"""Settings that can be set alone, with their paths in config.yaml."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from models.settings import Settings


@dataclass(frozen=True)
class Leaf:
    """Setting with no others beneath it."""

    path: str
    """Path such as ``modelsRuntime[].nodes.maxGpus``."""
    model: type[BaseModel]
    field: str
    info: FieldInfo


def leaves(model: type[BaseModel] = Settings, under: str = "") -> Iterator[Leaf]:
    """Walk a model's settings, and those of the groups and lists in it."""
    for field, info in model.model_fields.items():
        path = f"{under}.{info.alias or field}".removeprefix(".")
        inner = model_in(info.annotation)
        if inner is None:
            yield Leaf(path, model, field, info)
        else:
            yield from leaves(inner, f"{path}[]" if is_list(info.annotation) else path)


def model_in(annotation: Any) -> type[BaseModel] | None:
    """Find the model inside ``tuple[Model, ...]`` or ``Model | None``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(model_in, get_args(annotation))), None)


def is_list(annotation: Any) -> bool:
    """Tell whether a group may stand there any number of times."""
    return getattr(annotation, "__origin__", None) is tuple
