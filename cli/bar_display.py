"""Terminal display of watched tasks: a progress bar for each, and a preview under the bars."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from atelier import Event, PreviewEvent, ProgressView, StatusEvent, TaskView
from cli.display import Display, state
from cli.preview import Painter, Picture, Source
from models.visible import visible

_MOST = 10**9  # steps that a bar can count
_BAR, _TEXTS = 30, 50  # columns of a bar, and of the texts beside it
_BELOW = 5  # rows for later output: files, and the next prompt


class BarDisplay(Display):
    """Display of bars that are redrawn in place; bars and last picture stay when it ends.

    The picture is the newest preview, and the first artifact once a task's artifacts are saved.
    """

    def __init__(self, console: Console, names: Sequence[str], paint: Painter | None) -> None:
        self._bars = Progress(
            SpinnerColumn(),
            # No markup: brackets in an id would be read as Rich's styles.
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=max(4, min(_BAR, console.width - _TEXTS))),
            TextColumn("{task.fields[state]}", markup=False),
            TimeElapsedColumn(),
        )
        for name in names:
            self._bars.add_task(visible(name), total=None, state="")
        self._console = console
        self._paint = paint
        self._picture: Picture | None = None
        # Standard output is for results, which a program may read.
        self._live = Live(self._bars, console=console, redirect_stdout=False, redirect_stderr=False)

    def start(self) -> None:
        self._live.start()

    def stop(self) -> None:
        self._live.stop()

    @property
    def view(self) -> RenderableType:
        """Bars, with the newest preview under them if there is one."""
        return Group(self._bars, self._picture) if self._picture else self._bars

    def take(self, row: int, event: Event) -> None:
        bar = TaskID(row)
        match event:
            case StatusEvent():
                self._bars.update(bar, state=state(event))
            case ProgressView(step=step, of=of):
                self._bars.update(bar, completed=min(step, _MOST), total=min(of, _MOST))
            case PreviewEvent():
                self._show(event)
            case TaskView():
                total = self._bars.tasks[row].total or 1
                self._bars.update(bar, completed=total, total=total, state=state(event))

    def saving(self, row: int, state: str) -> None:
        self._bars.update(TaskID(row), state=state)

    def saved(self, row: int, files: Sequence[Path]) -> None:
        del row  # one picture is shown for all tasks
        if files:
            self._show(files[0])

    def _show(self, source: Source) -> None:
        """Draw a picture in place of the former one, if it can be drawn."""
        rows = self._console.height - len(self._bars.tasks) - _BELOW
        picture = self._paint(source, rows) if self._paint else None
        if picture is None:
            return
        former, self._picture = self._picture, picture
        self._live.update(self.view, refresh=True)
        if former:
            # Only now, that the new one is drawn: freed earlier, the picture's place would flash
            # empty. A terminal keeps what was sent to it until it is told to free it.
            former.cleanup()
