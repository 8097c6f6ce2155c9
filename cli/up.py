"""`atelier up`: the platform on this machine."""

import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.exit_codes import ENDED_BADLY, OK, USAGE
from cli.extras import is_installed, lacks
from cli.local.log import keep_log
from cli.local.process import News, Platform
from cli.local.stages import Deployment, StageBars, StageLines, Stages
from cli.output import Output
from models.loopback import HIGHEST_PORT
from models.shell_exports import exports

_DRAIN_SECONDS = 45.0
"""Longest wait in seconds for running tasks to end and Ray to stop."""
_QUICK_SECONDS = 5.0
"""Longest wait in seconds if no task can be running: before the start is done, or if it failed."""


def up(
    config: Annotated[Path, typer.Option(help="The config.yaml.")] = Path("config.yaml"),
    port: Annotated[
        int, typer.Option(help="HTTP port; 0: a free one.", min=0, max=HIGHEST_PORT)
    ] = 8000,
    aws_port: Annotated[
        int,
        typer.Option(help="Port of the embedded AWS; 0: a free one.", min=0, max=HIGHEST_PORT),
    ] = 4566,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON.")] = False,
    aws_only: Annotated[bool, typer.Option(help="No Ray: print the environment instead.")] = False,
    keep: Annotated[
        Path | None,
        typer.Option(help="Folder for what is in the embedded AWS; without it nothing is kept."),
    ] = None,
) -> None:
    """Start the platform on this machine: embedded AWS, Ray, Serve. Ctrl-C stops all of it.

    Exit codes: 0 stopped when it was up; 1 it did not start, or a part of it ended by itself;
    2 the configuration, a port or an option is wrong; 130 or 143 stopped while it started.
    """
    args = ["--config", str(config), "--port", str(port), "--aws-port", str(aws_port)]
    args += ["--aws-only"] if aws_only else []
    args += ["--keep", str(keep.expanduser().absolute())] if keep else []
    out = Output(as_json=as_json)
    if not is_installed("platform"):
        out.complain(lacks("atelier up", "platform"))
        raise typer.Exit(USAGE)
    # The command imports no Ray; it runs the platform in a process of its own.
    try:
        with Platform(args) as platform:
            code = Session(platform, out)()
    except BrokenPipeError:  # the reader has closed the pipe
        raise
    except OSError as exc:
        out.complain(f"the platform's process could not be started: {exc}")
        code = ENDED_BADLY
    raise typer.Exit(code)


class Session:
    """Session of `atelier up`, from a platform's first stage to its end."""

    def __init__(self, platform: Platform, out: Output) -> None:
        self._platform = platform
        self._out = out
        self._is_up = False

    def __call__(self) -> int:
        """Show the start, stay up, and report the end; return the exit code."""
        with self._display() as stages:
            news = self._start(stages)
        match news:  # after the display of stages has stopped
            case {"environment": dict(environment)}:
                self._show_environment(environment)
                news = self._stay()
            case {"up": dict(address)}:
                self._show_address(address)
                news = self._stay()
        return self._stop() if self._platform.asked_to_stop else self._fail(news)

    def _display(self) -> Stages:
        out = self._out
        if out.as_json or not sys.stderr.isatty() or out.err.is_dumb_terminal:
            return StageLines(out)
        return StageBars(out.err)

    def _start(self, stages: Stages) -> News:
        """Show each stage of the start; return its outcome: up, environment or failed."""
        for line in self._platform.news():
            # None comes each second without a line: so a part that dies in silence is noticed, too.
            news = line or {}
            match news:
                case {"stage": str(stage)}:
                    stages.begin(stage)
                case {"note": str(note)}:
                    stages.note(note)
                case {"deployment": _}:
                    stages.tell(Deployment.read(news))
                case {"part": str(part), "pid": int(pid)}:
                    self._platform.watch(part, pid)
                case {"failed": _}:
                    return news
                case {"environment": _} | {"up": _}:
                    stages.done()
                    return news
            if gone := self._platform.gone():
                return {"failed": f"{gone} has ended while the platform started"}
        return {"failed": "it ended while it started"}

    def _stay(self) -> News:
        """Wait until the platform has ended or is asked to; return why it ended."""
        self._is_up = True
        for _ in self._platform.news():
            if gone := self._platform.gone():
                return {"failed": f"{gone} has ended by itself, and the platform with it"}
        return {"failed": "it has ended by itself"}

    def _fail(self, news: News) -> int:
        if news.get("usage"):
            self._out.complain(str(news["failed"]))
            self._platform.stop(_QUICK_SECONDS)
            return USAGE
        # Before the process is stopped, for its folder is removed then.
        self._out.complain(f"{news['failed']}; {self._log()}")
        # One that has lost a part cannot drain any more; it is killed when the block is left.
        if self._platform.gone() is None:
            self._platform.stop(_QUICK_SECONDS)
        return ENDED_BADLY

    def _log(self) -> str:
        try:
            return f"its log is kept in {keep_log(self._platform.home)}"
        except OSError as exc:
            return f"its log could not be kept: {exc}"

    def _stop(self) -> int:
        signal_number = self._platform.asked_to_stop
        self._out.note("stopping …")
        self._platform.stop(_DRAIN_SECONDS if self._is_up else _QUICK_SECONDS)
        # As a shell tells that a signal has ended a command.
        return OK if self._is_up else 128 + signal.Signals(signal_number)

    def _show_environment(self, environment: Mapping[str, str]) -> None:
        if self._out.as_json:
            self._out.json(environment)
        else:  # in one write, for readers that close the pipe early
            self._out.lines(exports(environment).rstrip())
        # A pipe is written in blocks: a script that reads this line would wait for it for ever.
        sys.stdout.flush()

    def _show_address(self, address: Mapping[str, Any]) -> None:
        if self._out.as_json:
            self._out.json(address)
        else:
            self._out.pairs({name: str(value) for name, value in address.items()})
            self._out.note("atelier is up; Ctrl-C stops it")
        sys.stdout.flush()
