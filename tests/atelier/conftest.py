from collections.abc import AsyncIterator, Iterator

import pytest

from atelier import AsyncClient, Client
from atelier.channel import AsyncChannel
from tests.atelier.served_platform import KEY, Platform, running


@pytest.fixture
def platform() -> Iterator[Platform]:
    with running() as platform:
        yield platform


@pytest.fixture
def client(platform: Platform) -> Iterator[Client]:
    with Client(platform.url, KEY) as client:
        yield client


class Impatient(AsyncChannel):
    """Channel that notes how long it was to sleep, and does not."""

    def __init__(self) -> None:
        super().__init__()
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


@pytest.fixture
def channel() -> Impatient:
    return Impatient()


@pytest.fixture
async def hasty(platform: Platform, channel: Impatient) -> AsyncIterator[AsyncClient]:
    """Client that tries again at once."""
    async with AsyncClient(platform.url, KEY, channel=channel) as client:
        yield client
