"""Displays of watched tasks for programs, and for people without a terminal."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from atelier import Event, Status, StatusEvent, TaskView
from atelier.events import name_of
from cli.block_display import BlockDisplay
from cli.output import Output
from cli.times import format_rough


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
    """Display of a text line for each change of a task's state."""

    def __init__(self, out: Output, names: Sequence[str]) -> None:
        self.out = out
        self.names = names
        self._last = [""] * len(names)

    def take(self, row: int, event: Event) -> None:
        if not isinstance(event, StatusEvent | TaskView):
            return
        line = f"{self.names[row]}: {'; '.join(filter(None, (state(event), event.why)))}"
        if line != self._last[row]:
            self._last[row] = line
            self.out.note(line)


def state(event: StatusEvent | TaskView, waited: float = 0) -> str:
    """Describe a task's state in a few words, ``waited`` seconds after it was told."""
    match event:
        case TaskView(status=Status.COMPLETED):
            return f"completed in {sum(event.seconds.values()):.1f} s"
        case StatusEvent() | TaskView(status=Status.QUEUED | Status.RUNNING):
            ends = _ends(event, waited) or _behind(event)
            return ", ".join(filter(None, (event.phase or event.status.value, ends)))
        case _:
            return event.status.value


def _ends(event: StatusEvent | TaskView, waited: float) -> str | None:
    eta = event.eta_seconds
    return None if eta is None else f"about {format_rough(eta - waited)}"


def _behind(event: StatusEvent | TaskView) -> str | None:
    """Tell the tasks before this one, unless the phase is its place in the queue."""
    told = not event.position or "queue" in (event.phase or "")
    return None if told else f"behind {event.position}"
