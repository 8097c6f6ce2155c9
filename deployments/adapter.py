"""Interface that a new runtime type implements: `Adapter`, in ``deployments/runtimes/<type>``."""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from deployments.checkpoints import needed_files, needs_checkpoint, requested_checkpoint
from deployments.inputs.fields import image_links, inline_pictures
from models.report import Progress, Stage
from models.runtimes import RuntimeType
from models.settings.base import Group
from models.task import Kind, Task

Options = TypeVar("Options", bound=Group)


@dataclass(frozen=True, kw_only=True, eq=False)
class Artifact:
    """Output of a task, as the runtime made it."""

    data: bytes
    name: str = ""
    """File name that the runtime gave it; where its bytes tell no media type, this one's extension
    counts."""


@dataclass(frozen=True)
class Begun:
    """Mark in a run: from here on the task has the GPU.

    Before it, the task got ready and waited for another one to end.
    """


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Runtime's whole answer, stored as the task's ``.out``.

    Where the runtime gave an artifact's bytes, ``body`` (otherwise JSON) holds the `Artifact`
    itself; its URI is written in its place.
    """

    body: Any


Step = Progress | Begun | Stage | Artifact | Answer
"""Item that a run yields; a `Stage` where `run` itself changes checkpoints."""


@dataclass(frozen=True, kw_only=True)
class RuntimeSpec:
    """Configured runtime, as an adapter gets it."""

    name: str
    checkpoint: str | None = None
    """Checkpoint that the runtime is bound to: loaded first, and for tasks that name none."""
    dynamic: bool = False
    """`True` if a task may ask for another checkpoint."""
    checkpoints: Path | None = None
    """Folder of weights, laid out as the model bucket (``Stable-diffusion/``, ``Lora/`` …)."""
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """Adapter's own settings; it refuses what it does not know with `SettingsError`."""


class Adapter(ABC):
    """Speaks one backend's API. Made in a replica; `ready` is awaited before any task.

    A bloated backend's adapter is closed between two tasks, and another one is made.

    Errors: `TaskFailed` if the backend refuses the task (another try would end the same way),
    `RuntimeUnavailable` if the backend is gone or out of memory. Whatever else it raises
    ends the task as well, unless `deployments.adapter_errors` knows a device's or a connection's
    fault in it.
    """

    kinds: ClassVar[frozenset[Kind]]
    """Kinds of task that it can do."""
    described: ClassVar[RuntimeType | None] = None
    """Description of the type; with one, contents of tasks are judged before a replica runs."""

    slots: int = 1
    """Tasks that may be in `run` at once; with more than one slot, `run` yields `Begun`."""
    checkpoint: str | None = None
    """Loaded checkpoint, by the name that a task asks for it; None if that is not known."""

    def __init__(self, spec: RuntimeSpec) -> None:
        self.spec = spec

    def read_options(self, model: type[Options]) -> Options:
        """Read the spec's options as the adapter's own model of them.

        Raises:
            SettingsError: an option is wrong or unknown.
        """
        return model.read(self.spec.options, under=f"modelsRuntime[{self.spec.name}].options")

    @abstractmethod
    async def ready(self) -> None:
        """Return when a task can be run: the backend is started, its checkpoint is loaded.

        The adapter bounds the wait.

        Raises:
            RuntimeUnavailable: the backend did not start; nothing of it is left.
            SettingsError: the options do not fit the backend.
        """

    @abstractmethod
    # Not `async def`: with no `yield` in its body, that would be a coroutine, not a generator.
    def run(self, task: Task, inputs: Mapping[str, bytes]) -> AsyncGenerator[Step, None]:
        """Run the task: yield its progress, its artifacts in order of generation, last the answer.

        ``inputs`` holds the bytes of every link that `links` lists. The deadline begins with the
        call; with more than one slot, with the first `Begun`. Closing or cancelling the iteration
        stops the work within a step.

        Raises:
            TaskFailed: the backend refuses the task; another try would end the same way.
            RuntimeUnavailable: the backend is gone or out of memory; another try may end better.
        """

    def links(self, task: Task) -> Iterable[str]:
        """List the links in the task's content that stand for pictures.

        This default knows requests of the Web UI's shape.

        Raises:
            TaskFailed: the content is not of the shape that this type takes.
        """
        return image_links(task.content)

    def pictures(self, task: Task) -> Mapping[str, str]:
        """Find the pictures in base64 that the task's content holds, each with its field.

        They are checked before `run`, by the rules for what links lead to, and stay where they are.
        This default knows requests of the Web UI's shape.

        Raises:
            TaskFailed: the content is not of the shape that this type takes.
        """
        return inline_pictures(task.content)

    def checkpoints(self, task: Task) -> Sequence[str]:
        """List every weights file that a task needs: what must be at hand before it can run.

        That is its checkpoint, and all that is loaded beside it: LoRAs, ControlNets, VAE, text
        encoders, refiner, upscalers. Each name stands once and as the task spells it, so one file
        may have several (with a folder, an extension or a hash, or without); the adapter that
        loads it knows them all. The checkpoint is first if the type knows which file it is. If the
        task names none, the one that the runtime is bound to (`RuntimeSpec.checkpoint`) is in its
        place, unless this kind of task needs none. Files that a backend loads unasked are left out.

        A forecast from the content alone, for placing tasks and fetching files ahead: no name is
        checked, and nothing is raised, not for a content that `run` will refuse either. It may be
        called before `ready`, in any process and thread; it does no I/O and imports nothing heavy.

        This default knows requests of the Web UI's shape.
        """
        bound = self.spec.checkpoint if needs_checkpoint(task.kind) else None
        checkpoint = requested_checkpoint(task.content) or bound
        return needed_files(checkpoint, task.kind, task.content)

    async def load(self, task: Task) -> None:
        """Make the checkpoint that the task asks for the current one.

        The replica bounds the wait by the task's deadline.

        Raises:
            TaskFailed: there is no such checkpoint; the message lists those that there are.
            RuntimeUnavailable: the backend is gone or out of memory.
        """

    async def interrupt(self) -> None:
        """Stop the task that runs, within a step; nothing happens if none does."""

    async def check(self) -> None:
        """Raise if no further task can be run: the replica is replaced then.

        Called every 5 s, and when a task found the runtime unavailable.

        Raises:
            RuntimeUnavailable: the backend is gone or broken.
        """

    def is_bloated(self) -> bool:
        """Tell whether the backend holds more memory than it may; called in a thread."""
        return False

    async def close(self) -> None:
        """Free everything; called also if `ready` failed."""
