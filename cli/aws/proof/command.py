"""`atelier aws test`: real tasks through the real platform, each looked at; the exit code says."""

import time
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from secrets import token_hex
from typing import Annotated, Literal

import typer

from atelier import Misused
from atelier.files import free_path
from cli.aws.errors import AwsError, translated
from cli.aws.installation import Place
from cli.aws.proof.listener import Inbox, inbox
from cli.aws.proof.samples import Api, Order, orders
from cli.aws.proof.senders import Door, Http, door
from cli.aws.proof.verdict import Judge, Verdict
from cli.aws.stack import Stack
from cli.exits import ENDED_BADLY
from models.settings.groups import Runtime

_APIS: tuple[Api, ...] = ("v1alpha2", "v1alpha1")


def check(
    place: Place,
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
    runtimes = _chosen(place, runtime or [])
    judge = Judge(place.aws, bucket_of(place.stack))
    way = door(place.stack, place.settings)
    asked = list(_orders(runtimes, _APIS if api == "all" else (api,)))
    with inbox(place.aws, place.settings) as ear:
        verdicts = [*_closed(way, asked)]
        verdicts += [run(way, ear, judge, order, timeout) for order in asked]
    for verdict in verdicts:
        tell(place, verdict)
        if save:
            keep(judge, verdict, save)
    if not all(verdict.right for verdict in verdicts):
        raise typer.Exit(ENDED_BADLY)


def bucket_of(stack: Stack) -> str:
    """The stack gives it as an ARN, as the reference's does."""
    return stack.outputs["OutputS3Bucket"].rpartition(":::")[2]


def run(way: Door, ear: Inbox, judge: Judge, order: Order, seconds: float) -> Verdict:
    """Send it, wait for its end, and look at what was made."""
    verdict = Verdict(f"{order.api} {order.runtime} {order.kind}")
    began = time.monotonic()
    try:
        with translated():
            answer = way.send(order)
            told = ear.wait(order.id, seconds)
            verdict.pictures += told.get("image_url", [])
            verdict.wrong += judge.wrongs(order, answer, told)
    except AwsError as exc:
        verdict.wrong.append(str(exc))
    verdict.seconds = time.monotonic() - began
    return verdict


def tell(place: Place, verdict: Verdict) -> None:
    if place.as_json:
        place.out.json(verdict.json)
    elif verdict.right:
        where = f"  {verdict.pictures[0]}" if verdict.pictures else ""
        place.out.line(f"right  {verdict.name}  {verdict.seconds:.1f} s{where}")
    else:
        place.out.line(f"WRONG  {verdict.name}  " + "; ".join(verdict.wrong))


def keep(judge: Judge, verdict: Verdict, folder: Path) -> list[Path]:
    """Its pictures as files."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = []
    for uri in verdict.pictures:
        name = PurePosixPath(uri)
        path = free_path(folder, name.stem, name.suffix)
        path.write_bytes(judge.fetch(uri)[1])
        kept.append(path)
    return kept


def _chosen(place: Place, names: list[str]) -> list[Runtime]:
    known = place.settings.models_runtime
    wanted = {name.lower() for name in names} or {one.name for one in known}
    unknown = wanted - {one.name for one in known}
    if unknown:
        there = ", ".join(one.name for one in known)
        raise Misused(f"no runtime {', '.join(sorted(unknown))}; there is: {there}")
    return [one for one in known if one.name in wanted]


def _orders(runtimes: list[Runtime], apis: tuple[Api, ...]) -> Iterator[Order]:
    """All of one run are named alike, so that they are found in the list of tasks."""
    run = f"test-{token_hex(3)}"
    for runtime in runtimes:
        for api in apis:
            yield from orders(runtime, api, run)


def _closed(way: Door, asked: list[Order]) -> Iterator[Verdict]:
    """Whether API Gateway is closed to those without a key."""
    if isinstance(way, Http) and asked:
        verdict = Verdict("no key, no entry")
        if not way.refuses(asked[0]):
            verdict.wrong.append("a task was taken without a key, or with a wrong one")
        yield verdict
