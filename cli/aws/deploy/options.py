"""Options of `atelier aws deploy`; those of the reference's script keep their letters."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

PANEL = "Steps"


@dataclass(frozen=True, kw_only=True)
class ConfigurationOptions:
    """Options that change the configuration; what is left out stays as it is."""

    bucket: Annotated[
        str | None, typer.Option("--bucket", "-b", help="The model bucket; else a new one.")
    ] = None
    runtime_name: Annotated[
        str | None, typer.Option("--runtime-name", "-r", help="Else 'sdruntime'.")
    ] = None
    runtime_type: Annotated[
        Literal["diffusers", "sdwebui", "comfyui", "fake"] | None,
        typer.Option("--runtime-type", "-t", help="Else 'diffusers'."),
    ] = None
    snapshot: Annotated[
        str | None, typer.Option("--snapshot", "-s", help="An EBS snapshot with the images.")
    ] = None


@dataclass(frozen=True, kw_only=True)
class StepOptions:
    """Options that choose the steps of a deployment."""

    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", "-d", help="Only write the configuration.", rich_help_panel=PANEL
        ),
    ] = False
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Ask nothing.", rich_help_panel=PANEL)
    ] = False
    skip_tools: Annotated[
        bool,
        typer.Option("--skip-tools", "-T", help="Fetch no pinned CDK.", rich_help_panel=PANEL),
    ] = False
    with_snapshot: Annotated[
        bool,
        typer.Option(
            "--with-snapshot", "-S", help="Make a snapshot with the images.", rich_help_panel=PANEL
        ),
    ] = False
    models: Annotated[
        Path | None,
        typer.Option(
            help="Folder of checkpoints to upload; else samples/models, into a new bucket.",
            rich_help_panel=PANEL,
        ),
    ] = None
    base_image: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TYPE=IMAGE", help="What an image is built on.", rich_help_panel=PANEL
        ),
    ] = None
    skip_proof: Annotated[
        bool, typer.Option(help="Make no picture at the end.", rich_help_panel=PANEL)
    ] = False
    timeout: Annotated[
        float, typer.Option(help="Seconds for that picture.", rich_help_panel=PANEL)
    ] = 1_800
