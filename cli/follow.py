"""Watches tasks to their ends, saves what they made, and says how it went."""

import asyncio
import sys
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

import typer

from atelier import AsyncClient, AtelierError, Status, TaskRef, TaskView
from cli.bars import Bars
from cli.exits import ENDED_BADLY, OK
from cli.here import Here
from cli.out import Out, again
from cli.preview import painter
from cli.saving import size
from cli.show import Json, Lines, Nothing, Show, state


@dataclass(frozen=True)
class End:
    """What became of a task."""

    view: TaskView
    files: Sequence[Path] = ()
    """Where its artifacts were saved."""


Outcome = End | AtelierError | OSError


@dataclass(frozen=True, kw_only=True)
class Follow:
    """Sees tasks to their ends."""

    here: Here
    watch: bool
    """Whether their events are shown."""
    save: Path | None
    """Folder for their artifacts."""
    most: int | None = None
    """Bytes that an artifact may have to be saved."""
    timeout: float
    submission: str | None = None

    def __call__(self, tasks: Sequence[TaskRef]) -> None:
        """End the command as they end.

        Raises:
            Exit: with the worst code of all.
        """
        names = [task if isinstance(task, str) else task.id for task in tasks]
        try:
            with self._show(names) as show:
                outcomes = asyncio.run(self._all(tasks, show))
        except KeyboardInterrupt:
            self.here.out.note(f"They go on; see them again: {again('watch', *names)}")
            raise
        raise typer.Exit(max(map(self._tell, names, outcomes)))

    def _show(self, names: Sequence[str]) -> Show:
        out = self.here.out
        if not self.watch:
            return Nothing()
        if out.as_json:
            return Json(out, names)
        if sys.stderr.isatty() and not out.err.is_dumb_terminal:
            return Bars(out.err, names, painter(out.err))
        return Lines(out, names)

    async def _all(self, tasks: Sequence[TaskRef], show: Show) -> Sequence[Outcome]:
        there = self.here.there
        async with AsyncClient(there.url, there.api_key) as client:
            rows = enumerate(tasks)
            return await asyncio.gather(*(self._one(client, t, row, show) for row, t in rows))

    async def _one(self, client: AsyncClient, task: TaskRef, row: int, show: Show) -> Outcome:
        events = client.events(task, submission=self.submission, timeout=self.timeout)
        try:
            async with aclosing(events):
                async for event in events:
                    show.take(row, event)
                    if isinstance(event, TaskView):
                        return await self._saved(client, event, row, show)
        except BrokenPipeError:
            raise
        except (AtelierError, OSError) as exc:
            return exc
        raise AssertionError("events end with the task's end")

    async def _saved(self, client: AsyncClient, view: TaskView, row: int, show: Show) -> End:
        if self.save is None or not view.artifacts:
            return End(view)

        def tell(_: int, done: int, of: int | None) -> None:
            show.saving(row, size(done, of))

        files = await client.save(view, self.save, most=self.most, progress=tell)
        show.saving(row, state(view))
        show.saved(row, files)
        return End(view, files)

    def _tell(self, name: str, outcome: Outcome) -> int:
        """Its exit code."""
        match outcome:
            case End(view, files):
                _tell(self.here.out, view, list(map(str, files)), events=self.watch)
                return OK if view.status is Status.COMPLETED else ENDED_BADLY
            case error:
                return self.here.complain(error, name)


def _tell(out: Out, view: TaskView, files: Sequence[str], *, events: bool) -> None:
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
