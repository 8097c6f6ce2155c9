"""`atelier cost`: estimate a month on AWS."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import typer

from atelier import Misused
from cli.cost import comparison, output
from cli.cost.chart import draw
from cli.cost.comparison import Estimate
from cli.cost.gpu_hours import hours
from cli.cost.load import Load
from cli.cost.platform_usage import usage
from cli.cost.prices import Prices, prices_of_file, regions, shipped
from cli.cost.published import PublishedEstimate, seed_a, seed_b
from cli.cost.simulated import hours_of, load_of, runs_of_file
from cli.cost.usage_lines import by_part, priced
from cli.exit_codes import USAGE
from cli.output import Output
from models.errors import SettingsError
from models.settings import Runtime, Settings

_DEFAULTS: dict[str, Any] = {
    "stackName": "atelier",
    "modelBucketArn": "arn:aws:s3:::models",
    "modelsRuntime": ({"name": "sdruntime", "type": "diffusers"},),
}
"""Minimal configuration; all other settings have their defaults."""


class Scenario(StrEnum):
    """Estimate to show: this platform's, a published one, or all of them compared."""

    OURS = "this-platform"
    SEED_A = "seed-a"
    SEED_B = "seed-b"
    SEED_B_CLOUDFRONT = "seed-b-cloudfront"
    COMPARE = "compare"


@dataclass(frozen=True, kw_only=True)
class EstimateOptions:
    """Options that choose the installation to estimate, and the form of the answer."""

    config: Annotated[
        Path | None, typer.Option(help="A config.yaml; else every setting has its default.")
    ] = None
    runtime: Annotated[
        str | None, typer.Option(help="Whose load it is; else the first of the configuration.")
    ] = None
    gpu: Annotated[
        str | None, typer.Option(help="Instance type; else the first of the runtime's nodes.")
    ] = None
    region: Annotated[
        str | None, typer.Option(help="Whose prices; else those of the configuration's region.")
    ] = None
    prices: Annotated[
        Path | None, typer.Option(help="A table of your own: its prices go before the shipped.")
    ] = None
    simulated: Annotated[
        Path | None,
        typer.Option(help="Runs that bench.simulate has kept: their load, and their hours."),
    ] = None
    trace: Annotated[str | None, typer.Option(help="Which of its traces.")] = None
    policy: Annotated[str | None, typer.Option(help="Which of its policies.")] = None
    chart: Annotated[Path | None, typer.Option(help="Draw it, too: a .png or .svg file.")] = None
    as_json: Annotated[bool, typer.Option("--json", help="Answer in one line of JSON.")] = False

    @cached_property
    def out(self) -> Output:
        return Output(as_json=self.as_json)

    @cached_property
    def settings(self) -> Settings:
        try:
            return Settings.read(self.config, None if self.config else _DEFAULTS)
        except SettingsError as exc:
            raise Misused(str(exc)) from None

    @property
    def names_ours(self) -> bool:
        """Flag: some option is for an installation of this platform alone."""
        own = (self.runtime, self.gpu, self.region, self.prices)
        simulation = (self.simulated, self.trace, self.policy)
        return any(option is not None for option in own + simulation)

    @property
    def of(self) -> Runtime:
        """Runtime that takes the load."""
        found = self.settings.runtime(self.runtime) if self.runtime else None
        if self.runtime and not found:
            raise Misused(f"--runtime: {self.runtime} is not in the configuration")
        return found or self.settings.models_runtime[0]

    @property
    def table(self) -> Prices:
        """Table of the prices to count with."""
        region = self.region or self.settings.aws.region
        if self.prices is None:
            return shipped(region)
        table = prices_of_file(self.prices)
        return shipped(region).overlaid_by(table) if region in regions() else table

    def complain(self, error: Exception) -> int:
        """Print an error; return the exit code."""
        self.out.complain(str(error))
        return USAGE


def cost(
    options: EstimateOptions,
    load: Load,
    scenario: Annotated[
        Scenario,
        typer.Argument(
            help="this-platform; the estimates that were published for the asynchronous Stable"
            " Diffusion guidance (seed-a) and for ComfyUI on EKS (seed-b); or all of them compared."
        ),
    ] = Scenario.OURS,
) -> None:
    """Estimate what a month on AWS costs, in lines, from dated prices; nothing is asked of AWS.

    atelier cost --config config.yaml --images 200000 --seconds 4

    atelier cost --simulated runs.json --trace daily --policy "60 s"

    atelier cost compare --chart cost.png
    """
    if scenario is Scenario.OURS:
        _ours(options, load)
        return
    if load != Load() or options.names_ours:
        raise Misused(f"{scenario} has its own load, nodes and prices: leave those options out")
    if options.config and scenario is not Scenario.COMPARE:
        raise Misused(f"{scenario} is an estimate of others: leave --config out")
    if scenario is Scenario.COMPARE:
        _compared(options)
    else:
        _seed(options, _SEEDS[scenario])


_SEEDS = {
    Scenario.SEED_A: seed_a(),
    Scenario.SEED_B: seed_b(),
    Scenario.SEED_B_CLOUDFRONT: seed_b(cloudfront=True),
}


def _ours(options: EstimateOptions, load: Load) -> None:
    runtime, table = options.of, options.table
    kind = options.gpu or runtime.nodes.instance_types[0]
    if options.simulated:
        runs = runs_of_file(options.simulated, options.trace, options.policy)
        load, taken = load_of(runs, load), hours_of(runs, runtime)
    elif options.trace or options.policy:
        raise Misused("--trace and --policy choose among the runs of --simulated")
    else:
        taken = hours(load, runtime)
    items = priced(usage(load, taken, options.settings, runtime, kind), table)
    images = Decimal(load.images)
    estimate = Estimate(name=Scenario.OURS, images=images, parts=by_part(items))
    _draw(options, [estimate], f"{load.images:,} pictures a month in {table.region}")
    output.print_estimate(options.out, estimate, items, table.region)


def _seed(options: EstimateOptions, seed: PublishedEstimate) -> None:
    estimate = Estimate(name=seed.name, images=seed.images, parts=by_part(seed.items))
    _draw(options, [estimate], f"{seed.name}, as counted")
    output.print_published(options.out, seed, estimate)


def _compared(options: EstimateOptions) -> None:
    pairs = comparison.estimates(options.settings)
    flat = [estimate for pair in pairs for estimate in pair]
    _draw(options, flat, f"A month in {comparison.REGION}, {comparison.GPU}")
    output.print_comparison(options.out, pairs)


def _draw(options: EstimateOptions, estimates: Sequence[Estimate], title: str) -> None:
    if options.chart:
        draw(estimates, title, options.chart)
