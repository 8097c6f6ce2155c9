"""Terminal display of watched tasks: a progress bar for each, and a preview under the bars."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Column, Table
from rich.text import Text
from typing_extensions import override

from atelier import Event, PreviewEvent, ProgressView, Status, StatusEvent, TaskView
from cli.display import Display, state
from cli.preview import Painter, Picture, Source
from models.visible import visible

_MOST = 10**9  # steps that a bar can count
_BAR, _NARROWEST = 30, 4  # columns of a bar
_SHORTEST = 8  # columns of a name
_WAITING, _STATE = 43, 36  # columns of a row without its name; of one with a bar, without that too
_BELOW = 5  # rows for later output: files, and the next prompt


class BarDisplay(Display):
    """Display of bars that are redrawn in place; bars and last picture stay when it ends.

    A task that waits has no bar yet: there stands for what, for about how long, and under the bars
    why. The picture is the newest preview, and the first artifact once a task's artifacts are
    saved.
    """

    def __init__(self, console: Console, names: Sequence[str], paint: Painter | None) -> None:
        width = console.width
        shown = min(max(len(visible(name)) for name in names), max(_SHORTEST, width - _WAITING))
        self._bars = Progress(
            SpinnerColumn(table_column=Column(min_width=1)),
            # No markup: brackets in an id would be read as Rich's styles.
            TextColumn(
                "{task.description}",
                markup=False,
                table_column=Column(no_wrap=True, max_width=shown),
            ),
            _ActivityColumn(max(_NARROWEST, min(_BAR, width - _STATE - shown))),
            TimeElapsedColumn(table_column=Column(min_width=7)),
        )
        for name in names:
            self._bars.add_task(visible(name), total=None, state="", event=None, told=0)
        self._console = console
        self._paint = paint
        self._picture: Picture | None = None
        self._whys: dict[int, str] = {}
        """Reason for a long wait, by the row of a task that waits."""
        # Standard output is for results, which a program may read.
        self._live = Live(self._bars, console=console, redirect_stdout=False, redirect_stderr=False)

    def start(self) -> None:
        self._live.start()

    def stop(self) -> None:
        self._live.stop()

    @property
    def view(self) -> RenderableType:
        """Bars, under them why tasks wait, and the newest preview if there is one."""
        return Group(self._bars, *self._reasons, *filter(None, [self._picture]))

    @property
    def _reasons(self) -> Sequence[RenderableType]:
        return [Text(why, style="dim") for why in dict.fromkeys(self._whys.values())]

    def take(self, row: int, event: Event) -> None:
        bar = TaskID(row)
        match event:
            case StatusEvent():
                self._tell(row, event)
            case ProgressView(step=step, of=of):
                self._bars.update(bar, completed=min(step, _MOST), total=min(of, _MOST))
            case PreviewEvent():
                self._show(event)
            case TaskView():
                total = self._bars.tasks[row].total or 1
                self._bars.update(bar, completed=total, total=total)
                self._tell(row, event)

    def saving(self, row: int, state: str) -> None:
        self._bars.update(TaskID(row), state=state)

    def saved(self, row: int, files: Sequence[Path]) -> None:
        del row  # one picture is shown for all tasks
        if files:
            self._show(files[0])

    def _tell(self, row: int, event: StatusEvent | TaskView) -> None:
        waits = event.status is Status.QUEUED
        told = self._bars.get_time()
        self._bars.update(
            TaskID(row), state=visible(state(event)), event=event if waits else None, told=told
        )
        self._whys.pop(row, None)
        if waits and event.why:
            self._whys[row] = visible(event.why)
        self._live.update(self.view)

    def _show(self, source: Source) -> None:
        """Draw a picture in place of the former one, if it can be drawn."""
        above = [line for why in self._reasons for line in self._console.render_lines(why)]
        rows = self._console.height - len(self._bars.tasks) - len(above) - _BELOW
        picture = self._paint(source, rows) if self._paint else None
        if picture is None:
            return
        former, self._picture = self._picture, picture
        self._live.update(self.view, refresh=True)
        if former:
            # Only now, that the new one is drawn: freed earlier, the picture's place would flash
            # empty. A terminal keeps what was sent to it until it is told to free it.
            former.cleanup()


class _ActivityColumn(ProgressColumn):
    """Column of what a task waits for, counting down; once it runs, of a bar and its state."""

    def __init__(self, bar_width: int) -> None:
        super().__init__(Column(no_wrap=True))
        self._bar = BarColumn(bar_width)

    @override
    def render(self, task: Task) -> RenderableType:
        waiting: StatusEvent | None = task.fields["event"]
        if waiting:
            return Text(visible(state(waiting, task.get_time() - task.fields["told"])))
        row = Table.grid("", Column(no_wrap=True), padding=(0, 1))
        row.add_row(self._bar.render(task), Text(task.fields["state"]))
        return row
