"""Options of `atelier aws snapshot`; those of the reference's builder keep their letters."""

from dataclasses import dataclass, replace
from typing import Annotated, Literal

import typer

from cli.aws.installation import PANEL, Installation
from cli.aws.snapshot.recipe import Recipe, ami_parameter
from cli.aws.snapshot.steps import make_snapshot


@dataclass(frozen=True, kw_only=True)
class SnapshotInstallation(Installation):
    """Installation whose ``-R`` is not the region.

    Here it is the role, as in the reference's builder.
    """

    region: Annotated[
        str | None,
        typer.Option("--region", "-r", help="The installation's region.", rich_help_panel=PANEL),
    ] = None


@dataclass(frozen=True, kw_only=True)
class BuildOptions:
    """Options that say how the snapshot is made."""

    arch: Annotated[
        Literal["x86_64", "arm64", "amd64"], typer.Option("--arch", "-A", help="Of the images.")
    ] = "x86_64"
    ami: Annotated[
        str | None, typer.Option("--ami", "-a", help="SSM's parameter with a Bottlerocket's AMI.")
    ] = None
    instance_type: Annotated[
        str | None, typer.Option("--instance-type", "-i", help="Of the temporary instance.")
    ] = None
    encrypt: Annotated[bool, typer.Option("--encrypt", "-e", help="Encrypt it.")] = False
    kms_id: Annotated[
        str | None,
        typer.Option("--kms-id", "-k", help="With this key, as cluster.volumeKeyArn; implies -e."),
    ] = None
    snapshot_size: Annotated[
        int | None, typer.Option("--snapshot-size", "-s", min=1, help="GiB; else dataVolume's.")
    ] = None
    instance_role: Annotated[
        str | None, typer.Option("--instance-role", "-R", help="Else a temporary role.")
    ] = None
    subnet: Annotated[
        str | None, typer.Option(help="With a way to the internet; else one of the cluster.")
    ] = None
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the id, no more.")] = False


def snapshot(
    installation: SnapshotInstallation,
    options: BuildOptions,
    images: Annotated[
        list[str] | None, typer.Argument(help="With commas or spaces; else the runtimes' own.")
    ] = None,
) -> None:
    """Keep the images on an EBS snapshot, so that new nodes need not pull them; print its id.

    Use it with `imageCache: ebs-snapshot`, or `atelier aws deploy --snapshot ID`.
    """
    wanted = [image for argument in images or () for image in argument.split(",") if image]
    note = _be_quiet if options.quiet else installation.out.note
    snapshot_id = make_snapshot(installation.aws, _recipe(installation, options, wanted), note)
    installation.out.answer({"snapshot": snapshot_id}, snapshot_id)


def _be_quiet(text: str) -> None:
    del text


def _recipe(installation: Installation, options: BuildOptions, images: list[str]) -> Recipe:
    arch = "x86_64" if options.arch == "amd64" else options.arch
    usual = Recipe.of(installation.settings, arch)
    return replace(
        usual,
        images=images or usual.images,
        ami_parameter=options.ami or ami_parameter(installation.settings, arch),
        instance_type=options.instance_type,
        encrypt=options.encrypt or options.kms_id is not None,
        key=options.kms_id,
        size=options.snapshot_size or usual.size,
        role=options.instance_role,
        subnet=options.subnet or usual.subnet,
    )
