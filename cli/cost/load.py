"""Monthly load on one runtime, as options of the command line."""

from dataclasses import dataclass
from typing import Annotated

import typer

_LOAD = "Load"
_GPUS = "GPU nodes"
_REST = "Assumptions"


def _option(
    what: str, panel: str, least: float = 0, most: float | None = None
) -> typer.models.OptionInfo:
    info: typer.models.OptionInfo = typer.Option(
        help=what, rich_help_panel=panel, min=least, max=most
    )
    return info


@dataclass(frozen=True, kw_only=True)
class Load:
    """Monthly load; its defaults are the guidance's own assumptions, where it states some."""

    images: Annotated[int, _option("Pictures a month, each from a task of its own.", _LOAD, 1)] = (
        1_000_000
    )
    seconds: Annotated[
        float, _option("GPU time of a picture, with loading and saving.", _LOAD, 0.001)
    ] = 1.5
    picture_kib: Annotated[float, _option("Size of a picture.", _LOAD)] = 150
    downloads: Annotated[
        float, _option("How often each picture leaves AWS for the internet.", _LOAD)
    ] = 0
    hours: Annotated[float, _option("Hours of the month in which tasks come.", _LOAD, 1, 744)] = 730
    bursts: Annotated[
        int, _option("How often a month the GPU nodes come up from none.", _LOAD, 0)
    ] = 30
    spot: Annotated[
        float | None,
        _option(
            "Share of the GPU time on Spot; else as the runtime's nodes.capacity lets.", _GPUS, 0, 1
        ),
    ] = None
    rework: Annotated[
        float, _option("Share of Spot's work that interruptions make do again.", _GPUS, 0, 1)
    ] = 0.02
    busy: Annotated[
        float, _option("Share of a working node's time that its GPU computes.", _GPUS, 0.01, 1)
    ] = 0.97
    cold_seconds: Annotated[float, _option("From a node's start to its first picture.", _GPUS)] = (
        240
    )
    edge_ms: Annotated[float, _option("Lambda's time for a request.", _REST)] = 100
    row_kib: Annotated[int, _option("Size of a task's row in the ledger.", _REST, 1)] = 1
    log_kib: Annotated[float, _option("Log that a task leaves.", _REST)] = 4
    cluster_log_gib: Annotated[
        float, _option("Log of the control plane and of what runs beside it.", _REST)
    ] = 10
    nat_kib: Annotated[
        float, _option("What a task sends through a NAT gateway: messages and logs.", _REST)
    ] = 40
    models_gib: Annotated[float, _option("Weights in the model bucket.", _REST)] = 20
    image_gib: Annotated[float, _option("A container image.", _REST)] = 10
    extended_support: Annotated[
        bool,
        typer.Option(
            "--extended-support",
            help="Kubernetes' version is past its standard support.",
            rich_help_panel=_REST,
        ),
    ] = False
