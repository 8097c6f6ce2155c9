"""Run everything on this machine: the embedded AWS, a local Ray, the application; then wait.

A process of its own, which `cli.local.process` starts, watches and ends; it writes the report of
`serve_app.local.start_report` to standard output, and its log to standard error.
"""

import base64
import json
import os
import secrets
import shutil
import signal
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated

import typer

from deployments.runtimes import described_here
from models.errors import AtelierError, SettingsError
from models.loopback import HIGHEST_PORT, free_port
from models.machine import Machine
from models.settings import Settings
from models.settings.checks import check
from models.settings.unused import unused_here
from serve_app.assembly.workers import adapter
from serve_app.local.emulator import EmbeddedAws, provision_sync
from serve_app.local.ray_cluster import ENVIRONMENT, make_token, running_ray, serving
from serve_app.local.signals import end_with_parent, leave_on_signals
from serve_app.local.start_report import StartReport

_DRAIN_SECONDS = 5.0
_POLL_SECONDS = 2
_KEY = "local"


def up(
    config: Annotated[Path, typer.Option()] = Path("config.yaml"),
    port: Annotated[int, typer.Option(min=0, max=HIGHEST_PORT)] = 8000,
    aws_port: Annotated[int, typer.Option(min=0, max=HIGHEST_PORT)] = 4566,
    *,
    home: Annotated[Path, typer.Option(help="Folder for sockets, logs and token; short.")],
    aws_only: Annotated[bool, typer.Option()] = False,
    keep: Annotated[Path | None, typer.Option()] = None,
) -> None:
    """Start the platform, report to the command that holds this process, and stay."""
    began = time.monotonic()
    end_with_parent()
    leave_on_signals()
    report = StartReport()
    with ExitStack() as stack:
        # Entered first, so it is left last: everything that writes there has ended by then.
        stack.callback(_remove, home, unless=os.getppid())
        try:
            report.write(stage="checking the configuration")
            missing = _missing(Settings.read(config))
            os.environ.update(missing)
            settings = _settings(config)  # again, with what the environment has by now
            machine = Machine.this()
            _check(settings, None if aws_only else machine)
            for note in unused_here(settings, machine.gpus, machine.cores):
                report.write(note=note)
            settings = settings.on_one_machine(machine.gpus)
            if not aws_only:
                port = _http_port(port, aws_port)
            report.write(stage="starting the embedded AWS")
            aws = stack.enter_context(_aws(settings, aws_port, home, keep, report))
            report.write(stage="making topics, queues, buckets and tables")
            provision_sync(settings)
            if aws_only:
                variables = {**aws, **missing, **make_token(home), **ENVIRONMENT}
                report.write(environment=variables)
            else:
                address = _start(stack, settings, port=port, home=home, report=report)
                report.write(up={**address, "seconds": round(time.monotonic() - began, 1)})
            while True:
                signal.pause()
        except AtelierError as exc:
            if not isinstance(exc, SettingsError):
                traceback.print_exc()  # into the log
            report.write(failed=str(exc), usage=isinstance(exc, SettingsError))
            raise typer.Exit(1) from exc
        except Exception as exc:
            # Told before what has started ends: that would be taken for the cause.
            report.write(failed=f"a fault of its own, {type(exc).__name__}")
            raise


def _http_port(port: int, aws_port: int) -> int:
    """Return the port for HTTP; a free one for 0.

    Raises:
        SettingsError: the port cannot be opened, or the embedded AWS is to have the same.
    """
    if port == aws_port != 0 and "AWS_ENDPOINT_URL" not in os.environ:
        raise SettingsError(
            f"--port and --aws-port are both {port}: give two ports, or 0 for a free one"
        )
    return free_port(port, "HTTP")


def _missing(settings: Settings) -> Mapping[str, str]:
    """Make environment variables for what the settings leave out and a laptop needs.

    Environment variables reach Ray's workers too, and keep secrets out of Serve's ``args``.
    """
    missing: dict[str, str] = {}
    if not settings.api_keys:
        key = {"name": "local", "key": _KEY, "role": "operator"}
        missing["ATELIER_APIKEYS"] = json.dumps([key])
    if settings.callbacks.secret is None:
        secret = base64.b64encode(secrets.token_bytes(32)).decode()
        missing["ATELIER_CALLBACKS__SECRET"] = f"whsec_{secret}"
    tasks = settings.tasks  # so that Ctrl-C takes seconds
    missing["ATELIER_TASKS__DRAINSECONDS"] = f"{min(_DRAIN_SECONDS, tasks.drain_seconds):g}"
    missing["ATELIER_TASKS__POLLSECONDS"] = str(min(_POLL_SECONDS, tasks.poll_seconds))
    return missing


def _settings(config: Path) -> Settings:
    """Read the file's and environment's settings, with an absolute folder of weights."""
    settings = Settings.read(config)
    if settings.checkpoints is None:
        return settings
    # Replicas run in another folder.
    args = {"checkpoints": str(settings.checkpoints.expanduser().absolute())}
    return Settings.read(config, args)


def _check(settings: Settings, machine: Machine | None) -> None:
    """Refuse settings that a replica would refuse only after Ray has started.

    ``machine``: where replicas are to run; None if that is a Ray of the user's own, anywhere.

    Raises:
        SettingsError: something is wrong; names everything that is.
    """
    check(settings, machine, described_here).refuse()
    for runtime in settings.models_runtime:  # a third party's options: its adapter alone knows them
        adapter(settings, runtime)


def _start(
    stack: ExitStack,
    settings: Settings,
    *,
    port: int,
    home: Path,
    report: StartReport,
) -> Mapping[str, str]:
    """Start Ray and the application; return addresses, names and secrets to use them by."""
    report.write(stage="starting Ray")
    dashboard = stack.enter_context(running_ray(settings, home, report))
    report.write(stage="deploying")
    stack.enter_context(serving(settings, port, report))
    return {
        "url": f"http://127.0.0.1:{port}",
        "aws_endpoint": os.environ["AWS_ENDPOINT_URL"],
        "api_key": _api_key(settings),
        "callback_secret": _secret(settings),
        "tasks_topic": settings.names.arn("sns", settings.names.tasks_topic),
        "results_topic": settings.names.arn("sns", settings.names.results_topic),
        "output_bucket": settings.names.output_bucket,
        "dashboard": dashboard,
        "dashboard_token": str(
            home / "ray-token"
        ),  # the file; the dashboard asks for what it holds
    }


def _api_key(settings: Settings) -> str:
    """Return the first API key's secret that the settings themselves hold; else ``""``."""
    held = (key.key.get_secret_value() for key in settings.api_keys if key.key)
    return next(held, "")


def _secret(settings: Settings) -> str:
    """Return the secret that signs callbacks of the first API key's tasks; ``""`` if none does."""
    secret = settings.callback_secret(settings.api_keys[0].name)
    return secret.get_secret_value() if secret else ""


def _remove(home: Path, *, unless: int) -> None:
    """Remove the folder if the command that made it is gone; retry for 2 s, as writers end."""
    for _ in range(20):
        if os.getppid() == unless or not home.exists():
            return
        shutil.rmtree(home, ignore_errors=True)
        time.sleep(0.1)


@contextmanager
def _aws(
    settings: Settings, port: int, home: Path, keep: Path | None, report: StartReport
) -> Iterator[Mapping[str, str]]:
    """Run the embedded AWS unless the environment names another; yield the variables it set."""
    if "AWS_ENDPOINT_URL" in os.environ:
        if keep:
            raise SettingsError(
                "--keep is for the embedded AWS, and AWS_ENDPOINT_URL names another"
            )
        yield {}
        return
    where = settings.aws
    log = home / "aws.log"
    with EmbeddedAws(
        port=port, log=log, keep=keep, region=where.region, account=where.account
    ) as aws:
        os.environ.update(aws.environment)
        report.write(part="the embedded AWS", pid=aws.process)
        yield aws.environment


if __name__ == "__main__":
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(up)
    app()
