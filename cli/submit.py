"""`atelier submit`: tasks from options, from a file, or from both."""

import os
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from atelier import Client, Kind, Misused, TaskRequest, TaskView
from cli.completion import runtimes
from cli.connection import Connection
from cli.display import state
from cli.downloads import refuse_file
from cli.follow import Follow
from cli.output import Output, command_line
from cli.payload import Payload, payload
from cli.picture_options import PictureOptions, json_or_text
from cli.times import parse_coming, parse_span

_PATH = re.compile(r"[/\\.]")
"""Characters of paths that words do not have; a file may be named like a prompt."""


def _option(help_: str, *names: str, panel: str = "Task", **more: Any) -> Any:
    return typer.Option(*names, help=help_, rich_help_panel=panel, **more)


@dataclass(frozen=True, kw_only=True)
class TaskOptions:
    """Options that name the task and its destination; they win over a file's."""

    runtime: Annotated[
        str | None, _option("Else the first that can do it.", autocompletion=runtimes)
    ] = None
    id: Annotated[str | None, _option("Your name for it; else one is made.")] = None
    prefix: Annotated[str | None, _option("Folder in the output bucket.")] = None
    callback: Annotated[str | None, _option("Is told the end by a signed POST.", metavar="URL")] = (
        None
    )
    context: Annotated[
        str | None, _option("Is echoed in the notification.", metavar="JSON|TEXT")
    ] = None
    ttl: Annotated[
        str | None, _option("Longest wait until it begins: 90, 90s, 5m, 2h.", metavar="SECONDS")
    ] = None
    deadline: Annotated[
        str | None, _option("Not wanted after: in 5m, 2h; or an ISO time.", metavar="TIME")
    ] = None
    count: Annotated[int, _option("So many tasks; a seed counts up.", min=1)] = 1

    def onto(self, task: TaskRequest) -> TaskRequest:
        """Return the task with these options set."""
        given: dict[str, Any] = {
            "runtime": self.runtime,
            "id": self.id,
            "prefix": self.prefix,
            "callback": {"url": self.callback} if self.callback else None,
            "ttl": None if self.ttl is None else parse_span(self.ttl),
            "deadline": parse_coming(self.deadline, time.time()),
            "context": None if self.context is None else json_or_text(self.context),
        }
        known = {name: value for name, value in given.items() if value is not None}
        try:
            return TaskRequest.model_validate({**task.model_dump(exclude_unset=True), **known})
        except ValidationError as exc:
            raise Misused.of(exc) from None

    def copies(self, task: TaskRequest) -> Iterator[TaskRequest]:
        """Yield the wanted number of tasks, with ids and seeds counted up."""
        if self.count == 1:
            yield task
            return
        for n in range(self.count):
            yield _nth(task, n)


@dataclass(frozen=True, kw_only=True)
class WaitOptions:
    """Options that follow the tasks after they are sent."""

    wait: Annotated[bool, _option("Until all have ended.", "--wait", panel="Afterwards")] = False
    watch: Annotated[
        bool,
        _option(
            "Wait, show progress and previews, save the pictures.", "--watch", panel="Afterwards"
        ),
    ] = False
    save: Annotated[
        Path | None,
        _option(
            "Wait, save the pictures there; else --watch saves them here.",
            metavar="DIR",
            panel="Afterwards",
            callback=refuse_file,
        ),
    ] = None
    max_bytes: Annotated[
        int | None,
        _option("Save no picture that has more.", panel="Afterwards", min=1, metavar="BYTES"),
    ] = None
    timeout: Annotated[float, _option("The longest wait, in seconds.", panel="Afterwards")] = 3600

    def follow(self, connection: Connection) -> Follow | None:
        """Return the follower of the tasks; None if they are not followed."""
        if not (self.wait or self.watch or self.save):
            return None
        # With --json no files are saved unless --save asks for them.
        folder = Path() if self.watch and not connection.as_json else None
        return Follow(
            connection=connection,
            watch=self.watch,
            save=self.save or folder,
            most=self.max_bytes,
            timeout=self.timeout,
        )


def submit(
    connection: Connection,
    fields: PictureOptions,
    address: TaskOptions,
    after: WaitOptions,
    prompt: Annotated[
        str | None, typer.Argument(metavar="PROMPT|FILE.json", help="What is to be seen.")
    ] = None,
    *,
    file: Annotated[
        Path | None,
        typer.Option(help="A payload of any dialect; '-' is standard input.", allow_dash=True),
    ] = None,
) -> None:
    """Submit a task, and print its id.

    atelier submit "a red circle on a blue background" --steps 12 --watch --save pictures

    atelier submit "a yellow star" --image circle.png --denoising-strength 0.9 --wait

    atelier submit --image circle.png --upscale 4 --upscaler 4x-shapes --save .

    atelier submit workflow_api.json --runtime comfy --image cat.png --count 3
    """
    if prompt and prompt.lower().endswith(".json") and file is None:
        file, prompt = Path(prompt), None
    _refuse_unlikely_prompt(prompt)
    given = _read(file) if file else Payload(task=_empty_task(fields, prompt))
    task = address.onto(fields.onto(given.task, prompt))
    follow = after.follow(connection)
    sent: list[TaskView] = []
    with connection.client() as client:
        task = _routed(task, given.checkpoint, client)
        for copy in address.copies(task):
            sent.append(client.send(copy))
            # Told one by one: where a later one is refused, the ids of those before it are known.
            _print_task(connection.out, sent[-1], followed=bool(follow))
    if follow:
        follow(sent)


def _refuse_unlikely_prompt(prompt: str | None) -> None:
    """Refuse a prompt that was hardly meant as one.

    Raises:
        Misused: it is empty, or the path of a file.
    """
    if prompt is not None and not prompt.strip():
        raise Misused("the prompt is empty: say what is to be seen, such as 'a red circle'")
    if prompt and _PATH.search(prompt) and os.path.isfile(prompt):  # noqa: PTH113 - no error for a long one
        raise Misused(
            f"{prompt} is a file: give a payload with --file, a picture with --image;"
            " as a prompt, put a word to it"
        )


def _empty_task(fields: PictureOptions, prompt: str | None) -> TaskRequest:
    """Make the task that options are set on if there is no file.

    Raises:
        Misused: the options ask for no picture.
    """
    if fields.upscale is not None and not fields.image:
        raise Misused("--upscale needs --image")
    if fields.upscale is None and prompt is None:
        raise Misused("give a PROMPT, a FILE.json, or --image with --upscale")
    return TaskRequest(kind=Kind.TEXT_TO_IMAGE, content={})


def _read(file: Path) -> Payload:
    try:
        # Editors of Windows may begin a file with a byte order mark, at which JSON would fail.
        return payload(sys.stdin.read() if str(file) == "-" else file.read_text("utf-8-sig"))
    except (OSError, ValueError) as exc:
        raise Misused(f"{file}: {getattr(exc, 'strerror', None) or exc}") from None
    except Misused as exc:
        raise Misused(f"{file}: {exc}") from None


def _routed(task: TaskRequest, checkpoint: str | None, client: Client) -> TaskRequest:
    """Send the task to a runtime of its checkpoint, as ``/v1alpha1`` does."""
    if checkpoint is None or task.runtime:
        return task
    name = re.sub(r" \[[0-9a-fA-F]+\]$", "", checkpoint)  # drops the hash of a title
    able = [r for r in client.runtimes() if r.dynamic or r.checkpoint == name]
    if not able:
        raise Misused(f"no runtime has the checkpoint {checkpoint!r}: name one with --runtime")
    chosen = min(
        able, key=lambda runtime: runtime.checkpoint != name
    )  # prefers one that starts with it
    return task.model_copy(update={"runtime": chosen.name})


def _nth(task: TaskRequest, n: int) -> TaskRequest:
    """Return the n-th copy, with id and seed counted up."""
    update: dict[str, Any] = {"id": f"{task.id}-{n + 1}"} if task.id else {}
    match task.content:
        case {"seed": int(seed)} if seed >= 0:  # -1: a random seed
            update["content"] = {**task.content, "seed": seed + n}
    return task.model_copy(update=update)


def _print_task(out: Output, task: TaskView, *, followed: bool) -> None:
    if followed:
        out.note(f"{task.id}: sent to {task.runtime}")
    else:
        out.answer(task, task.id)
        sent = f"sent to {task.runtime}: {state(task)}"
        out.note(f"{sent}; see it with: {command_line('watch', task.id)}")
