"""Request to the Web UI for a task: no routing keys, and pictures in place of links."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from deployments.inputs.fields import inline_pictures, with_inputs
from deployments.inputs.pictures import standard_inline
from deployments.runtimes.sdwebui.pictures import encoded
from deployments.runtimes.sdwebui.server import API
from models.errors import TaskFailed
from models.runtimes.content import Fault, refuse
from models.runtimes.webui import (
    NOT_AN_OBJECT,
    ROUTING,
    flag,
    object_at,
    object_faults,
    settings_in,
)
from models.task import Kind, Task

PATHS = {
    Kind.TEXT_TO_IMAGE: f"{API}/txt2img",
    Kind.IMAGE_TO_IMAGE: f"{API}/img2img",
    Kind.EXTRA_SINGLE_IMAGE: f"{API}/extra-single-image",
    Kind.EXTRA_BATCH_IMAGES: f"{API}/extra-batch-images",
}
CHECKPOINT_KINDS = frozenset({Kind.TEXT_TO_IMAGE, Kind.IMAGE_TO_IMAGE})
"""Kinds of task that a checkpoint draws."""
_NO_NAME = frozenset({"", "none", "automatic", "use same sampler", "use same scheduler"})
"""Values, in lower case, with which a field names nothing of its own."""


@dataclass(frozen=True)
class Request:
    """Request to the server for one generation."""

    kind: Kind
    body: Mapping[str, Any]

    @property
    def path(self) -> str:
        return PATHS[self.kind]

    @property
    def sampler(self) -> str | None:
        """Field that names the sampler; None if the server may choose."""
        named = (key for key in ("sampler_name", "sampler_index") if self.names(key))
        return next(named, None) if self.kind in CHECKPOINT_KINDS else None

    def names(self, key: str) -> bool:
        """Tell whether a field names something of its own."""
        name = self.body.get(key)
        return isinstance(name, str) and name.lower() not in _NO_NAME

    def with_fields(self, **fields: Any) -> "Request":
        return replace(self, body={**self.body, **fields})


def request_of(task: Task, inputs: Mapping[str, bytes]) -> Request:
    """Make the request for a task, with the bytes behind its links in it.

    Base64 of its own is written as the Web UI reads it: of another alphabet it drops letters.

    Raises:
        TaskFailed: the content is no request, or the kind is none of this runtime.
    """
    kind = next((known for known in PATHS if known == task.kind), None)
    if kind is None:
        raise TaskFailed(f"tasktype: '{task.kind}' is not supported by this runtime")
    content = webui_content(task)
    own = {text: standard_inline(text) for text in inline_pictures(content)}
    fetched = {link: encoded(data) for link, data in inputs.items()}
    return Request(kind, with_inputs(content, own | fetched))


def webui_content(task: Task) -> dict[str, Any]:
    """Return the content with the guide's routing keys replaced by the Web UI's own fields.

    Raises:
        TaskFailed: it is no object, or holds something else where an object must be.
    """
    content = task.content
    if not isinstance(content, dict):
        raise TaskFailed(str(Fault("", NOT_AN_OBJECT)))
    refuse(list(object_faults(content)))
    if task.kind == Kind.EXTRA_BATCH_IMAGES:
        return content | {"imageList": _named(content.get("imageList"))}
    return _for_checkpoint(content, task.kind) if task.kind in CHECKPOINT_KINDS else content


def _for_checkpoint(content: dict[str, Any], kind: str) -> dict[str, Any]:
    scripts = object_at(content, "alwayson_scripts")
    # The adapter loads the checkpoint before: for an unknown name the server would take the
    # current one.
    settings = {k: v for k, v in settings_in(content).items() if k != "sd_model_checkpoint"}
    extensions = {name: script for name, script in scripts.items() if name not in ROUTING}
    changed: dict[str, Any] = {"alwayson_scripts": extensions, "override_settings": settings}
    if kind == Kind.IMAGE_TO_IMAGE and (link := scripts.get("image_link")):
        changed["init_images"] = [link]
    if flag(content.get("enable_hr")):
        # Forge fails without this field: it looks for these words in it.
        changed["hr_additional_modules"] = content.get(
            "hr_additional_modules", ["Use same choices"]
        )
    return content | changed


def _named(images: Any) -> Any:
    """Give each picture of the list a name, which the server insists on."""
    if not isinstance(images, list):
        return images
    entries = [image if isinstance(image, dict) else {"data": image} for image in images]
    return [{"name": f"{number}.png", **entry} for number, entry in enumerate(entries, start=1)]
