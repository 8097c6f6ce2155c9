"""Options that all commands on a platform share: where it is, and how to answer."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated

import typer

from atelier import LOCAL, Client, Misused, Unauthorized
from cli import profiles
from cli.exit_codes import code_of
from cli.hints import as_options
from cli.output import Output

_PANEL = "Connection"


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """Address of a platform, and the API key for it."""

    url: str
    api_key: str = field(repr=False)
    source: str
    """Origin of the key, for error messages."""


@dataclass(frozen=True, kw_only=True)
class Connection:
    """Connection of a command to a platform, made from its options."""

    url: Annotated[
        str | None,
        typer.Option(
            envvar="ATELIER_URL",
            help=f"The platform; else the profile's, else {LOCAL}.",
            rich_help_panel=_PANEL,
        ),
    ] = None
    api_key: Annotated[
        str | None,
        typer.Option(
            envvar="ATELIER_API_KEY",
            help="Your key; else that of the profile, else 'local'.",
            rich_help_panel=_PANEL,
        ),
    ] = field(default=None, repr=False)
    profile: Annotated[
        str | None,
        typer.Option(
            envvar="ATELIER_PROFILE",
            help="A table of profiles.toml; else 'default', where there is one.",
            rich_help_panel=_PANEL,
            autocompletion=profiles.names,
        ),
    ] = None
    as_json: Annotated[
        bool,
        typer.Option(
            "--json", help="Answer in JSON, a line for each thing.", rich_help_panel=_PANEL
        ),
    ] = False

    @cached_property
    def out(self) -> Output:
        return Output(as_json=self.as_json)

    @cached_property
    def endpoint(self) -> Endpoint:
        """Endpoint that the options, a profile or the default name.

        Raises:
            Misused: there is no such profile.
        """
        known = profiles.read()
        profile = known.get(self.profile or profiles.DEFAULT)
        if profile is None and self.profile:
            available = ", ".join(known) or "none"
            raise Misused(
                f"no profile {self.profile!r} in {profiles.path()}; there is: {available}"
            )
        url = self.url or (profile.url if profile else LOCAL)
        if self.api_key:
            return Endpoint(url=url, api_key=self.api_key, source="--api-key or ATELIER_API_KEY")
        # A profile's key is sent to the profile's URL alone.
        if profile and profile.api_key and url == profile.url:
            key = profile.api_key.get_secret_value()
            return Endpoint(url=url, api_key=key, source=f"a profile in {profiles.path()}")
        return Endpoint(url=url, api_key="local", source="the default, 'local'")

    def client(self) -> Client:
        return Client(self.endpoint.url, self.endpoint.api_key)

    def complain(self, error: Exception, of: str = "") -> int:
        """Print an error, with its task's id if it is of one; return the exit code."""
        hint = (
            f"; the key is from {self.endpoint.source}" if isinstance(error, Unauthorized) else ""
        )
        self.out.complain(f"{of}{': ' if of else ''}{as_options(str(error))}{hint}")
        return code_of(error)
