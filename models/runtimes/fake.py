"""Type ``fake``: a simulated GPU."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from typing_extensions import override

from models.runtimes.content import Content, Fault, JsonSchema, faults_in
from models.runtimes.type import RuntimeType
from models.settings.base import Group
from models.settings.groups import Runtime
from models.task import Kind

MOST_PICTURES = 100
"""Pictures of one task, at most."""

Milliseconds = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(strict=True, ge=1)]
Pixels = Annotated[int, Field(ge=1, le=8192)]


class Options(Group):
    """Properties of the simulated GPU."""

    gpu_ms: Milliseconds = 50
    """Milliseconds of GPU time of a task, whatever it asks for."""
    load_ms: Milliseconds = 0
    """Milliseconds to load a checkpoint."""
    steps: Annotated[int, Field(ge=1)] = 4
    width: Pixels = 64
    height: Pixels = 64
    pictures: Annotated[int, Field(ge=1, le=MOST_PICTURES)] = 1
    """Number of pictures for a task that asks for none in particular."""
    payload_bytes: Annotated[int, Field(ge=0)] = 0
    """Bytes of each picture, about, which is filled up with noise."""
    preview_every: Annotated[int, Field(ge=0)] = 0
    """Steps from one preview to the next; 0 for none, since drawing one takes a real CPU."""
    checkpoints: tuple[str, ...] = ()
    """Names of the checkpoints that exist; empty: every name does."""
    log: Path | None = None
    """JSONL file with the start and end of all GPU work; what a killed process held is missing."""
    may_crash: bool = False
    """Flag: a task whose content has ``crash`` ends the process that runs it. Without it such a
    task is refused: in a test's own process nothing should be able to."""


class Request(BaseModel):
    """Request to the simulated GPU; other fields are taken and ignored."""

    model_config = ConfigDict(extra="allow", frozen=True, use_attribute_docstrings=True)

    prompt: Any = ""
    """Text from whose hash the pattern is drawn."""
    seed: Any = None
    """Seed of the pattern: the same whole number from 0 gives the same pattern again."""
    batch_size: Count = 1
    n_iter: Count = 1
    """Number of batches of ``batch_size`` pictures."""
    imageList: list[Any] | None = None  # noqa: N815 - the Web UI's name
    """Pictures of extra-batch-images; one is drawn for each."""
    fail: Any = None
    """Reason with which the task is refused; left out: it is not."""
    vanish: Any = None
    """Flag: the runtime is lost after the first step."""
    crash: Any = None
    """Flag: the replica's process ends after the first step, if the option ``mayCrash`` is set."""


@dataclass(frozen=True)
class RequestContent(Content):
    """Content of any kind of task."""

    kind: Kind

    @override
    def faults(self, content: Any, options: Group) -> Sequence[Fault]:
        del options
        if not isinstance(content, dict):
            return [Fault("", f"must be an object, not a {type(content).__name__}")]
        try:
            request = Request.model_validate(content)
        except ValidationError as exc:
            return list(faults_in(exc))
        return list(self._amount_faults(request))

    @override
    def schema(self, options: Group) -> JsonSchema:
        return Request.model_json_schema()

    def _amount_faults(self, request: Request) -> Iterator[Fault]:
        batch = self.kind is Kind.EXTRA_BATCH_IMAGES
        count = len(request.imageList or ()) if batch else request.batch_size * request.n_iter
        if count > MOST_PICTURES:
            field = "imageList" if batch else "batch_size"
            yield Fault(field, f"{count} pictures are more than {MOST_PICTURES}")


def _lacks(runtime: Runtime, options: Group, folder: Path | None) -> Iterator[str]:
    del folder
    known = options.checkpoints if isinstance(options, Options) else ()
    if known and runtime.model_filename not in (None, *known):
        yield (
            f"modelsRuntime[{runtime.name}].modelFilename: no such checkpoint;"
            f" options.checkpoints has: {', '.join(known)}"
        )


FAKE = RuntimeType(
    name="fake",
    kinds=frozenset(Kind),
    options=Options,
    contents={kind: RequestContent(kind) for kind in Kind},
    lacks=_lacks,
)
