"""Fixtures of several folders: AWS emulators that live as long as the session."""

import logging
import os
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
    "tests/docs/running/": "a Ray",
    "tests/platform/test_bench.py": "a Ray",
    "tests/platform/test_ingests.py": "a Ray",
    "tests/platform/test_keys.py": "a Ray",
    "tests/platform/test_replicas.py": "a Ray",
    "tests/platform/test_up.py": "a Ray",
    "tests/platform/": "another Ray",
    "tests/cdk/": "a stack",
    "tests/cloud/": "a stack of its own",
}
"""Folders and files whose tests go to one worker; the first counts.

Two take about as long, and run a Ray at a time each; three at once would keep two cores busy for so
long that none comes up in time. Others share what takes long to come up.
"""
POLITE = 19
"""Niceness of tests without a Ray, beside those with one: Ray's own workers have 15."""
SHARED = ("heads", "line", "native", "zero")
"""Files of tests/platform whose platform goes when the worker leaves the folder: its last ones."""

# A shell's `… &` has SIGINT ignored, and all that it starts inherits that: no Ctrl-C would arrive.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Threads of torch wait for each other by spinning: where others want the cores, too, each wait
# takes many times as long as the work. It is read when torch is imported, here and below.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# How long an example takes says how busy the machine is, and nothing of what is tested.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


class SharedScopes(LoadScopeScheduling):  # type: ignore[misc] # untyped
    """A file's tests go to one worker; and so do those of several that share something."""

    @override
    def _split_scope(self, nodeid: str) -> str:
        return scope_of(nodeid)


def scope_of(nodeid: str) -> str:
    path, _, _ = nodeid.partition("::")
    return next((what for place, what in TOGETHER.items() if path.startswith(place)), path)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest tests first, so that no worker is left alone with them at the end."""
    longest = list(dict.fromkeys(TOGETHER.values()))
    shared = tuple(f"tests/platform/test_{name}.py" for name in SHARED)

    def place(item: pytest.Item) -> tuple[int, bool]:
        scope = scope_of(item.nodeid)
        rank = longest.index(scope) if scope in longest else len(longest)
        return rank, item.nodeid.startswith(shared)

    items.sort(key=place)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Let the tests with a Ray have the cores first: Serve gives up what does not start in time.

    A process cannot take its courtesy back, and does not need to: the tests with a Ray come first.
    """
    if "PYTEST_XDIST_WORKER" in os.environ and not scope_of(item.nodeid).endswith(" Ray"):
        os.nice(max(0, POLITE - os.nice(0)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Count a worker more than there are cores: two with a Ray wait more than they work."""
    return (os.cpu_count() or 1) + 1


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
