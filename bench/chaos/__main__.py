"""Run the platform under chaos and audit every task: `make chaos`.

Exits with 1 where a promise was broken, and tells which and how it came to be.
"""

import asyncio
import shutil
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from bench.chaos.audit import Violation, audit, tally
from bench.chaos.director import Director, Happening
from bench.chaos.figures import Figures, accounts, figures, rows, shown
from bench.chaos.listeners import Inbox, Receiver, reading, receiving
from bench.chaos.load import Load
from bench.chaos.observe import Observer
from bench.chaos.plan import FAR, RUNTIME, plans
from bench.chaos.platform import KEY, Platform, Setup, gpu_log, platform_log, running_platform
from bench.chaos.scenarios import SCENARIOS, Scenario
from bench.chaos.senders import Senders
from bench.chaos.stalls import read_gpu_log
from bench.chaos.timetable import Mishap, timetable
from bench.report import Amount, Count, report
from models.loopback import LOOPBACK, free_port
from serve_app.local.signals import leave_on_signals

_QUIET_SECONDS = 60.0
_HARMFUL = frozenset({Mishap.KILL_REPLICA, Mishap.KILL_ALL_REPLICAS, Mishap.KILL_NODE})
"""Mishaps that may take the runtime of a task on a GPU away."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """Parameters of a run."""

    tasks: int
    minutes: float
    seed: int
    scenario: str
    every: int
    """Tasks from one mishap to the next."""
    backlog: int
    """Most tasks with the platform at once."""
    drain: float
    """Longest wait in seconds for the last tasks."""

    @property
    def what(self) -> Scenario:
        return SCENARIOS[self.scenario]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Outcome of a run."""

    figures: Figures
    violations: Sequence[Violation]
    accounts: Sequence[dict[str, Any]]
    happenings: Sequence[Happening]


def measure(run: Run, setup: Setup, folder: Path, progress: Progress) -> Outcome:
    """Start the platform, let the run happen to it, and audit what is left."""
    bar = progress.add_task("starting Ray", total=run.tasks)
    with ExitStack() as stack:
        platform = stack.enter_context(running_platform(setup, folder, run.seed))
        client = platform.client()
        inbox = stack.enter_context(reading(client))

        def show(done: int, words: str) -> None:
            progress.update(bar, completed=done, description=words)

        secret = platform.address["callback_secret"]
        observer = Observer(client, platform.settings.names, [RUNTIME, *([FAR] * setup.far)])
        playing = _played(run, setup, platform, inbox, observer, secret=secret, show=show)
        load, director, senders, receiver = asyncio.run(playing)
        progress.update(bar, description="auditing")
        work = read_gpu_log(gpu_log(folder))
        observed = observer.observe(
            load.stories,
            work,
            notifications=inbox.by_submission,
            calls=receiver.by_submission,
            log=platform_log(folder),
            kills=[each.begin for each in director.happenings if each.mishap in _HARMFUL],
        )
        calls = platform.proxy.set()
    violations = audit(load.stories, observed)
    found = figures(
        load.stories,
        tally(load.stories, observed),
        violations,
        work=work,
        told_at=inbox.told_at,
        happenings=director.happenings,
        calls=calls,
        http_away=senders.health.away,
        http_failures=senders.health.refusals,
    )
    told = accounts(violations, load.stories, observed, director.happenings)
    return Outcome(
        figures=found, violations=violations, accounts=told, happenings=director.happenings
    )


async def _played(
    run: Run,
    setup: Setup,
    platform: Platform,
    inbox: Inbox,
    observer: Observer,
    *,
    secret: str,
    show: Callable[[int, str], None],
) -> tuple[Load, Director, Senders, Receiver]:
    """Send the load while the mishaps happen; return all that took part."""
    url = platform.address["url"]
    # Without kept connections: those would all go on with the front that answered first.
    limits = httpx.Limits(max_keepalive_connections=0)
    headers = {"x-api-key": KEY}
    async with (
        receiving(secret, setup.callback_port) as receiver,
        httpx.AsyncClient(base_url=url, headers=headers, limits=limits) as http,
    ):
        callback = f"http://{LOOPBACK}:{setup.callback_port}/"
        senders = Senders(platform.client(), http, callback=callback)
        drawn = plans(run.tasks, run.what, run.seed, far=setup.far)
        load = Load(drawn, senders, inbox, backlog=run.backlog)
        director = Director(platform=platform)
        due = timetable(run.what.mishaps, run.tasks, run.every, run.seed)

        def show_now() -> None:
            happened = len(director.happenings)
            show(load.ended, f"{len(load.stories)} sent, {happened} of {len(due)} mishaps")

        directing = director.direct(due, lambda: load.ended, lambda: load.is_over)
        watching = asyncio.create_task(senders.health.watch(http))
        try:
            await asyncio.gather(load.run(run.minutes * 60, run.drain, show_now), directing)
            show(load.ended, "waiting for empty queues")
            await asyncio.to_thread(observer.wait_until_quiet, _QUIET_SECONDS)
        finally:
            watching.cancel()
    return load, director, senders, receiver


def main(
    *,
    scenario: Annotated[str, typer.Option(help=", ".join(SCENARIOS))] = "everything",
    tasks: Count = 1_000,
    minutes: Annotated[
        float, typer.Option(min=0.001, help="longest time in which tasks are sent")
    ] = 40,
    seed: int = 1,
    every: Annotated[int, typer.Option(min=1, help="tasks from one mishap to the next")] = 50,
    backlog: Annotated[int, typer.Option(min=1, help="most tasks with the platform")] = 150,
    drain: Annotated[float, typer.Option(min=0, help="seconds for the last tasks")] = 180,
    replicas: Count = 4,
    gpu_ms: Amount = 50,
    fronts: Count = 2,
    ingests: Count = 3,
    stall: Annotated[float, typer.Option(min=0, help="seconds allowed past an outage's end")] = 2,
    json: Annotated[Path, typer.Option(help="file for the report")] = Path("bench/out/chaos.json"),
) -> None:
    """Run the platform under chaos, and audit every task."""
    if scenario not in SCENARIOS:
        raise typer.BadParameter(f"there are: {', '.join(SCENARIOS)}", param_hint="--scenario")
    run = Run(
        tasks=tasks,
        minutes=minutes,
        seed=seed,
        scenario=scenario,
        every=every,
        backlog=backlog,
        drain=drain,
    )
    setup = Setup(
        replicas=replicas,
        gpu_ms=gpu_ms,
        fronts=fronts,
        ingests=ingests,
        far=Mishap.KILL_NODE in run.what.mishaps,
        callback_port=free_port(0, "callbacks"),
    )
    leave_on_signals()  # else SIGTERM would leave Ray behind
    logs = json.with_suffix(".logs")
    shutil.rmtree(logs, ignore_errors=True)
    logs.mkdir(parents=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn())
    with Progress(*columns, MofNCompleteColumn(), TimeElapsedColumn(), transient=True) as progress:
        outcome = measure(run, setup, logs.absolute(), progress)
    _report(run, setup, outcome, json)
    late = outcome.figures.longest_after_outage > stall
    if late:
        Console().print(f"work went on {outcome.figures.longest_after_outage} s past an outage")
    sys.exit(1 if outcome.violations or late else 0)


def _report(run: Run, setup: Setup, outcome: Outcome, path: Path) -> None:
    """Keep and show the figures, and tell the stories of what was broken."""
    kept = {
        **asdict(outcome.figures),
        "broken": outcome.accounts,
        "happenings": [asdict(each) for each in outcome.happenings],
    }
    report(path, asdict(run) | asdict(setup), kept, ("figure", "value"), rows(outcome.figures))
    console = Console(soft_wrap=True, highlight=False, markup=False)
    for line in shown(outcome.accounts):
        console.print(line)


if __name__ == "__main__":
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(main)
    app()
