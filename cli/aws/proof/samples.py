"""Sample tasks for the proof, in the forms of the reference's two APIs."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cli.aws.sdk import RequirementMissing
from cli.aws.tools import ROOT
from models.settings.groups import Runtime

Api = Literal["v1alpha1", "v1alpha2"]

SAMPLES = ROOT / "samples" / "tasks"
_GRAPH = "pipeline"
_FIRST = "text-to-image"
_FILES: Mapping[str, Mapping[str, str]] = {
    "comfyui": {_GRAPH: "comfyui/picture.json"},
    "sdwebui": {
        _FIRST: "sdwebui/text-to-image.json",
        "image-to-image": "sdwebui/image-to-image.json",
        "extra-single-image": "sdwebui/extra-single-image.json",
    },
}
_OTHERS = {
    kind: f"diffusers/{kind}.json" for kind in (_FIRST, "image-to-image", "extra-single-image")
}
_ALPHA1_KINDS = frozenset({_FIRST, "image-to-image"})
"""Kinds that the reference documents for v1alpha1."""


@dataclass(frozen=True, kw_only=True)
class SampleTask:
    """Task that is sent to prove the platform."""

    api: Api
    runtime: str
    kind: str
    id: str
    prefix: str
    content: Mapping[str, Any]
    checkpoint: str | None = None
    """Checkpoint by which v1alpha1 finds the runtime; None in v1alpha2."""

    @property
    def body(self) -> Mapping[str, Any]:
        """Body of the POST to API Gateway."""
        return {"task": self._v1alpha2} if self.api == "v1alpha2" else self._v1alpha1

    @property
    def message(self) -> Mapping[str, Any]:
        """Message for the tasks topic."""
        if self.api == "v1alpha2":
            return self._v1alpha2
        metadata = {
            "id": self.id,
            "runtime": "legacy",
            "tasktype": self.kind,
            "prefix": self.prefix,
        }
        return {"metadata": {**metadata, "context": {}}, "content": self._v1alpha1}

    @property
    def attributes(self) -> Mapping[str, str]:
        """Message attributes by which the tasks topic routes."""
        if self.checkpoint is not None:
            return {"sd_model_checkpoint": self.checkpoint}
        return {"runtime": self.runtime}

    @property
    def _v1alpha2(self) -> Mapping[str, Any]:
        metadata = {"id": self.id, "runtime": self.runtime, "tasktype": self.kind}
        return {"metadata": {**metadata, "prefix": self.prefix}, "content": self.content}

    @property
    def _v1alpha1(self) -> Mapping[str, Any]:
        routing = {
            "task": self.kind,
            "id_task": self.id,
            "sd_model_checkpoint": self.checkpoint,
            "save_dir": self.prefix,
        }
        scripts = self.content.get("alwayson_scripts", {})
        return {**self.content, "alwayson_scripts": {**scripts, **routing}}


def sample_tasks(
    runtime: Runtime, api: Api, run: str, *, folder: Path = SAMPLES
) -> Iterator[SampleTask]:
    """Yield a task of each kind that runtimes of this type can do; ``run`` prefixes their ids.

    A v1alpha1 task names no runtime but its checkpoint, so a runtime without `modelFilename` has
    none.
    """
    files = _FILES.get(runtime.type, _OTHERS)
    for kind, file in files.items():
        if api == "v1alpha1" and (runtime.model_filename is None or kind not in _ALPHA1_KINDS):
            continue
        yield SampleTask(
            api=api,
            runtime=runtime.name,
            kind=kind,
            # Cut in front: the end is what tells the tasks of a run apart.
            id=f"{run}-{api}-{runtime.name}-{kind}"[-64:].lstrip("-_"),
            prefix="atelier-test",
            content=_content(folder / file),
            checkpoint=runtime.model_filename if api == "v1alpha1" else None,
        )


def proof_task(runtime: Runtime, run: str) -> SampleTask:
    """Return the task that a deployment proves itself with."""
    return next(sample_tasks(runtime, "v1alpha2", run))


def _content(path: Path) -> Mapping[str, Any]:
    """Read a sample's content; an upscaler without weights replaces the sample's own.

    Raises:
        RequirementMissing: there is no such file.
    """
    try:
        content: dict[str, Any] = json.loads(path.read_text())["content"]
    except FileNotFoundError:
        raise RequirementMissing(
            f"{path} is not there; run this from a checkout of atelier"
        ) from None
    return content | ({"upscaler_1": "Lanczos"} if "upscaler_1" in content else {})
