"""Home of weights that a command works on: a folder, or an S3 bucket with a prefix."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from platformdirs import user_cache_path

from atelier import AtelierError, Misused
from cli.exit_codes import ENDED_BADLY, NOT_FOUND, UNAUTHORIZED, UNREACHABLE, USAGE, code_of
from cli.extras import is_installed, lacks
from cli.output import Output
from models.errors import (
    NameRefused,
    NameTaken,
    SettingsError,
    Unavailable,
    WeightsError,
)
from models.settings import Settings
from models.weights.folder import FolderWeights
from models.weights.store import WeightStore

Answer = TypeVar("Answer")
Work = Callable[[WeightStore], Awaitable[Answer]]

_PANEL = "Home of the weights"
_S3 = "s3://"
_UPLOADS = "uploads"
_NOT_ALLOWED = frozenset({"403", "AccessDenied"})
_NOT_SIGNED_IN = frozenset(
    {
        "ExpiredToken",
        "InvalidAccessKeyId",
        "NoCredentialsError",
        "ProfileNotFound",
        "SignatureDoesNotMatch",
    }
)
"""Codes of AWS, and the SDK's own, at the end of an `Unavailable`."""


class StoreError(AtelierError):
    """Answer of a store, with the exit code for it."""

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True, kw_only=True)
class Home:
    """Home of weights, made from a command's options."""

    store: Annotated[
        str | None,
        typer.Option(
            metavar="HOME",
            help="A folder or s3://bucket/prefix; else that of --config.",
            rich_help_panel=_PANEL,
        ),
    ] = None
    config: Annotated[
        Path,
        typer.Option(
            help="The config.yaml: on AWS its modelBucketArn, else its checkpoints.",
            rich_help_panel=_PANEL,
        ),
    ] = Path("config.yaml")
    region: Annotated[
        str | None,
        typer.Option(help="The bucket's; else AWS_REGION's.", rich_help_panel=_PANEL),
    ] = None
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Answer in JSON, a line for each.", rich_help_panel=_PANEL),
    ] = False

    @cached_property
    def out(self) -> Output:
        return Output(as_json=self.as_json)

    def run(self, work: Work[Answer], *, make: bool = False) -> Answer:
        """Do some work with the store; ``make``: a folder that is not there will be made by it.

        Raises:
            StoreError: the store, or what is in it, does not allow it.
            Misused: the options name no store.
        """
        try:
            return asyncio.run(self._with_store(work, make=make))
        except (WeightsError, Unavailable) as exc:
            raise store_error(exc) from None

    def complain(self, error: Exception, of: str = "") -> int:
        """Print an error, with the name that it is of; return the exit code."""
        self.out.complain(f"{of}{': ' if of else ''}{error}")
        return error.code if isinstance(error, StoreError) else code_of(error)

    async def _with_store(self, work: Work[Answer], *, make: bool) -> Answer:
        async with self._opened() as store:
            if isinstance(store, FolderWeights) and not (make or store.root.is_dir()):
                raise StoreError(f"{store.where}: there is no such folder", NOT_FOUND)
            return await work(store)

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[WeightStore]:
        place, region = (self.store, None) if self.store else self._configured()
        if not place.startswith(_S3):
            yield FolderWeights(_folder(place))
            return
        bucket, _, prefix = place.removeprefix(_S3).partition("/")
        if not bucket:
            raise Misused(f"{place}: must be a folder or s3://bucket/prefix")
        if not is_installed("aws"):
            raise Misused(lacks(f"atelier checkpoints --store {_S3}…", "aws"))
        # Seconds of imports, which a folder does not need and a plain installation lacks.
        from ingest.aws.client import Clients  # noqa: PLC0415
        from ingest.aws.weights import S3Weights  # noqa: PLC0415

        async with Clients(self.region or region or _region()) as clients:
            yield S3Weights(
                clients=clients,
                bucket=bucket,
                prefix=prefix.strip("/"),
                uploads=user_cache_path("atelier") / _UPLOADS,
            )

    def _configured(self) -> tuple[str, str]:
        """Return the home that the configuration names, and its region."""
        try:
            settings = Settings.read(self.config)
        except SettingsError as exc:
            raise Misused(f"{self.config} says no home of weights (--store does):\n{exc}") from None
        folder, bucket = settings.checkpoints, settings.model_bucket
        if folder and (settings.aws.is_local or not bucket):
            return str(folder), settings.aws.region
        return f"{_S3}{bucket}", settings.aws.region


def store_error(error: WeightsError | Unavailable) -> StoreError:
    """Translate an error of a store, with a remedy and an exit code."""
    text = str(error)
    match error:
        case NameRefused() | NameTaken():
            return StoreError(text, USAGE)
        case WeightsError():
            return StoreError(text, ENDED_BADLY)
    code = text.rpartition(": ")[2]
    if code in _NOT_ALLOWED:
        return StoreError(f"not allowed: {text}; ask for it, or set AWS_PROFILE", UNAUTHORIZED)
    if code in _NOT_SIGNED_IN:
        hint = "sign in (`aws sso login`, or AWS_ACCESS_KEY_ID), or set AWS_PROFILE"
        return StoreError(f"{text}; {hint}", UNAUTHORIZED)
    if code == "NoSuchBucket":
        return StoreError(f"there is no such bucket ({text})", NOT_FOUND)
    return StoreError(f"the store does not answer: {text}", UNREACHABLE)


def _folder(place: str) -> Path:
    return Path(place).expanduser().absolute()


def _region() -> str:
    named = (os.environ.get(name) for name in ("AWS_REGION", "AWS_DEFAULT_REGION"))
    return next(filter(None, named), "us-east-1")
