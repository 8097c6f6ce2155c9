"""Follow tasks to their ends, save what they made, and report the outcome."""

import asyncio
import sys
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

import typer

from atelier import AsyncClient, AtelierError, Status, TaskRef, TaskView
from cli.bar_display import BarDisplay
from cli.connection import Connection
from cli.display import Display, JsonDisplay, LineDisplay, NoDisplay, state
from cli.downloads import download_text
from cli.exit_codes import ENDED_BADLY, OK
from cli.output import Output, command_line
from cli.preview import painter


@dataclass(frozen=True)
class Ended:
    """Outcome of a task that has ended."""

    view: TaskView
    files: Sequence[Path] = ()
    """Files that its artifacts were saved as."""


Outcome = Ended | AtelierError | OSError


@dataclass(frozen=True, kw_only=True)
class Follow:
    """Follows tasks to their ends, then exits."""

    connection: Connection
    watch: bool
    """Flag: the tasks' events are shown; else, and only on a terminal, bars without pictures."""
    save: Path | None
    """Folder to save artifacts in; None: save none."""
    most: int | None = None
    """Most bytes of an artifact that is saved; None: no bound."""
    timeout: float
    submission: str | None = None

    def __call__(self, tasks: Sequence[TaskRef]) -> None:
        """Follow the tasks until all have ended, then end the command.

        Raises:
            Exit: with the highest exit code of all tasks.
        """
        names = [task if isinstance(task, str) else task.id for task in tasks]
        try:
            with self._display(names) as display:
                outcomes = asyncio.run(self._follow_all(tasks, display))
        except KeyboardInterrupt:
            # `asyncio.run` turns Ctrl-C into a cancel, lets the followers end, and raises this.
            self.connection.out.note(f"They go on; see them again: {command_line('watch', *names)}")
            raise
        raise typer.Exit(max(map(self._report, names, outcomes)))

    def _display(self, names: Sequence[str]) -> Display:
        out = self.connection.out
        if out.as_json:
            return JsonDisplay(out, names) if self.watch else NoDisplay()
        if sys.stderr.isatty() and not out.err.is_dumb_terminal:
            return BarDisplay(out.err, names, painter(out.err) if self.watch else None)
        return LineDisplay(out, names) if self.watch else NoDisplay()

    async def _follow_all(self, tasks: Sequence[TaskRef], display: Display) -> Sequence[Outcome]:
        endpoint = self.connection.endpoint
        async with AsyncClient(endpoint.url, endpoint.api_key) as client:
            rows = enumerate(tasks)
            return await asyncio.gather(
                *(self._follow_task(client, t, row, display) for row, t in rows)
            )

    async def _follow_task(
        self, client: AsyncClient, task: TaskRef, row: int, display: Display
    ) -> Outcome:
        events = client.events(task, submission=self.submission, timeout=self.timeout)
        try:
            async with aclosing(events):
                async for event in events:
                    display.take(row, event)
                    if isinstance(event, TaskView):
                        return await self._save(client, event, row, display)
        except BrokenPipeError:
            # An OSError, too, but of our own output: its reader has gone, and no task is at fault.
            raise
        except (AtelierError, OSError) as exc:
            # Not raised: `gather` would hand it on at once, and the other tasks be left.
            return exc
        raise AssertionError("events end with the task's end")

    async def _save(self, client: AsyncClient, view: TaskView, row: int, display: Display) -> Ended:
        if self.save is None or not view.artifacts:
            return Ended(view)

        def tell(_: int, done: int, of: int | None) -> None:
            display.saving(row, download_text(done, of))

        files = await client.save(view, self.save, most=self.most, progress=tell)
        display.saving(row, state(view))
        display.saved(row, files)
        return Ended(view, files)

    def _report(self, name: str, outcome: Outcome) -> int:
        """Print a task's outcome; return its exit code."""
        match outcome:
            case Ended(view, files):
                _print_outcome(self.connection.out, view, list(map(str, files)), events=self.watch)
                return OK if view.status is Status.COMPLETED else ENDED_BADLY
            case error:
                return self.connection.complain(error, name)


def _print_outcome(out: Output, view: TaskView, files: Sequence[str], *, events: bool) -> None:
    if out.as_json and not events:
        out.json({**view.model_dump(mode="json"), "files": files})
    elif out.as_json and files:
        out.json({"id": view.id, "event": "saved", "data": {"files": files}})
    elif not out.as_json:
        for where in files or [artifact.uri for artifact in view.artifacts]:
            out.line(where)
        if view.status is not Status.COMPLETED:
            why = f": {view.error.message}" if view.error else ""
            out.complain(f"{view.id}: {view.status.value}{why}")
