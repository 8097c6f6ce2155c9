"""Stand-ins of `cdk`, `npm` and `docker`: real programs, which a person might have on PATH.

Each tells the test what it was called with and ends as the test says. `cdk deploy` makes, on the
embedded AWS, what the commands read of a stack; `docker push` makes an image.
"""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from botocore.exceptions import WaiterError

from cli.aws.tools import NPM
from models.settings import Settings
from tests.cli.aws.platform import client, made, make_stack
from tests.cli.loopback import serving

Run = Callable[[list[str], str, str | None], tuple[int, str]]
"""Effect of a call: given words, input and ATELIER_CONFIG; returns exit code and output."""

# The script is small, as it starts often: the test's process tells it what to print, and its end.
_SCRIPT = """\
#!{python} -IS
import http.client, json, os, sys
given = "" if sys.stdin.isatty() or "--password-stdin" not in sys.argv else sys.stdin.read()
call = {{"call": ["{name}", *sys.argv[1:]], "given": given}}
call["config"] = os.environ.get("ATELIER_CONFIG")
there = http.client.HTTPConnection("127.0.0.1", {port})
there.request("POST", "/", json.dumps(call))
answer = json.loads(there.getresponse().read())
print(answer["says"])
sys.exit(answer["code"])
"""


@dataclass
class Programs:
    """Calls of the stand-ins, and how each ends."""

    folder: Path
    calls: list[list[str]] = field(default_factory=list)
    """Calls, without questions about versions and about what Docker can build."""
    cdk: str = "2.1148.1"
    """Version that `cdk` prints."""
    builder: tuple[int, str] = (0, "Platforms: linux/amd64, linux/arm64")
    """Answer of `docker buildx inspect`."""
    front: str | None = None
    """URL that a stack gets as its endpoint."""
    fails: str = ""
    """Call that fails, such as ``cdk deploy``."""
    forgets: str = ""
    """Queue that ``cdk destroy`` leaves behind."""

    def of(self, name: str) -> list[list[str]]:
        """Return the arguments of each call of a program."""
        return [call[1:] for call in self.calls if call[0] == name]

    def run(self, call: list[str], given: str, config: str | None) -> tuple[int, str]:
        if call[1] == "--version":
            return 0, f"{self.cdk} (build 1)"
        if call[:2] == ["docker", "info"] or call[:3] == ["docker", "buildx", "inspect"]:
            return self.builder
        self.calls.append(call)
        if self.fails == " ".join(call[:2]):
            return 1, "failed, as it was told to"
        match call:
            case ["cdk", "bootstrap", *_]:
                _bootstrap()
            case ["cdk", "deploy", *_]:
                self._deploy(Settings.read(Path(str(config))))
            case ["cdk", "destroy", *_]:
                return self._destroy(Settings.read(Path(str(config))))
            case ["docker", "login", *_] if not given:
                return 1, "no password"
            case ["docker", "push", image]:
                _push(image)
        return 0, ""

    def _deploy(self, settings: Settings) -> None:
        made(settings)
        stacks = client("cloudformation").describe_stacks()["Stacks"]
        if f"{settings.stack_name}Stack" not in {each["StackName"] for each in stacks}:
            make_stack(settings, front=self.front)

    def _destroy(self, settings: Settings) -> tuple[int, str]:
        """Delete what a stack does not retain."""
        there = {"StackName": f"{settings.stack_name}Stack"}
        client("cloudformation").delete_stack(**there)
        for topic in (settings.names.tasks_topic, settings.names.results_topic):
            client("sns").delete_topic(TopicArn=settings.names.arn("sns", topic))
        sqs = client("sqs")
        for url in sqs.list_queues(QueueNamePrefix=f"{settings.names.stack}-").get("QueueUrls", []):
            if not url.endswith(self.forgets or "/"):
                sqs.delete_queue(QueueUrl=url)
        try:
            wait = client("cloudformation").get_waiter("stack_delete_complete").wait
            wait(**there, WaiterConfig={"Delay": 0.05, "MaxAttempts": 200})
        except WaiterError as exc:
            return 1, str(exc)
        return 0, ""


@contextmanager
def installed(folder: Path) -> Iterator[Programs]:
    """Install the programs in a folder until the block ends."""
    folder.mkdir()
    programs = Programs(folder)
    with handed(folder, ("cdk", NPM, "docker"), programs.run):
        yield programs


@contextmanager
def handed(folder: Path, names: Sequence[str], run: Run) -> Iterator[None]:
    """Write programs of these names to a folder, each of which hands its words to this process."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(run))
    for name in names:
        script = folder / name
        port = server.server_port
        script.write_text(_SCRIPT.format(python=sys.executable, name=name, port=port))
        script.chmod(0o755)
    with serving(server):
        yield


def _handler(run: Run) -> Any:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            size = int(self.headers["content-length"])
            told = json.loads(self.rfile.read(size))
            code, says = run(told["call"], told["given"], told["config"])
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"code": code, "says": says}).encode())

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as the library has it
            pass

    return Handler


def _bootstrap() -> None:
    client("ssm").put_parameter(
        Name="/cdk-bootstrap/hnb659fds/version", Value="28", Type="String", Overwrite=True
    )


def _push(image: str) -> None:
    repository, _, tag = image.partition("/")[2].partition(":")
    manifest = json.dumps({"schemaVersion": 2, "config": {"digest": f"sha256:{'0' * 64}"}})
    client("ecr").put_image(repositoryName=repository, imageTag=tag, imageManifest=manifest)
