"""Displays of watched tasks for programs, and for people without a terminal."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from atelier import Event, Status, StatusEvent, TaskView
from atelier.events import name_of
from cli.block_display import BlockDisplay
from cli.output import Output


class Display(BlockDisplay, ABC):
    """Display of watched tasks, each a row; it is told what happens to them."""

    @abstractmethod
    def take(self, row: int, event: Event) -> None: ...

    def saving(self, row: int, state: str) -> None:
        """Take the progress of saving a task's artifacts, as text."""

    def saved(self, row: int, files: Sequence[Path]) -> None:
        """Take the files that a task's artifacts were saved in."""


class NoDisplay(Display):
    """Display that shows nothing, for callers that only wait."""

    def take(self, row: int, event: Event) -> None:
        pass


class JsonDisplay(Display):
    """Display of a JSON line for each event."""

    def __init__(self, out: Output, names: Sequence[str]) -> None:
        self.out = out
        self.names = names

    def take(self, row: int, event: Event) -> None:
        data = event.model_dump(mode="json")
        self.out.json({"id": self.names[row], "event": name_of(event), "data": data})


class LineDisplay(Display):
    """Display of a text line for each status."""

    def __init__(self, out: Output, names: Sequence[str]) -> None:
        self.out = out
        self.names = names

    def take(self, row: int, event: Event) -> None:
        if isinstance(event, StatusEvent | TaskView):
            self.out.note(f"{self.names[row]}: {state(event)}")


def state(event: StatusEvent | TaskView) -> str:
    """Describe a task's state in a few words."""
    match event:
        case TaskView(status=Status.COMPLETED):
            return f"completed in {sum(event.seconds.values()):.1f} s"
        case StatusEvent(status=Status.QUEUED, position=int(position)):
            return f"queued behind {position}"
        case _:
            return event.status.value
