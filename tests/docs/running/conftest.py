"""Platform that all documents share: `atelier up` as they have it, on the ports that they name."""

import socket
import time
from collections.abc import Iterator

import pytest

from samples.local import LocalPlatform, running
from tests.docs.pages import ROOT
from tests.docs.running.workplace import Workplace

PORTS = (8000, 4566)
_PORT_SECONDS = 60


@pytest.fixture(scope="package")
def platform() -> Iterator[LocalPlatform]:
    """The platform of the shipped config.yaml, where `atelier up` has it if nothing is said."""
    for port in PORTS:
        _wait_until_free(port)
    with running(ROOT / "config.yaml", ports=PORTS) as there:
        yield there


@pytest.fixture(scope="package")
def workplace(platform: LocalPlatform, tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    """A checkout of the repository as its reader has it, and the shell that he has there."""
    return Workplace.made(tmp_path_factory.mktemp("documents"), platform)


def _wait_until_free(port: int) -> None:
    """Another test's platform may just be stopping; somebody else's is a reason to fail."""
    end = time.monotonic() + _PORT_SECONDS
    while True:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                assert time.monotonic() < end, f"port {port}, which the documents name, is in use"
            else:
                return
        time.sleep(0.5)
