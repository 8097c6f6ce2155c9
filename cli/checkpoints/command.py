"""`atelier checkpoints`, and `list | show | push | pull | rm | verify` on the home of weights."""

import asyncio
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from atelier import Misused
from cli.checkpoints.bars import Bar, file_bars, format_size
from cli.checkpoints.home import Home
from cli.checkpoints.names import Placing, Source, all_entries, complete, named
from cli.checkpoints.transfer import pull_file, push_file
from cli.checkpoints.verify import Check, State
from cli.command import command
from cli.connection import Connection
from cli.downloads import refuse_file
from cli.exit_codes import ENDED_BADLY, OK
from cli.output import Cell
from cli.times import format_age, format_time
from models.errors import WeightsError
from models.weights.contents import Contents, examine
from models.weights.download import Download
from models.weights.entries import Entry
from models.weights.kinds import Kind
from models.weights.store import WeightFile, WeightStore

app = typer.Typer(
    invoke_without_command=True,
    help=(
        "List what tasks can ask for, as the platform says. The commands are about files in the"
        " home of the weights instead: a folder or an S3 bucket (docs/checkpoints.md)."
    ),
)

Names = Annotated[
    list[str],
    typer.Argument(
        metavar="NAME...",
        help="As `list` has them, or shorter.",
        show_default=False,
        autocompletion=complete,
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Replace other files of these names.")]
KindOption = Annotated[Kind | None, typer.Option("--kind", help="Kind of weights.")]


@app.callback()
@command
def platform(connection: Connection, ctx: typer.Context) -> None:
    """List the weights that tasks can ask for, and the runtimes that can load them."""
    if ctx.invoked_subcommand:
        _refuse_options_before(ctx)
        return
    with connection.client() as client:
        found = client.checkpoints()
    connection.out.listing(
        found,
        ("checkpoint", "runtimes"),
        lambda checkpoint: (checkpoint.name, ", ".join(checkpoint.runtimes)),
    )


@command
def list_(home: Home, *, kind: KindOption = None) -> None:
    """List the weights in the home.

    atelier checkpoints list --kind lora

    atelier checkpoints list --store s3://my-models --json | jq -r .name
    """
    found = [entry for entry in home.run(all_entries) if kind in {None, entry.kind}]
    if home.as_json:
        for entry in found:
            home.out.json(_document(entry))
        return
    now = time.time()
    home.out.table(_HEADS, (_row(entry, now) for entry in found))
    if not found:
        home.out.note("there are none")


@command
def show(
    home: Home,
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="As `list` has it, or shorter.", autocompletion=complete
        ),
    ],
) -> None:
    """Show weights: their files with size, checksum and what their bytes are.

    atelier checkpoints show shapes
    """

    async def work(store: WeightStore) -> tuple[Entry, list[tuple[WeightFile, Contents]]]:
        entry = named(await all_entries(store), name, store.where)
        found = [file for each in entry.files if (file := await store.look_up(each.name))]
        return entry, [(file, await examine(store, file)) for file in found]

    entry, found = home.run(work)
    files = [_file_document(file, contents) for file, contents in found]
    if home.as_json:
        home.out.json({**_document(entry), "files": files})
        return
    home.out.pairs(
        {
            "name": entry.name,
            "kind": entry.kind,
            "size": format_size(entry.size),
            "changed": format_time(entry.modified),
        }
    )
    for file in files:
        home.out.line("")
        home.out.pairs({key: None if said is None else str(said) for key, said in file.items()})


@command
def push(
    home: Home,
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH...", help="Files, or folders of them.")
    ],
    *,
    kind: KindOption = None,
    name: Annotated[
        str | None, typer.Option(help="The name in the home, as Lora/name.safetensors.")
    ] = None,
    force: Force = False,
) -> None:
    """Send local weights to the home; what is there already is not sent again.

    atelier checkpoints push anime.safetensors --kind checkpoint

    atelier checkpoints push ~/stable-diffusion-webui/models --store s3://my-models
    """
    if name and (kind or len(paths) > 1):
        raise Misused("--name is of one path, and says its kind")

    async def work(store: WeightStore) -> int:
        placing = Placing([file.name for file in await store.list()], kind, name)
        sources, left_out = await asyncio.to_thread(_sources, placing, paths)
        if left_out:
            home.out.note(f"left out: {left_out} (no weights, or in no folder of a known kind)")
        if not sources:
            raise Misused("there are no weights in it; --kind says what loose files are")
        with file_bars(home.out) as bar:
            return max(
                [await push_file(home, store, source, bar, force=force) for source in sources]
            )

    _end(home.run(work, make=True))


@command
def pull(
    home: Home,
    names: Names,
    *,
    to: Annotated[
        Path, typer.Option("--to", metavar="DIR", help="Made if need be.", callback=refuse_file)
    ] = Path(),
    force: Force = False,
) -> None:
    """Fetch weights from the home, into folders as they have there; checked by their checksums.

    atelier checkpoints pull shapes --to models
    """

    async def work(store: WeightStore) -> int:
        known = await all_entries(store)
        entries = [named(known, said, store.where) for said in names]
        files = [file for entry in entries for file in entry.files]
        download = Download(store=store, replace=force)
        with file_bars(home.out) as bar:
            return max([await pull_file(home, download, file, to, bar) for file in files])

    _end(home.run(work))


@command
def rm(
    home: Home,
    names: Names,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete weights from the home for good.

    atelier checkpoints rm old-anime --yes
    """

    async def look(store: WeightStore) -> tuple[str, Sequence[Entry]]:
        known = await all_entries(store)
        found = {entry.name: entry for entry in (named(known, n, store.where) for n in names)}
        return store.where, list(found.values())

    where, found = home.run(look)
    if not yes:
        _confirm(where, found)

    async def delete(store: WeightStore) -> None:
        for entry in found:
            for file in entry.files:
                await store.delete(file.name)
            document = {"name": entry.name, "outcome": "deleted", "size": entry.size}
            home.out.answer(document, f"{entry.name}: deleted")

    home.run(delete)


@command
def verify(
    home: Home,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME...]", help="All unless named.", autocompletion=complete),
    ] = None,
    *,
    headers: Annotated[
        bool, typer.Option("--headers", help="Read headers alone, and compare no checksum.")
    ] = False,
) -> None:
    """Check weights: checksums, headers of safetensors, and which are pickles by their bytes.

    atelier checkpoints verify

    atelier checkpoints verify --headers --json | jq -r 'select(.state == "bad") | .name'
    """

    async def work(store: WeightStore) -> int:
        known = await all_entries(store)
        chosen = [named(known, n, store.where) for n in names] if names else known
        files = [file for entry in chosen for file in entry.files]
        if not files:
            home.out.note("there are none")
        check = Check(store, headers_only=headers)
        with file_bars(home.out) as bar:
            codes = [await _verify(home, check, file, bar) for file in files]
        return max(codes, default=OK)

    _end(home.run(work))


app.command("list")(list_)
app.command()(show)
app.command()(push)
app.command()(pull)
app.command()(rm)
app.command()(verify)

_HEADS = ("name", "kind", "size", "age", "files")


def _row(entry: Entry, now: float) -> Sequence[Cell]:
    files = str(len(entry.files)) if entry.is_folder else ""
    age = format_age(now - entry.modified)
    return entry.name, entry.kind, format_size(entry.size), age, files


def _document(entry: Entry) -> Mapping[str, Any]:
    return {
        "name": entry.name,
        "kind": str(entry.kind),
        "size": entry.size,
        "modified": entry.modified,
        "files": len(entry.files),
    }


def _file_document(file: WeightFile, contents: Contents) -> Mapping[str, Any]:
    return {
        "file": file.name,
        "size": file.size,
        "version": file.version,
        "checksum": str(file.checksum) if file.checksum else None,
        "form": contents.form.value,
        "fault": contents.fault,
    }


def _sources(placing: Placing, paths: Iterable[Path]) -> tuple[Sequence[Source], int]:
    found: list[Source] = []
    left_out = 0
    for path in paths:
        some, without = placing.sources(path.expanduser())
        found += some
        left_out += without
    return found, left_out


def _confirm(where: str, found: Sequence[Entry]) -> None:
    listed = ", ".join(f"{entry.name} ({format_size(entry.size)})" for entry in found)
    if not sys.stdin.isatty():
        raise Misused(f"rm deletes {listed} in {where} for good: add --yes")
    if not typer.confirm(f"Delete {listed} in {where} for good?", err=True):
        raise typer.Exit(OK)


async def _verify(home: Home, check: Check, file: WeightFile, bar: Bar) -> int:
    try:
        checked = await check(file, lambda: bar(file.name, file.size))
    except WeightsError as exc:
        return home.complain(exc, file.name)
    home.out.answer(checked.document, f"{file.name}: {checked.text}")
    return ENDED_BADLY if checked.state is State.BAD else OK


def _end(code: int) -> None:
    if code:
        raise typer.Exit(code)


def _refuse_options_before(ctx: typer.Context) -> None:
    """Refuse options of the bare command before another one, which would not have them."""
    for name in ctx.params:
        source = ctx.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            raise Misused(f"put options behind `{ctx.invoked_subcommand}`")
