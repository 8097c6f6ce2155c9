"""Progress of a platform's start: bars on a terminal, plain lines elsewhere."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from cli.block_display import BlockDisplay
from cli.output import Output
from models.visible import visible


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """Progress of a Serve deployment towards its replicas."""

    name: str
    running: int
    """Running replicas."""
    of: int
    """Wanted replicas."""
    healthy: bool = False
    """Flag: Serve has what it wants, be it no replica at all."""
    why: str = ""
    """Reason that Serve gives for not being ready; empty if it gives none."""

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> "Deployment":
        return cls(
            name=told["deployment"],
            running=told["running"],
            of=told["of"],
            healthy=told["healthy"],
            why=told["why"],
        )

    @property
    def ready(self) -> bool:
        return self.running >= self.of if self.of else self.healthy

    @property
    def text(self) -> str:
        if self.ready:
            return "running" if self.of else "at zero: the first task starts a replica"
        number = f"{self.running} of {self.of} running" if self.of > 1 else "starting"
        return f"{number}: {self.why}" if self.why else number


class Stages(BlockDisplay, ABC):
    """Display of a start: of each stage as it begins, and of the deployments in the last one."""

    @abstractmethod
    def begin(self, stage: str) -> None: ...

    @abstractmethod
    def tell(self, deployment: Deployment) -> None: ...

    @abstractmethod
    def note(self, text: str) -> None: ...

    def done(self) -> None:
        """Mark the last stage as done."""


class StageLines(Stages):
    """Display of plain lines, one for each stage and deployment; none for a program."""

    def __init__(self, out: Output) -> None:
        self._out = out

    def begin(self, stage: str) -> None:
        self._out.note(f"{stage} …")

    def tell(self, deployment: Deployment) -> None:
        self._out.note(f"{deployment.name}: {deployment.text}")

    def note(self, text: str) -> None:
        self._out.note(f"note: {text}")


class StageBars(Stages):
    """Display of rows for stages and deployments, with a spinner until each is done."""

    def __init__(self, console: Console) -> None:
        self._rows = Progress(
            SpinnerColumn(finished_text="[green]✓[/]"),
            TextColumn("{task.description}", markup=False),
            TextColumn("{task.fields[state]}", markup=False, style="dim"),
            TimeElapsedColumn(),
            console=console,
        )
        self._stage: TaskID | None = None
        self._deployments: dict[str, TaskID] = {}

    def start(self) -> None:
        self._rows.start()

    def stop(self) -> None:
        self._rows.stop()

    def begin(self, stage: str) -> None:
        self.done()
        self._stage = self._rows.add_task(visible(stage), total=1, state="")

    def tell(self, deployment: Deployment) -> None:
        name = deployment.name
        row = self._deployments.get(name)
        if row is None:
            row = self._rows.add_task(f"  {visible(name)}", total=1, state="")
            self._deployments[name] = row
        ready = int(deployment.ready)
        self._rows.update(row, completed=ready, state=visible(deployment.text))

    def note(self, text: str) -> None:
        """Print a line above the rows."""
        self._rows.console.print(Text(f"note: {visible(text)}", style="dim"))

    def done(self) -> None:
        if self._stage is not None:
            self._rows.update(self._stage, completed=1)
