"""Run everything on this machine: the embedded AWS, a local Ray, the application; then wait.

A process of its own, which `cli.local.process` starts, watches and ends; standard output is
what `serve_app.telling` tells it, standard error its log.
"""

import base64
import ctypes
import json
import logging
import os
import secrets
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import psutil
import typer

from deployments.runtimes import described_here
from models.checks import check
from models.errors import AtelierError, SettingsError, Unavailable
from models.machine import Machine
from models.settings import Settings
from serve_app.embedded import EmbeddedAws, free_port, provisioned
from serve_app.line import adapter
from serve_app.telling import Teller, last_line, telling

if TYPE_CHECKING:
    from ray.serve import Application

_DRAIN_SECONDS = 5.0
_POLL_SECONDS = 2
_KEY = "local"
_RAY = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # Else Ray takes the machine's outer address, whatever it is told, and listens everywhere.
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
}
_RAY_PROCESSES = frozenset({"raylet", "gcs_server"})
_RAY_REMEDY = "it needs memory, and room in the folder for temporary files (TMPDIR)"
_NAME = "atelier"
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG


@dataclass(frozen=True)
class Address:
    """Where the platform is, for those who use it."""

    url: str
    aws_endpoint: str
    api_key: str
    callback_secret: str
    tasks_topic: str
    results_topic: str
    output_bucket: str
    dashboard: str
    dashboard_token: str
    """Path of the file with the token that the dashboard asks for."""
    seconds: float
    """What the start took."""


def up(
    config: Annotated[Path, typer.Option()] = Path("config.yaml"),
    port: Annotated[int, typer.Option()] = 8000,
    aws_port: Annotated[int, typer.Option()] = 4566,
    *,
    home: Annotated[Path, typer.Option(help="Folder for sockets, logs and token; short.")],
    aws_only: Annotated[bool, typer.Option()] = False,
) -> None:
    """Start the platform, report to the command that holds this process, and stay."""
    began = time.monotonic()
    _end_with_parent()
    _heed(_leave)
    tell = Teller()
    with ExitStack() as stack:
        stack.callback(_remove, home, unless=os.getppid())
        try:
            tell.stage("checking the configuration")
            missing = _missing(Settings.read(config))
            os.environ.update(missing)
            settings = _settings(config)
            _check(settings, None if aws_only else Machine.this())
            port = free_port(port, "HTTP")
            tell.stage("starting the embedded AWS")
            aws = stack.enter_context(_aws(settings, aws_port, home, tell))
            tell.stage("making topics, queues, buckets and tables")
            provisioned(settings)
            if aws_only:
                tell.environment({**aws, **missing, **_token(home), **_RAY})
            else:
                tell.up(
                    asdict(_start(stack, settings, port=port, home=home, began=began, tell=tell))
                )
            while True:
                signal.pause()
        except AtelierError as exc:
            if not isinstance(exc, SettingsError):
                traceback.print_exc()  # into the log
            tell.failed(str(exc), usage=isinstance(exc, SettingsError))
            raise typer.Exit(1) from exc


def _end_with_parent() -> None:
    """Have the kernel ask this process to end when the command that holds it is gone."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGTERM)


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    """Unwind what was started; a second signal finds that already under way."""
    del number, frame
    _heed(signal.SIG_IGN)
    sys.exit(0)


def _heed(handler: Callable[[int, FrameType | None], Any] | signal.Handlers) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handler)


def _missing(settings: Settings) -> Mapping[str, str]:
    """Environment that a laptop needs for what the settings leave out, for all ways of running.

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
    stack: ExitStack, settings: Settings, *, port: int, home: Path, began: float, tell: Teller
) -> Address:
    tell.stage("starting Ray")
    dashboard = stack.enter_context(_ray(settings, home, tell))
    tell.stage("deploying")
    stack.enter_context(_serve(settings, port, tell))
    return Address(
        url=f"http://127.0.0.1:{port}",
        aws_endpoint=os.environ["AWS_ENDPOINT_URL"],
        api_key=_api_key(settings),
        callback_secret=_secret(settings),
        tasks_topic=settings.arn("sns", settings.tasks_topic),
        results_topic=settings.arn("sns", settings.results_topic),
        output_bucket=settings.output_bucket,
        dashboard=dashboard,
        dashboard_token=str(home / "ray-token"),
        seconds=round(time.monotonic() - began, 1),
    )


def _api_key(settings: Settings) -> str:
    """Return the first API key's secret that the settings themselves hold; else ``""``."""
    held = (key.key.get_secret_value() for key in settings.api_keys if key.key)
    return next(held, "")


def _secret(settings: Settings) -> str:
    """Secret that signs the callbacks of the first API key's tasks; ``""`` if none does."""
    secret = settings.callback_secret(settings.api_keys[0].name)
    return secret.get_secret_value() if secret else ""


def _remove(home: Path, *, unless: int) -> None:
    """Remove the folder if the command that made it is gone; its last writers are ending."""
    for _ in range(20):
        if os.getppid() == unless or not home.exists():
            return
        shutil.rmtree(home, ignore_errors=True)
        time.sleep(0.1)


@contextmanager
def _aws(settings: Settings, port: int, home: Path, tell: Teller) -> Iterator[Mapping[str, str]]:
    """The AWS that the environment names; without one, an emulator. What it put there."""
    if "AWS_ENDPOINT_URL" in os.environ:
        yield {}
        return
    where = settings.aws
    log = home / "aws.log"
    with EmbeddedAws(port=port, log=log, region=where.region, account=where.account) as aws:
        os.environ.update(aws.environment)
        tell.part("the embedded AWS", aws.process)
        yield aws.environment


@contextmanager
def _ray(settings: Settings, home: Path, tell: Teller) -> Iterator[str]:
    """A Ray of our own, on loopback; its dashboard's URL."""
    os.environ.update(_token(home))
    for name, value in _RAY.items():
        os.environ.setdefault(name, value)
    import ray  # noqa: PLC0415 - two seconds, and it reads the environment

    # On a laptop the replicas share what cores there are.
    cpus = sum(r.replicas * r.cpus for r in settings.models_runtime) + 1
    try:
        context = ray.init(
            address="local",
            num_cpus=max(os.cpu_count() or 1, int(cpus) + 1),
            include_dashboard=True,
            dashboard_host="127.0.0.1",
            _node_ip_address="127.0.0.1",
            _temp_dir=str(home / "ray"),
            log_to_driver=False,
            logging_level="error",
        )
    except Exception as exc:  # it raises plain ones, too
        raise Unavailable(f"Ray did not start{_without_paths(exc)}; {_RAY_REMEDY}") from exc
    for child in psutil.Process().children():
        if child.name() in _RAY_PROCESSES:
            tell.part(f"Ray's {child.name()}", child.pid)
    _heed(_leave)  # Ray put its own in the place of ours
    try:
        check_gpus(settings, ray.cluster_resources().get("GPU", 0))
        yield f"http://{context.dashboard_url}"
    finally:
        ray.shutdown()


def _without_paths(exc: Exception) -> str:
    """Last line of a Ray error; empty if it names a file of the folder that is removed."""
    words = last_line(str(exc))
    return "" if "/" in words or not words else f" ({words})"


def _token(home: Path) -> Mapping[str, str]:
    """Make a token for this Ray alone, in a file; else Ray makes or reuses the account's."""
    path = home / "ray-token"
    path.touch(mode=0o600)
    path.write_text(secrets.token_hex(32))
    return {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(path)}


def check_gpus(settings: Settings, there: float) -> None:
    """Refuse to wait for ever for GPUs that are not there."""
    wanted = sum(r.replicas * r.gpus for r in settings.models_runtime)
    if wanted > there:
        raise SettingsError(
            f"modelsRuntime[].gpus: {wanted:g} GPUs are wanted and {there:g} are here;"
            " gpus: 0 lets a replica compute on the CPU"
        )


@contextmanager
def _serve(settings: Settings, port: int, tell: Teller) -> Iterator[None]:
    """The application, answering."""
    from ray import serve  # noqa: PLC0415

    from serve_app.app import assemble  # noqa: PLC0415

    logging.getLogger("ray.serve").setLevel(logging.WARNING)  # of this process alone
    serve.start(proxy_location="HeadOnly", http_options={"host": "127.0.0.1", "port": port})
    try:
        _run(assemble(settings), tell)
        yield
    finally:
        serve.shutdown()


def _run(application: "Application", tell: Teller) -> None:
    """Run the application until it answers; if it does not, report what its deployments said.

    Raises:
        Unavailable: a deployment did not start.
    """
    from ray import serve  # noqa: PLC0415

    def deployments() -> Mapping[str, Any]:
        found: Mapping[str, Any] = serve.status().applications[_NAME].deployments
        return found

    try:
        with telling(tell, deployments):
            serve.run(application, name=_NAME, route_prefix="/")
    except RuntimeError as exc:
        said = {name: last_line(one.message) for name, one in deployments().items() if one.message}
        ill = "; ".join(f"{name} did not start: {why}" for name, why in said.items())
        raise Unavailable(ill or "the application did not start") from exc


if __name__ == "__main__":
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(up)
    app()
