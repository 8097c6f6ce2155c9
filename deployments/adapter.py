"""The seam for a new runtime: subclass `Adapter` in ``deployments/runtimes/<type>``."""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from deployments.checkpoints import needed_files, needs_checkpoint, requested_checkpoint
from deployments.inputs.fields import image_links
from models.progress import Progress
from models.runtimes import RuntimeType
from models.settings.base import Group
from models.task import Kind, Task

Options = TypeVar("Options", bound=Group)


@dataclass(frozen=True, kw_only=True, eq=False)
class Artifact:
    """One output of a task, as the runtime made it."""

    data: bytes


@dataclass(frozen=True)
class Begun:
    """From here the task has the GPU; before, it got ready and waited for another to end."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The runtime's whole answer, for the task's ``.out``.

    Where the runtime gave an artifact's bytes, ``body`` (otherwise JSON) holds the `Artifact`
    itself; its URI is written in its place.
    """

    body: Any


@dataclass(frozen=True, kw_only=True)
class RuntimeSpec:
    """What an adapter is told about the runtime it speaks for."""

    name: str
    checkpoint: str | None = None
    """File name of the checkpoint to load first and for tasks that name none."""
    dynamic: bool = False
    """Whether a task may ask for another checkpoint."""
    checkpoints: Path | None = None
    """The folder of weights, laid out as the model bucket (``Stable-diffusion/``, ``Lora/`` …)."""
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The adapter's own settings; it refuses what it does not know with `SettingsError`."""


class Adapter(ABC):
    """Speaks one backend's API. Made in a replica; `ready` is awaited before any task.

    Where its backend is bloated, it is closed between two tasks and made again.

    Errors: `TaskFailed` when the backend refuses the task (nothing would change in another
    try), `RuntimeUnavailable` when the backend is gone or out of memory.
    """

    kinds: ClassVar[frozenset[Kind]]
    """What it can do."""
    described: ClassVar[RuntimeType | None] = None
    """Description of the type; with one, contents of tasks are judged before a replica runs."""

    slots: int = 1
    """How many tasks it can run at once; with more than one, `run` says `Begun`."""
    checkpoint: str | None = None
    """The one that is loaded now, by the name a task asks for it; None where that is not known."""

    def __init__(self, spec: RuntimeSpec) -> None:
        self.spec = spec

    def read_options(self, model: type[Options]) -> Options:
        """The spec's options as the adapter's own model of them; it refuses what is wrong."""
        return model.read(self.spec.options, under=f"modelsRuntime[{self.spec.name}].options")

    @abstractmethod
    async def ready(self) -> None:
        """Return when a task can be run."""

    @abstractmethod
    def run(
        self, task: Task, inputs: Mapping[str, bytes]
    ) -> AsyncGenerator[Progress | Begun | Artifact | Answer, None]:
        """Run the task: its progress, its artifacts in order of generation, last the answer.

        The deadline begins with it; with more than one slot, with the first `Begun`. ``inputs``
        holds the bytes of every link that `links` found. Cancelling the iteration stops the work
        within a step.
        """

    def links(self, task: Task) -> Iterable[str]:
        """The links in the task's content that stand for pictures."""
        return image_links(task.content)

    def checkpoints(self, task: Task) -> Sequence[str]:
        """List every weights file that a task needs: what must be at hand before it can run.

        That is its checkpoint, and all that is loaded beside it: LoRAs, ControlNets, VAE, text
        encoders, refiner, upscalers. Each name stands once and as the task spells it, so one file
        may have several (with a folder, an extension or a hash, or without); the adapter that
        loads it knows them all. The checkpoint is first where the type knows which file it is. If
        the task names none, the one that the runtime is bound to (`RuntimeSpec.checkpoint`) is in
        its place, unless this kind of task needs none. What a backend loads unasked is not told.

        A guess from the content alone, for placing and fetching ahead: no name is checked, and
        nothing is raised, not for a content that `run` will refuse either. It may be called before
        `ready`, in any process and thread; it does no I/O and imports nothing heavy.
        """
        bound = self.spec.checkpoint if needs_checkpoint(task.kind) else None
        checkpoint = requested_checkpoint(task.content) or bound
        return needed_files(checkpoint, task.kind, task.content)

    async def load(self, task: Task) -> None:
        """Make the checkpoint that the task asks for the current one.

        Raises:
            TaskFailed: there is no such checkpoint; the message lists what there is.
        """

    async def interrupt(self) -> None:
        """Stop what runs, within a step."""

    async def check(self) -> None:
        """Raise `RuntimeUnavailable` where no further task can be run: the replica is replaced.

        Asked every few seconds, and when a task found the runtime unavailable.
        """

    def is_bloated(self) -> bool:
        """Whether its backend holds more memory than it may; asked in a thread."""
        return False

    async def close(self) -> None:
        """Let go of everything."""
