"""Fixtures of several folders: AWS emulators that live as long as the session."""

import logging
import signal
from collections.abc import AsyncIterator, Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings
from typer.main import get_command
from typing_extensions import override
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

if TYPE_CHECKING:
    from ingest.aws.client import Clients
    from serve_app.local.emulator import EmbeddedAws

TOGETHER = {
    "tests/docs/running/": "the documents' platform",
    "tests/platform/test_heads.py": "a platform",
    "tests/platform/test_line.py": "a platform",
    "tests/platform/test_native.py": "a platform",
    "tests/platform/test_zero.py": "a platform",
    # What `ray start` begins takes its workers' ports from one range.
    "tests/platform/test_pods.py": "ray start",
    "tests/platform/test_serve.py": "ray start",
    "tests/cdk/": "a stack",
    "tests/cloud/": "a stack of its own",
}
"""Folders and files whose tests share something that takes long to come up, or is there once."""
LONG = (*TOGETHER, "tests/platform/")
"""Folders and files whose tests take longest."""

# A shell's `… &` has SIGINT ignored, and all that it starts inherits that: no Ctrl-C would arrive.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes says how busy the machine is, and nothing of what is tested.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


class SharedScopes(LoadScopeScheduling):  # type: ignore[misc] # untyped
    """A file's tests go to one worker; and so do those of several that share something.

    The others in tests/platform start a Ray of their own each, on ports and in folders of its own,
    so that two run at once.
    """

    @override
    def _split_scope(self, nodeid: str) -> str:
        path, _, _ = nodeid.partition("::")
        return next((what for place, what in TOGETHER.items() if path.startswith(place)), path)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest tests first, so that no worker is left alone with them at the end."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONG))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> SharedScopes:
    return SharedScopes(config, log)


@pytest.fixture(scope="session", autouse=True)
def command_made_once() -> Iterator[None]:
    """Keep the command's tree, which Typer's runner would make anew for each call."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("typer.testing._get_command", cache(get_command))
        yield


@pytest.fixture(scope="session")
def embedded_aws() -> "Iterator[EmbeddedAws]":
    from serve_app.local.emulator import EmbeddedAws

    with EmbeddedAws(services=["sns", "sqs", "s3", "dynamodb"]) as aws:
        yield aws


@pytest.fixture(scope="session")
async def embedded_clients(embedded_aws: "EmbeddedAws") -> "AsyncIterator[Clients]":
    from ingest.aws.client import Clients

    async with Clients("us-east-1") as clients:
        await _made(clients, embedded_aws.environment)
        yield clients


@pytest.fixture(scope="session")
async def moto_clients() -> "AsyncIterator[Clients]":
    from moto.server import ThreadedMotoServer

    from ingest.aws.client import Clients

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server.start()
    host, port = server.get_host_and_port()
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    async with Clients("us-east-1") as clients:
        await _made(clients, keys | {"AWS_ENDPOINT_URL": f"http://{host}:{port}"})
        yield clients
    server.stop()


async def _made(clients: "Clients", environment: Mapping[str, str]) -> None:
    """Clients read their endpoint from the environment when they are made, and keep it."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        for make in (clients.s3, clients.sqs, clients.sns, clients.dynamodb):
            await make()
