"""Operator's shell: bash in a folder, with `atelier`, `aws`, kubectl and helm on its PATH.

`atelier` and `aws` are scripts that hand their words to this process, where the real programs run:
starting each anew takes seconds. kubectl and helm are the real ones, and so are started as they
are; that `atelier aws kubectl` passes its words on is shown in `kubernetes/test_cluster.py`.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from typer.testing import CliRunner

from cli.aws.tools import unpacked_program
from cli.main import app
from tests.cli.aws.stand_in_programs import handed
from tests.docs.pages import ROOT

_SECONDS = 60
_SHELL = "set -eo pipefail\n"
_ON_CLUSTER = """\
#!/bin/sh
case "$1 $2 $3" in
"aws kubectl --") shift 3; exec "{kubectl}" "$@" ;;
"aws helm --") shift 3; exec "{helm}" "$@" ;;
esac
exec "{folder}/atelier-here" "$@"
"""


class WrongCommand(Exception):
    """Command of the runbook that failed."""


@dataclass
class AwsCommand:
    """AWS command line, running in a process of its own."""

    process: subprocess.Popen[str]
    endpoints: dict[str, str] = field(default_factory=dict)
    """Endpoints by service; all others are at AWS_ENDPOINT_URL."""

    def __call__(self, args: list[str]) -> tuple[int, str]:
        """Run one call: how it ended, and what it printed."""
        assert self.process.stdin
        assert self.process.stdout
        service = next((word for word in args if not word.startswith("-")), "")
        # Version 1 of the command takes SQS's endpoint by this option alone.
        url = self.endpoints.get(service, os.environ["AWS_ENDPOINT_URL"])
        self.process.stdin.write(json.dumps(["--endpoint-url", url, *args]) + "\n")
        self.process.stdin.flush()
        code, said, complaint = json.loads(self.process.stdout.readline())
        return code, (said if not code else said + complaint).strip()


@dataclass
class OperatorShell:
    """Shell of somebody who keeps an installation, and what a document's placeholders are there."""

    folder: Path
    environment: Mapping[str, str]
    aws: AwsCommand
    words: dict[str, str] = field(default_factory=dict)
    """Replacements for texts of the document, such as ``NAME`` or ``NAME-snapshot-…``."""

    def run(self, text: str) -> str:
        """Run a command as the document has it, and return what it printed.

        Raises:
            WrongCommand: it ended with an error.
        """
        filled = self.filled(text)
        done = subprocess.run(
            ["bash", "-c", _SHELL + filled],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS,
        )
        if done.returncode:
            raise WrongCommand(f"{filled}\n{done.stdout}{done.stderr}")
        return done.stdout

    def filled(self, text: str) -> str:
        """Put the words of this installation for placeholders, longer ones first."""
        known = [_placeholder(word) for word in sorted(self.words, key=len, reverse=True)]
        return re.sub("|".join(known), lambda found: self.words[found[0]], text)

    def hand(self, call: list[str], given: str, config: str | None) -> tuple[int, str]:
        """Run `aws` or `atelier`; say how it ended, and what it printed."""
        del given, config
        if call[0] == "aws":
            return self.aws(call[1:])
        done = CliRunner().invoke(app, call[1:], catch_exceptions=False)
        return done.exit_code, done.stdout if not done.exit_code else done.output


@contextmanager
def aws_command() -> Iterator[AwsCommand]:
    """Start the command line, and end it afterwards."""
    started = [sys.executable, "-m", "tests.cli.aws.runbook.aws_command"]
    with subprocess.Popen(
        started, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield AwsCommand(process)
        assert process.stdin
        process.stdin.close()


@contextmanager
def operator_shell(folder: Path, kubeconfig: Path, aws: AwsCommand) -> Iterator[OperatorShell]:
    """Set a shell up; the environment is that of this process, as AWS needs it."""
    programs = folder / "bin"
    programs.mkdir()
    environment = {
        **os.environ,
        "PATH": f"{programs}:/usr/local/bin:/usr/bin:/bin",
        "KUBECONFIG": str(kubeconfig),
        "HOME": str(folder),
    }
    made = OperatorShell(folder, environment, aws)
    tools = {name: unpacked_program(name) for name in ("kubectl", "helm")}
    script = programs / "atelier"
    script.write_text(_ON_CLUSTER.format(folder=programs, **tools))
    script.chmod(0o755)
    with handed(programs, ("aws", "atelier-here"), made.hand):
        yield made


def _placeholder(word: str) -> str:
    """Match a placeholder where it is a word; one in small letters is none within an option."""
    before = r"(?<![\w-])" if word[0].islower() else "(?<![A-Za-z])"
    return rf"{before}{re.escape(word)}(?![A-Za-z])"
