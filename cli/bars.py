"""How watching looks on a terminal: a bar for each task, and the newest preview."""

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from atelier import Event, PreviewEvent, ProgressView, StatusEvent, TaskView
from cli.preview import Painter, Picture
from cli.show import Show, state
from models.visible import visible

_MOST = 10**9  # steps that a bar can count


class Bars(Show):
    """Redrawn in place; gone are the previews at the end, and the bars stay."""

    def __init__(self, console: Console, names: Sequence[str], paint: Painter | None) -> None:
        self._bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=30),
            TextColumn("{task.fields[state]}", markup=False),
            TimeElapsedColumn(),
        )
        for name in names:
            self._bars.add_task(visible(name), total=None, state="")
        self._paint = paint
        self._preview: Picture | None = None
        # What is said on standard output meanwhile belongs there.
        self._live = Live(self._bars, console=console, redirect_stdout=False, redirect_stderr=False)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._show(None)
        self._live.stop()

    def take(self, row: int, event: Event) -> None:
        bar = TaskID(row)
        match event:
            case StatusEvent():
                self._bars.update(bar, state=state(event))
            case ProgressView(step=step, of=of):
                self._bars.update(bar, completed=min(step, _MOST), total=min(of, _MOST))
            case PreviewEvent() if self._paint:
                self._show(self._paint(event))
            case TaskView():
                total = self._bars.tasks[row].total or 1
                self._bars.update(bar, completed=total, total=total, state=state(event))

    def _show(self, preview: Picture | None) -> None:
        if self._preview:
            self._preview.cleanup()
        self._preview = preview
        self._live.update(Group(self._bars, preview) if preview else self._bars, refresh=True)
