"""`atelier aws test`: send real tasks through the platform, and check what each ends in."""

import time
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from secrets import token_hex
from typing import Annotated, Literal

import typer

from atelier import Misused
from atelier.files import free_path
from cli.aws.installation import Installation
from cli.aws.proof.listener import Listener, listening
from cli.aws.proof.samples import Api, SampleTask, sample_tasks
from cli.aws.proof.senders import ApiSender, Sender, sender_of
from cli.aws.proof.verdict import ResultChecker, Verdict
from cli.aws.sdk import AwsError, translated
from cli.aws.stack import Stack
from cli.exit_codes import ENDED_BADLY
from models.settings.groups import Runtime

_APIS: tuple[Api, ...] = ("v1alpha2", "v1alpha1")


def check(
    installation: Installation,
    runtime: Annotated[
        list[str] | None, typer.Option("--runtime", "-r", help="Only these; else all.")
    ] = None,
    api: Annotated[
        Literal["v1alpha1", "v1alpha2", "all"],
        typer.Option(envvar="API_VERSION", help="In whose shape the tasks are sent."),
    ] = "all",
    timeout: Annotated[
        float, typer.Option(help="Seconds for each task; the first may wait for a GPU node.")
    ] = 1_800,
    save: Annotated[Path | None, typer.Option(help="Folder for the pictures.")] = None,
) -> None:
    """Send a task of each kind to each runtime; check answer, notification and objects in S3."""
    runtimes = _chosen_runtimes(installation, runtime or [])
    checker = ResultChecker(installation.aws, bucket_of(installation.stack))
    sender = sender_of(installation.stack, installation.settings)
    tasks = list(_chosen_tasks(runtimes, _APIS if api == "all" else (api,)))
    with listening(installation.aws, installation.settings) as listener:
        verdicts = [
            *_entry_check(sender, tasks),
            *(prove(sender, listener, checker, task, timeout) for task in tasks),
        ]
    for verdict in verdicts:
        print_verdict(installation, verdict)
        if save:
            save_pictures(checker, verdict, save)
    if not all(verdict.right for verdict in verdicts):
        raise typer.Exit(ENDED_BADLY)


def bucket_of(stack: Stack) -> str:
    """Return the output bucket's name; the stack outputs its ARN, as the reference does."""
    return stack.outputs["OutputS3Bucket"].rpartition(":::")[2]


def prove(
    sender: Sender, listener: Listener, checker: ResultChecker, task: SampleTask, seconds: float
) -> Verdict:
    """Send a task, wait for its end, and check the result."""
    verdict = Verdict(f"{task.api} {task.runtime} {task.kind}")
    began = time.monotonic()
    try:
        with translated():
            answer = sender.send(task)
            notification = listener.wait(task.id, seconds)
            verdict.pictures += notification.get("image_url", [])
            verdict.wrong += checker.faults(task, answer, notification)
    except AwsError as exc:
        verdict.wrong.append(str(exc))
    verdict.seconds = time.monotonic() - began
    return verdict


def print_verdict(installation: Installation, verdict: Verdict) -> None:
    where = f"  {verdict.pictures[0]}" if verdict.pictures else ""
    right = f"right  {verdict.name}  {verdict.seconds:.1f} s{where}"
    wrong = f"WRONG  {verdict.name}  " + "; ".join(verdict.wrong)
    installation.out.answer(verdict.json, right if verdict.right else wrong)


def save_pictures(checker: ResultChecker, verdict: Verdict, folder: Path) -> list[Path]:
    """Save the pictures of a verdict as files; return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = []
    for uri in verdict.pictures:
        name = PurePosixPath(uri)
        path = free_path(folder, name.stem, name.suffix)
        path.write_bytes(checker.fetch(uri)[1])
        kept.append(path)
    return kept


def _chosen_runtimes(installation: Installation, names: list[str]) -> list[Runtime]:
    known = installation.settings.models_runtime
    wanted = {name.lower() for name in names} or {runtime.name for runtime in known}
    unknown = wanted - {runtime.name for runtime in known}
    if unknown:
        available = ", ".join(runtime.name for runtime in known)
        raise Misused(f"no runtime {', '.join(sorted(unknown))}; there is: {available}")
    return [runtime for runtime in known if runtime.name in wanted]


def _chosen_tasks(runtimes: list[Runtime], apis: tuple[Api, ...]) -> Iterator[SampleTask]:
    """Yield the sample tasks of a run; their ids share a prefix, which lists can show."""
    run = f"test-{token_hex(3)}"
    for runtime in runtimes:
        for api in apis:
            yield from sample_tasks(runtime, api, run)


def _entry_check(sender: Sender, tasks: list[SampleTask]) -> Iterator[Verdict]:
    """Check that API Gateway refuses requests without a valid key."""
    if isinstance(sender, ApiSender) and tasks:
        verdict = Verdict("no key, no entry")
        if not sender.refuses(tasks[0]):
            verdict.wrong.append("a task was taken without a key, or with a wrong one")
        yield verdict
