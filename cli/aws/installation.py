"""Options that all `atelier aws` commands share: which installation, where, and as whom."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from atelier import Misused
from cli.aws.kubernetes.cluster import Cluster
from cli.aws.sdk import Aws, AwsError, NotSignedIn, translated
from cli.aws.stack import Stack
from cli.command import command as typer_command
from cli.exit_codes import code_of
from cli.output import Output
from models.errors import SettingsError
from models.settings import Settings

PANEL = "Installation"
DEFAULT_NAME = "atelier"


@dataclass(frozen=True, kw_only=True)
class Installation:
    """Installation that a command works on; most follows from the `stackName` of its file."""

    stack_name: Annotated[
        str | None,
        typer.Option(
            "--stack-name",
            "-n",
            help=f"Which installation; else '{DEFAULT_NAME}'.",
            rich_help_panel=PANEL,
        ),
    ] = None
    config: Annotated[
        Path | None,
        typer.Option(help="Its file; else config.STACK-NAME.yaml, here.", rich_help_panel=PANEL),
    ] = None
    region: Annotated[
        str | None,
        typer.Option(
            "--region", "-R", help="Its region; the file says it too.", rich_help_panel=PANEL
        ),
    ] = None
    profile: Annotated[
        str | None,
        typer.Option(
            envvar="AWS_PROFILE", help="Who you are, in ~/.aws/config.", rich_help_panel=PANEL
        ),
    ] = None
    as_json: Annotated[
        bool, typer.Option("--json", help="Answer in JSON.", rich_help_panel=PANEL)
    ] = False

    @cached_property
    def out(self) -> Output:
        return Output(as_json=self.as_json)

    @property
    def path(self) -> Path:
        """Path of the configuration file."""
        return self.config or Path(f"config.{(self.stack_name or DEFAULT_NAME).lower()}.yaml")

    @cached_property
    def settings(self) -> Settings:
        """Settings of the configuration file.

        Raises:
            Misused: the file is missing or wrong, or belongs to another installation.
        """
        if not self.path.exists():
            raise Misused(f"{self.path}: there is no such file; `atelier aws deploy -d` writes it")
        try:
            settings = Settings.read(self.path)
        except SettingsError as exc:
            raise Misused(f"{self.path}:\n{exc}") from None
        self._check_options(settings)
        return settings

    @cached_property
    def aws(self) -> Aws:
        """AWS in the installation's region, as the caller who is signed in to its account.

        Raises:
            NotSignedIn: the caller is signed in to another account.
        """
        target = self.settings.aws
        aws = Aws(target.region, self.profile)
        if aws.caller.account != target.account:
            raise NotSignedIn(
                f"signed in to account {aws.caller.account}, but {self.path} is of"
                f" {target.account}; use another --profile"
            )
        return aws

    @cached_property
    def cluster(self) -> Cluster:
        return Cluster(self.aws, self.settings.stack_name)

    @cached_property
    def stack(self) -> Stack:
        return Stack(self.aws, f"{self.settings.stack_name}Stack")

    def complain(self, error: Exception, of: str = "") -> int:
        """Print an error and return its exit code."""
        self.out.complain(f"{of}{': ' if of else ''}{error}")
        return error.code if isinstance(error, AwsError) else code_of(error)

    def _check_options(self, settings: Settings) -> None:
        given = {"stackName": (self.stack_name, settings.names.stack)}
        given["region"] = (self.region, settings.aws.region)
        for key, (requested, actual) in given.items():
            if requested is not None and requested.lower() != actual:
                raise Misused(
                    f"{self.path} has {key} {actual!r}, not {requested!r}; name its --config"
                )


def command(function: Callable[..., None]) -> Callable[..., None]:
    """Make a function a command of Typer that reports errors of AWS."""

    @wraps(function)
    def run(*given: Any, **named: Any) -> None:
        with translated():
            function(*given, **named)

    return typer_command(run)
